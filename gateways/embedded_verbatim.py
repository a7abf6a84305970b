"""Events of another log into the log's file, many at a time and as they are, chains too.

A page is whole or not there. Nothing waits for the disk before ``settle``: what a crash of the machine takes
away is a tail, and the head mark is never ahead of what is durable.
"""

import sqlite3
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from gateways.chain import carried, framed, parted, stand_in
from gateways.embedded_file import begin, explain, open_to_write, touch
from gateways.embedded_mark import HeadMark
from gateways.embedded_recorder import INSERT, STANDS, Row, checksum
from gateways.embedded_seals import Seal, seal
from gateways.raw_log import RawEvent
from processmanager.ports import WrongRevision

CHECKPOINT = 16_384
"""Pages of the write-ahead log, 64 MB, after which SQLite copies it into the file."""

REMEMBERED = 100_000
"""Streams of which the last revision is known without looking it up."""

AT_ONCE = 50
"""Rows of one INSERT. Each statement reads and writes the table's last position anew."""

_INSERT_MANY = INSERT + ",(?,?,?,?,?,?,?)" * (AT_ONCE - 1)
_LAST = "SELECT last_insert_rowid()"


class VerbatimWriter:
    """Writes pages of events. Not for the event loop: each call may wait for a lock or the disk."""

    def __init__(self, path: Path) -> None:
        """Raises StoreDamaged, StoreUnavailable."""
        self._path = path
        self._connection = open_to_write(path)
        self._connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT}")
        self._revisions: dict[str, int] = {}
        self._sealed: Seal | None = None

    def write(self, events: Sequence[RawEvent]) -> None:
        """All of them in one transaction, under one seal.

        Raises WrongRevision when something else stands there or something is missing before, StoreDamaged,
        StoreUnavailable, ValueError for text that UTF-8 cannot hold.
        """
        if not events:
            return
        if len(self._revisions) > REMEMBERED:
            self._revisions.clear()
        try:
            self._connection.execute("PRAGMA synchronous=NORMAL")
            begin(self._connection)
            sealed = self._insert(events)
            self._connection.commit()
        except BaseException as error:
            self._connection.rollback()
            self._revisions.clear()
            if isinstance(error, sqlite3.IntegrityError):
                raise self._written_to() from None
            if isinstance(error, sqlite3.Error):
                raise explain(error, self._path) from None
            raise
        self._sealed = sealed

    def _insert(self, events: Sequence[RawEvent]) -> Seal:
        for event in events:
            self._follow(event)
        rows, chains = zip(*map(_row, events), strict=True)
        _insert(self._connection, rows)
        (last,) = self._connection.execute(_LAST).fetchone()
        return seal(self._connection, last, chains, self._sealed)

    def _follow(self, event: RawEvent) -> None:
        """A stream has no gap. Raises WrongRevision."""
        before = event.revision - 1
        known = before < 0 or self._revisions.get(event.stream) == before
        if not known and not self._stands(event.stream, before):
            raise WrongRevision(f"{self._path.parent} has no revision {before} of {event.stream}")
        self._revisions[event.stream] = event.revision

    def _stands(self, stream: str, revision: int) -> bool:
        return self._connection.execute(STANDS, (stream, revision)).fetchone() is not None

    def settle(self) -> None:
        """Wait until all that was written is on the disk; then the head mark says so.

        Raises StoreUnavailable.
        """
        if self._sealed is None:
            return
        try:
            self._connection.execute("PRAGMA synchronous=FULL")  # syncs what the commits before have left
            begin(self._connection)
            touch(self._connection)
            self._connection.commit()
        except sqlite3.Error as error:
            self._connection.rollback()
            raise explain(error, self._path) from None
        mark = HeadMark(self._path)
        mark.set(self._sealed)
        mark.close()

    def close(self) -> None:
        self._connection.close()

    def _written_to(self) -> WrongRevision:
        return WrongRevision(f"{self._path.parent} is being written to by somebody else")


def _insert(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    whole = len(rows) - len(rows) % AT_ONCE
    for start in range(0, whole, AT_ONCE):
        connection.execute(_INSERT_MANY, [*chain.from_iterable(rows[start : start + AT_ONCE])])
    connection.executemany(INSERT, rows[whole:])


def _row(event: RawEvent) -> tuple[Row, bytes]:
    """The row of an event, and what a seal covers of it: its chain, or what stands for one."""
    stream, revision, type_, id_ = event.stream, event.revision, event.type, event.id.bytes
    data, metadata = event.data, event.metadata
    covered = carried(metadata) or stand_in(
        framed(stream.encode(), revision, id_, type_.encode(), data), parted(metadata)[0]
    )
    summed = checksum(stream, revision, type_, data, id_, metadata)
    return (stream, revision, type_, data, id_, metadata, summed), covered
