"""The log's one table, as an eventsourcing ApplicationRecorder.

The library's own tools (Application, EventStore, NotificationLog, pagers) work on the same file as the
group commit, and both write through the one INSERT that stands here. On top of what the library keeps,
a row has the event's id, its metadata with the chain, and a checksum; a stream has no gaps, and each
transaction is sealed.
"""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Self
from uuid import UUID
from zlib import crc32

from eventsourcing.persistence import IntegrityError, Notification, StoredEvent
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteCursor, SQLiteDatastore
from msgspec import Struct
from msgspec.structs import replace

from gateways.chain import NOTHING_BEFORE, carrying, chain_of, framed, link_behind, parted
from gateways.codec import Encoded, NotifiedFact, StoredFact, derived_id
from gateways.embedded_mark import HeadMark
from gateways.embedded_seals import CREATE_SEALS, FIRST_SEAL, LOCK, Seal, seal

TABLE = "stored_events"
COLUMNS = "originator_id, originator_version, topic, state, event_id, metadata, checksum"

# The position in the log is the rowid, under this name because the library selects it so.
CREATE = f"""CREATE TABLE IF NOT EXISTS {TABLE} (
    rowid INTEGER PRIMARY KEY AUTOINCREMENT,
    originator_id TEXT NOT NULL,
    originator_version INTEGER NOT NULL,
    topic TEXT NOT NULL,
    state BLOB NOT NULL,
    event_id BLOB NOT NULL,
    metadata BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    UNIQUE (originator_id, originator_version)
)"""
INSERT = f"INSERT INTO {TABLE} ({COLUMNS}) VALUES (?,?,?,?,?,?,?)"  # noqa: S608 - constants only
STANDS = f"SELECT metadata FROM {TABLE} WHERE originator_id=? AND originator_version=?"  # noqa: S608
"""The metadata of the event that another is to follow on, if it is there."""

Row = tuple[str, int, str, bytes, bytes, bytes, int]
"""What INSERT takes: stream, revision, type, data, event id, metadata, checksum."""


def checksum(stream: str, revision: int, type_: str, *content: bytes) -> int:
    """SQLite does not notice a flipped bit in a value; this does. ``content``: data, id, metadata."""
    return crc32(b"".join((stream.encode(), type_.encode(), *content)), revision)


def intact(stream: str, revision: int, type_: str, *content_and_sum: Any) -> bool:
    """Is the row what was inserted? Damage may also have given a value another type."""
    *content, summed = content_and_sum
    try:
        return bool(checksum(stream, revision, type_, *content) == summed)
    except (TypeError, AttributeError, ValueError, OverflowError):
        return False


class Draft(Struct, gc=False):
    """An event that waits to be inserted: all of its row but the chain, and what follows from that.

    metadata: without a chain. frame: as in gateways/chain.py.
    """

    stream: str
    revision: int
    type: str
    data: bytes
    id: bytes
    metadata: bytes
    frame: bytes


def draft(stream: str, revision: int, id_: UUID, encoded: Encoded) -> Draft:
    """The row of an event that is to be inserted. Raises ValueError for text that UTF-8 cannot hold."""
    type_, data = encoded.type, encoded.data
    frame = framed(stream.encode(), revision, id_.bytes, type_.encode(), data)
    return Draft(stream, revision, type_, data, id_.bytes, encoded.metadata, frame)


def chained(new: Draft, before: bytes) -> tuple[Row, bytes]:
    """The row that follows on the link ``before``, and its chain."""
    chain = chain_of(before, new.frame, new.metadata)
    stream, revision, type_, data, id_ = new.stream, new.revision, new.type, new.data, new.id
    metadata = carrying(new.metadata, chain)
    summed = checksum(stream, revision, type_, data, id_, metadata)
    return (stream, revision, type_, data, id_, metadata, summed), chain


class EventRecorder(SQLiteApplicationRecorder):
    """The log's table behind the library's recorder methods, with text ids and revisions from 0."""

    def __init__(self, datastore: SQLiteDatastore, log: Path) -> None:
        """log: the file that ``datastore`` is in."""
        super().__init__(datastore, TABLE)
        self._log = log
        self.insert_events_statement = INSERT

    @classmethod
    def at(cls, path: Path) -> Self:
        """The recorder of the log file at ``path``; the table must be there, or be created."""
        return cls(SQLiteDatastore(str(path.absolute()), originator_id_type="text"), path)

    def construct_create_table_statements(self) -> list[str]:
        return [CREATE, CREATE_SEALS, FIRST_SEAL]

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int]:
        """As the library's; the transaction is sealed, and the head mark set once it is durable."""
        with self.datastore.transaction(commit=True) as c:
            positions, sealed = self._insert(c, stored_events)
        if sealed is not None:
            with closing(HeadMark(self._log)) as mark:
                mark.set(sealed)
        return positions

    def _insert(self, c: SQLiteCursor, stored_events: Sequence[StoredEvent]) -> tuple[list[int], Seal | None]:
        # A transaction that begins with a write waits for the lock, one that reads first fails.
        c.execute(LOCK)
        positions: list[int] = []
        chains: list[bytes] = []
        for stored in stored_events:
            row, chain = self._placed(c, _drafted(stored))
            c.execute(INSERT, row)
            positions.append(c.lastrowid)
            chains.append(chain)
        return positions, seal(c.sqlite_cursor, positions[-1], chains) if positions else None

    def _placed(self, c: SQLiteCursor, new: Draft) -> tuple[Row, bytes]:
        """The row in its place, whatever chain it may have brought along.

        The library accepts a gap between two revisions, we do not.
        """
        new = replace(new, metadata=parted(new.metadata)[0])
        if new.revision == 0:
            return chained(new, NOTHING_BEFORE)
        c.execute(STANDS, (new.stream, new.revision - 1))
        found = c.fetchone()
        if found is None:
            raise IntegrityError(
                f"{new.stream} has no revision {new.revision - 1}, so {new.revision} cannot follow"
            )
        return chained(new, link_behind(found[0]))

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """As the library's, with all that is known of each event: metadata says which upcasters it needs."""
        bounds = {"originator_id = ?": str(originator_id), "originator_version > ?": gt}
        bounds |= {"originator_version <= ?": lte}
        order = "originator_version DESC" if desc else "originator_version"
        return self._select(bounds, (), order, limit)

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """As the library's, with all that is known of each event."""
        bounds = {"rowid >= ?" if inclusive_of_start else "rowid > ?": start, "rowid <= ?": stop}
        return self._select(bounds, topics, "rowid", limit)

    def _select(
        self, bounds: dict[str, Any], topics: Sequence[str], order: str, limit: int | None
    ) -> list[NotifiedFact]:
        held = {term: value for term, value in bounds.items() if value is not None}
        terms = [*held, f"topic IN ({','.join('?' * len(topics))})"] if topics else [*held]
        where = f"WHERE {' AND '.join(terms)}" if terms else ""
        sql = f"SELECT * FROM {TABLE} {where} ORDER BY {order} LIMIT ?"  # noqa: S608 - no values in it
        with self.datastore.transaction(commit=False) as c:
            c.execute(sql, (*held.values(), *topics, -1 if limit is None else limit))
            return [_fact(row) for row in c.fetchall()]


def _fact(row: Any) -> NotifiedFact:
    return NotifiedFact(
        id=row["rowid"],
        originator_id=row["originator_id"],
        originator_version=row["originator_version"],
        topic=row["topic"],
        state=row["state"],
        event_id=UUID(bytes=row["event_id"]),
        metadata=row["metadata"],
    )


def _drafted(stored: StoredEvent) -> Draft:
    stream, revision = str(stored.originator_id), stored.originator_version
    if isinstance(stored, StoredFact):
        id_, metadata = stored.event_id, stored.metadata
    else:  # written by a tool that knows nothing of ours
        id_, metadata = derived_id(stream, revision), b""
    return draft(stream, revision, id_, Encoded(stored.topic, stored.state, metadata))
