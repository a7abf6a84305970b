"""A read model seen from outside the process that feeds it: by whoever must not change it."""

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from projections.file import HOUSEKEEPING, Unusable, check, connect
from projections.projection import Projection


class Readable(Protocol):
    """What questions are asked of: a read model, or a look at one from outside."""

    @property
    def projection(self) -> Projection: ...

    def rows(self, sql: str, *params: Any) -> list[tuple[Any, ...]]: ...


@runtime_checkable
class Followed(Readable, Protocol):
    """A read model that keeps up with the log, fed in this process or in another."""

    @property
    def position(self) -> int: ...

    async def wait(self, position: int, timeout: float) -> bool: ...  # noqa: ASYNC109 - it has an outcome

    def age(self) -> int: ...


class Outside:
    """position: how far the rows were fed when this was last asked."""

    def __init__(self, projection: Projection, path: Path) -> None:
        """Look at the file at ``path``, and leave it as it is.

        Raises Unusable when this version's projection did not write it, sqlite3.Error when there is none.
        """
        self.projection = projection
        self._connection = connect(path, read_only=True)
        try:
            check(projection, self._connection)
        except BaseException:
            self._connection.close()
            raise

    @property
    def position(self) -> int:
        found: int = self.rows("SELECT position FROM feed")[0][0]
        return found

    def rows(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, params).fetchall()

    def close(self) -> None:
        self._connection.close()


def dump(model: Readable) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables of the projection, sorted: equal for equal contents, however they came about."""
    tables = model.rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    return {
        name: sorted(model.rows(f"SELECT * FROM {name}"), key=repr)  # noqa: S608 - a name from the schema
        for (name,) in tables
        if name not in HOUSEKEEPING and not name.startswith("sqlite_")
    }


__all__ = ["Followed", "Outside", "Readable", "Unusable", "dump"]
