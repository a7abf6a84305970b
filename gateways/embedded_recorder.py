"""The log's one table, as an eventsourcing ApplicationRecorder.

The library's own tools (Application, EventStore, NotificationLog, pagers) work on the same file as the
group commit, and both write through the one INSERT that stands here. On top of what the library keeps,
a row has the event's id, its metadata and a checksum, and a stream has no gaps.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID
from zlib import crc32

from eventsourcing.persistence import IntegrityError, Notification, StoredEvent
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteCursor, SQLiteDatastore

from gateways.codec import Encoded, NotifiedFact, StoredFact, derived_id

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
STANDS = f"SELECT 1 FROM {TABLE} WHERE originator_id=? AND originator_version=?"  # noqa: S608

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


def new_row(stream: str, revision: int, id_: UUID, encoded: Encoded) -> Row:
    """The row of an event that is about to be inserted."""
    id_bytes, type_, data, metadata = id_.bytes, encoded.type, encoded.data, encoded.metadata
    summed = checksum(stream, revision, type_, data, id_bytes, metadata)
    return (stream, revision, type_, data, id_bytes, metadata, summed)


class EventRecorder(SQLiteApplicationRecorder):
    """The log's table behind the library's recorder methods, with text ids and revisions from 0."""

    def __init__(self, datastore: SQLiteDatastore) -> None:
        super().__init__(datastore, TABLE)
        self.insert_events_statement = INSERT

    @classmethod
    def at(cls, path: Path) -> "EventRecorder":
        """The recorder of the log file at ``path``; the table must be there, or be created."""
        return cls(SQLiteDatastore(str(path.absolute()), originator_id_type="text"))

    def construct_create_table_statements(self) -> list[str]:
        return [CREATE]

    def _insert_events(
        self, c: SQLiteCursor, stored_events: Sequence[StoredEvent], **_: Any
    ) -> Sequence[int] | None:
        positions: list[int] = []
        for stored in stored_events:
            c.execute(INSERT, self._row(stored))
            positions.append(c.lastrowid)
        # Only now: a transaction that begins with a write waits for the lock, one that reads first fails.
        for stored in stored_events:
            self._refuse_gap(c, str(stored.originator_id), stored.originator_version)
        return positions

    @staticmethod
    def _row(stored: StoredEvent) -> Row:
        stream, revision = str(stored.originator_id), stored.originator_version
        if isinstance(stored, StoredFact):
            id_, metadata = stored.event_id, stored.metadata
        else:  # written by a tool that knows nothing of ours
            id_, metadata = derived_id(stream, revision), b""
        return new_row(stream, revision, id_, Encoded(stored.topic, stored.state, metadata))

    @staticmethod
    def _refuse_gap(c: SQLiteCursor, stream: str, revision: int) -> None:
        """The library accepts a gap between two revisions. An append with an expected one cannot."""
        if revision == 0:
            return
        c.execute(STANDS, (stream, revision - 1))
        if c.fetchone() is None:
            raise IntegrityError(f"{stream} has no revision {revision - 1}, so {revision} cannot follow")

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
