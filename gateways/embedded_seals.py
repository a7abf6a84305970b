"""The seals of the log's file: with each commit one that covers every event up to there, in the log's order.

A chain leads through one stream; the seals lead through the whole log. A seal is a SHA-256 over the seal
before it, its position, and the chains of the events between the two. It is written in the transaction of
its events. The newest one is kept beside the file too (gateways/embedded_mark.py).
"""

import sqlite3
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any

from msgspec import Struct

from gateways.damage import StoreDamaged

SEALS = "log_seals"
CREATE_SEALS = f"CREATE TABLE IF NOT EXISTS {SEALS} (position INTEGER PRIMARY KEY, hash BLOB NOT NULL)"
# A log that was written before there were seals is sealed from here on.
FIRST_SEAL = f"""INSERT INTO {SEALS} SELECT ifnull((SELECT max(rowid) FROM stored_events), 0), zeroblob(32)
    WHERE NOT EXISTS (SELECT 1 FROM {SEALS})"""  # noqa: S608 - constants only
NOTHING_SEALED = bytes(32)
"""The hash of the seal with which sealing began."""

LOCK = f"DELETE FROM {SEALS} WHERE 0"  # noqa: S608 - constants only
"""Takes the write lock, as any statement that could write does."""

_NEWEST = f"SELECT position, hash FROM {SEALS} ORDER BY position DESC LIMIT 1"  # noqa: S608 - constants only
_FIRST = f"SELECT position, hash FROM {SEALS} ORDER BY position LIMIT 1"  # noqa: S608 - constants only
_UP_TO = f"""SELECT position, hash FROM {SEALS} WHERE position <= ?
    ORDER BY position DESC LIMIT 1"""  # noqa: S608 - constants only
_BEHIND = f"""SELECT position, hash FROM {SEALS} WHERE position > ?
    ORDER BY position LIMIT 1000"""  # noqa: S608 - constants only
_INSERT = f"INSERT INTO {SEALS} VALUES (?,?)"  # noqa: S608 - constants only


class Seal(Struct, frozen=True):
    """position: of the last event that it covers. hash: 32 bytes, zeros where sealing began."""

    position: int
    hash: bytes

    def next(self, chains: Sequence[bytes]) -> "Seal":
        """The seal behind events with these chains."""
        position = self.position + len(chains)
        covered = b"".join((self.hash, position.to_bytes(8), *chains))
        return Seal(position, sha256(covered).digest())


def has_seals(connection: sqlite3.Connection) -> bool:
    """Whether sealing has begun. Raises sqlite3.Error."""
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE name=?", (SEALS,)).fetchone()
    return found is not None


def newest(connection: sqlite3.Connection | sqlite3.Cursor) -> Seal | None:
    """The newest seal; None in a log in which sealing has not begun. Raises sqlite3.Error."""
    found = connection.execute(_NEWEST).fetchone()
    return _seal(found) if found else None


def first(connection: sqlite3.Connection) -> Seal | None:
    """Where sealing began. Raises sqlite3.Error."""
    found = connection.execute(_FIRST).fetchone()
    return _seal(found) if found else None


def up_to(connection: sqlite3.Connection, position: int) -> Seal | None:
    """The last seal that is not behind ``position``. Raises sqlite3.Error."""
    found = connection.execute(_UP_TO, (position,)).fetchone()
    return _seal(found) if found else None


def seals_behind(connection: sqlite3.Connection, seal: Seal | None) -> Iterator[Seal]:
    """The seals that come after ``seal``, or all of them, in their order. Raises sqlite3.Error."""
    if not has_seals(connection):
        return
    after = -1 if seal is None else seal.position
    while page := connection.execute(_BEHIND, (after,)).fetchall():
        after = page[-1][0]
        for row in page:
            yield _seal(row)


def seal(
    connection: sqlite3.Connection | sqlite3.Cursor,
    last: int,
    chains: Sequence[bytes],
    known: Seal | None = None,
) -> Seal:
    """Seal what this transaction has inserted: ``chains``, the last of them at position ``last``.

    known: a seal that was the newest once. If the events stand right behind it, it still is.
    Raises StoreDamaged unless they stand right behind what was sealed before.
    """
    before = known
    if before is None or before.position + len(chains) != last:
        before = newest(connection)
    if before is None or before.position + len(chains) != last:
        reached = before.position if before else 0
        raise StoreDamaged(
            f"the log is sealed up to position {reached}, but its next event would be at "
            f"{last - len(chains) + 1}: events were added or removed behind its seal"
        )
    sealed = before.next(chains)
    connection.execute(_INSERT, (sealed.position, sealed.hash))
    return sealed


def _seal(row: Sequence[Any]) -> Seal:
    """Damage may have given the hash another type."""
    position, hash_ = row
    return Seal(position, hash_ if isinstance(hash_, bytes) else b"")
