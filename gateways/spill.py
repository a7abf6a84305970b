"""What is kept of each stream while a whole log goes by, in memory that does not grow with the log.

What was last put in is in memory; the rest lies in a private file of SQLite's, in the directory for temporary
files, which nobody else sees and which is gone when the process ends.
"""

import pickle
import sqlite3
from collections.abc import Iterator
from typing import Generic, TypeVar

V = TypeVar("V")

REMEMBERED = 20_000
"""Entries in memory, and as many again that were put in before them."""

_CREATE = "CREATE TABLE entry (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"
_PUT = "INSERT OR REPLACE INTO entry VALUES (?,?)"
_ALL = "SELECT key, value FROM entry"
_GET = "SELECT value FROM entry WHERE key=?"


class Spill(Generic[V]):
    """Values by their keys. One that was taken out and altered is to be put in again."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._young: dict[str, V] = {}
        self._old: dict[str, V] = {}
        self._disk: sqlite3.Connection | None = None

    def get(self, key: str) -> V | None:
        """The value that was last put in; None if there is none. Raises sqlite3.Error."""
        if key in self._young:
            return self._young[key]
        if key in self._old:
            return self._old[key]
        if self._disk is None:
            return None
        row = self._disk.execute(_GET, (key,)).fetchone()
        if row is None:
            return None
        value: V = pickle.loads(row[0])  # noqa: S301 - written by this very process, where nobody else can
        return value

    def put(self, key: str, value: V) -> None:
        """Raises sqlite3.Error, as when the disk is full."""
        if key not in self._young and len(self._young) >= self._remembered:
            self._spill()
        self._young[key] = value

    def items(self) -> Iterator[tuple[str, V]]:
        """Every key with the value that was last put in, in no order. Raises sqlite3.Error."""
        yield from (self._old | self._young).items()
        if self._disk is not None:
            for key, value in self._disk.execute(_ALL):
                if key not in self._young and key not in self._old:
                    yield key, pickle.loads(value)  # noqa: S301 - as above

    def close(self) -> None:
        """Give back the file."""
        if self._disk is not None:
            self._disk.close()

    def _spill(self) -> None:
        if self._old:
            if self._disk is None:
                self._disk = sqlite3.connect("", isolation_level=None, check_same_thread=False)
                self._disk.execute("PRAGMA journal_mode=OFF")
                self._disk.execute(_CREATE)
            self._disk.execute("BEGIN")
            self._disk.executemany(
                _PUT,
                ((key, pickle.dumps(value, pickle.HIGHEST_PROTOCOL)) for key, value in self._old.items()),
            )
            self._disk.execute("COMMIT")
        self._young, self._old = {}, self._young
