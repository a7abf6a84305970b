"""A temporary read model: the rows of one table as they were at a position, asked like the living ones.

It lies in memory and is filled from what a temporal projection has kept; brought to a position near the one
that it is at, it changes only the rows that differ between the two.
"""

import os
import sqlite3
from pathlib import Path
from typing import Any

from projections.file import Unusable, check
from projections.projection import Projection
from projections.temporal import Kept

NEAR = 20_000
"""Versions of rows between two positions, up to which it is cheaper to move than to begin anew."""
_MAPPED = 2**30
"""Bytes of the file that are read without copying."""

File = tuple[int, int]


class Glimpse:
    """position: at which the rows are those of then; None when there are none yet. projection: whose rows."""

    def __init__(self, temporal: Projection, kept: Kept, path: Path) -> None:
        """Look at the file at ``path``. Raises Unusable, sqlite3.Error, OSError."""
        self.projection = kept.projection
        self.position: int | None = None
        self.file = file_at(path)
        self._kept = kept
        self._columns = ", ".join(kept.columns())
        self._connection = sqlite3.connect(
            "file::memory:", uri=True, isolation_level=None, check_same_thread=False
        )
        try:
            self._connection.executescript(kept.projection.tables)
            self._connection.execute("ATTACH ? AS past", (f"{path.absolute().as_uri()}?mode=ro",))
            self._connection.execute(f"PRAGMA past.mmap_size = {_MAPPED}")
            check(temporal, self._connection)
        except BaseException:
            self._connection.close()
            raise

    def rows(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, params).fetchall()

    def close(self) -> None:
        self._connection.close()

    def interrupt(self) -> None:
        """Break off what another thread does with it. What it shows then is of no use."""
        self.position = None
        self._connection.interrupt()

    # ── Where it is ───────────────────────────────────────────────────────────────────────────────

    def fill(self, position: int, owner: str) -> None:
        """Show what was ``owner``'s at ``position``."""
        kept = self._kept
        self._begin_anew()
        self.rows(
            f"INSERT INTO main.{kept.table} SELECT {self._columns} FROM past.{kept.past} WHERE {kept.key} IN "  # noqa: S608
            f"(SELECT {kept.key} FROM past.{kept.past} WHERE {kept.owner} = ? AND since = {kept.born}) "
            f"AND since = {self._latest()}",
            owner,
            position,
        )
        self._keep_up()
        self.position = position

    def move(self, position: int) -> None:
        """Show all that there was at ``position``. Takes a second for a million versions the first time."""
        before, self.position = self.position, None
        if before is None or self._is_far(before, position):
            self._fill_whole(position)
        elif before != position:
            self._change(before, position)
        self.position = position

    def _fill_whole(self, position: int) -> None:
        kept = self._kept
        self._begin_anew()
        # With one max() in a query, SQLite takes the other columns from the row that has it.
        self.rows(
            f"INSERT INTO main.{kept.table} SELECT {self._columns} FROM (SELECT {self._columns}, max(since) "  # noqa: S608
            f"FROM past.{kept.past} WHERE since <= ? GROUP BY {kept.key}) WHERE {kept.whole}",
            position,
        )
        self._keep_up()

    def _change(self, before: int, position: int) -> None:
        kept = self._kept
        low, high = sorted((before, position))
        touched = f"SELECT {kept.key} FROM past.{kept.past} WHERE since > ? AND since <= ?"  # noqa: S608
        self.rows("BEGIN")
        self.rows(f"DELETE FROM main.{kept.table} WHERE {kept.key} IN ({touched})", low, high)  # noqa: S608
        self.rows(
            f"INSERT INTO main.{kept.table} SELECT {self._columns} FROM past.{kept.past} "  # noqa: S608
            f"WHERE {kept.key} IN ({touched}) AND since = {self._latest()} AND {kept.whole}",
            low,
            high,
            position,
        )
        for statement in self.projection.upkeep:
            if not statement.startswith("CREATE"):
                self.rows(statement)
        self.rows("COMMIT")

    def _latest(self) -> str:
        """The version of a row that counted at the position that is given."""
        kept = self._kept
        return (
            f"(SELECT max(since) FROM past.{kept.past} AS other "  # noqa: S608 - constants only
            f"WHERE other.{kept.key} = {kept.past}.{kept.key} AND other.since <= ?)"
        )

    def _is_far(self, before: int, position: int) -> bool:
        low, high = sorted((before, position))
        between = f"SELECT 1 FROM past.{self._kept.past} WHERE since > ? AND since <= ? LIMIT ?"  # noqa: S608
        ((number,),) = self.rows(f"SELECT count(*) FROM ({between})", low, high, NEAR + 1)  # noqa: S608
        return bool(number > NEAR)

    def _begin_anew(self) -> None:
        if self._connection.in_transaction:
            self._connection.rollback()
        for kind, name in self.projection.kept_up():
            self.rows(f"DROP {kind} IF EXISTS main.{name}")
        self.rows(f"DELETE FROM main.{self._kept.table}")  # noqa: S608 - constants only

    def _keep_up(self) -> None:
        for statement in self.projection.upkeep:
            self.rows(statement)


def file_at(path: Path) -> File:
    """Which file stands at ``path``. Raises OSError."""
    found = os.stat(path)
    return found.st_dev, found.st_ino


__all__ = ["Glimpse", "Unusable", "file_at"]
