"""Two files of one read model, row by row, as they are at the same position of the log."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

from projections.file import HOUSEKEEPING, connect
from projections.held import Held, load


class Difference(Struct, frozen=True):
    """One row that is not the same. before, after: its columns; None where there is no such row."""

    table: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None

    def __str__(self) -> str:
        if self.before is None or self.after is None:
            row = self.after if self.before is None else self.before
            assert row is not None
            return f"{'+' if self.before is None else '-'} {_named(row)}"
        same = {name: value for name, value in self.before.items() if self.after[name] == value}
        key = next(iter(same.items()), None)
        changed = ", ".join(
            f"{name}: {value!r} → {self.after[name]!r}"
            for name, value in self.before.items()
            if name not in same
        )
        return f"~ {f'{key[0]}={key[1]!r}  ' if key else ''}{changed}"


class TableDifference(Struct, frozen=True):
    """How many rows of a table differ; ``columns``: it has others, and no row can be compared."""

    table: str
    changed: int
    gone: int
    new: int
    columns: bool = False

    def __str__(self) -> str:
        if self.columns:
            return f"{self.table}: its columns are others"
        return f"{self.table}: {self.changed:,} changed, {self.gone:,} gone, {self.new:,} new"


class Comparison:
    """The file at ``live``, as it was when this began whatever is written to it meanwhile, and another.

    position: up to where ``live`` was fed. held: what it holds back.
    """

    def __init__(self, live: Path, other: Path) -> None:
        """Raises sqlite3.Error."""
        self._connection = connect(live, read_only=True)
        try:
            self._connection.execute("ATTACH ? AS other", (f"{other.absolute().as_uri()}?mode=ro",))
            self._connection.execute("BEGIN")
            ((self.position, self.last_id),) = self._rows("SELECT position, last_id FROM main.feed")
            self.held: Sequence[Held] = list(load(self._connection).values())
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        self._connection.close()

    def tables(self) -> list[TableDifference]:
        """The tables that are not the same. The other file must be fed up to ``position`` by now."""
        names = sorted({*self._tables("main"), *self._tables("other")})
        return [found for name in names if (found := self._compare(name)) is not None]

    def rows(self, table: str, limit: int) -> Iterator[Difference]:
        """At most ``limit`` of the rows of ``table`` that differ, in the order of their keys."""
        names = [*self._columns("main", table)]
        key = self._key(table)
        on = " AND ".join(f'a."{name}" IS b."{name}"' for name in key) or "0"
        order = ", ".join(f'"{name}"' for name in key) or "1"
        pairs = self._connection.execute(
            f"SELECT a.*, b.* FROM temp.gone_{table} a LEFT JOIN temp.new_{table} b ON {on} "  # noqa: S608
            f"ORDER BY {', '.join(f'a.{each}' for each in order.split(', ')) if key else '1'} LIMIT ?",
            (limit,),
        )
        found = 0
        for row in pairs:
            found += 1
            before, after = row[: len(names)], row[len(names) :]
            paired = bool(key) and after[names.index(key[0])] is not None
            yield Difference(table, _row(names, before), _row(names, after) if paired else None)
        fresh = self._connection.execute(
            f"SELECT * FROM temp.new_{table} b WHERE NOT EXISTS "  # noqa: S608 - names of a read model's own
            f"(SELECT 1 FROM temp.gone_{table} a WHERE {on}) ORDER BY {order} LIMIT ?",
            (max(limit - found, 0),),
        )
        for row in fresh:
            yield Difference(table, None, _row(names, row))

    # ── How ───────────────────────────────────────────────────────────────────────────────────────

    def _compare(self, table: str) -> TableDifference | None:
        if self._columns("main", table) != self._columns("other", table):
            return TableDifference(table, 0, 0, 0, columns=True)
        for name, one, two in (("gone", "main", "other"), ("new", "other", "main")):
            with suppress(sqlite3.OperationalError):  # not compared before
                self._connection.execute(f"DROP TABLE temp.{name}_{table}")
            self._connection.execute(
                f"CREATE TEMP TABLE {name}_{table} AS "  # noqa: S608 - names of a read model's own
                f'SELECT * FROM {one}."{table}" EXCEPT SELECT * FROM {two}."{table}"'
            )
        gone, new = (self._count(f"temp.{name}_{table}") for name in ("gone", "new"))
        if not gone and not new:
            return None
        on = " AND ".join(f'a."{name}" IS b."{name}"' for name in self._key(table)) or "0"
        changed = self._count(f"temp.gone_{table} a JOIN temp.new_{table} b ON {on}")
        return TableDifference(table, changed, gone - changed, new - changed)

    def _tables(self, which: str) -> list[str]:
        sql = f"SELECT name FROM {which}.sqlite_master WHERE type = 'table'"  # noqa: S608 - one of two
        names = [name for (name,) in self._rows(sql)]
        return [name for name in names if name not in HOUSEKEEPING and not name.startswith("sqlite_")]

    def _columns(self, which: str, table: str) -> dict[str, int]:
        """The columns of a table and their places in its key, 0 for those that are not in it."""
        return {row[1]: row[5] for row in self._rows(f'PRAGMA {which}.table_info("{table}")')}

    def _key(self, table: str) -> list[str]:
        places = {place: name for name, place in self._columns("main", table).items() if place}
        return [places[place] for place in sorted(places)]

    def _count(self, what: str) -> int:
        ((number,),) = self._rows(f"SELECT count(*) FROM {what}")  # noqa: S608 - names of a read model's own
        return int(number)

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql).fetchall()


def _row(names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    return dict(zip(names, values, strict=True))


def _named(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in row.items())
