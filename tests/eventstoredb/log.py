"""The log: every record in order, the streams that they form, and what of a stream can be read."""

import asyncio
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

from tests.eventstoredb.record import (
    DELETED,
    METADATA,
    NONE,
    TOMBSTONE,
    New,
    Record,
    StreamMetadata,
    metadata_stream,
    ticks,
)

_METADATA_OF_METADATA = StreamMetadata(max_count=1)
_HIDDEN = ("-checkpoint", "-parked")


class Log:
    """All that was written, in memory. What is appended here was decided in `writing`."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.streams: dict[str, list[Record]] = {}
        self.news = asyncio.Event()
        """Set at the next append, and then replaced by another."""
        self.ids: dict[UUID, tuple[str, int]] = {}
        """The cache of event ids: where each was last written. Lost when the server restarts."""
        self.end = 0
        self._positions: list[int] = []
        self._bounds: set[int] = {0}
        self._begin()

    # ── Writing ───────────────────────────────────────────────────────────────────────────────────

    def write(self, stream: str, events: Iterable[New], revision: int | None = None) -> list[Record]:
        """Put events at the end of a stream and of the log, whatever anybody expects.

        revision: of the first event, where it is not simply the next one.
        """
        written = []
        number = self.last(stream) + 1 if revision is None else revision
        now = ticks(datetime.now(UTC))
        for event in events:
            record = Record(stream, number, self.end, now, event)
            self._keep(record)
            self.ids[event.id] = (stream, number)
            written.append(record)
            number += 1
        self._bounds.add(self.end)
        self._announce()
        return written

    def write_nothing(self) -> int:
        """An append without events leaves a trace in the log too; gives its position."""
        position = self.end
        self.end += 96
        self._bounds.add(self.end)
        return position

    def forget_ids(self) -> None:
        """What a restart does to the cache of ids."""
        self.ids.clear()

    def truncate(self, position: int) -> None:
        """Lose everything at or behind ``position``, as a restore from an older backup does."""
        kept = self.records[: bisect_left(self._positions, position)]
        self.records, self.streams, self._positions = [], {}, []
        self._bounds, self.end, self.ids = {0}, 0, {}
        for record in kept:
            self._keep(record)
        self._bounds.add(self.end)
        self._announce()

    def _keep(self, record: Record) -> None:
        self.records.append(record)
        self._positions.append(record.position)
        self._bounds.add(record.position)
        self.streams.setdefault(record.stream, []).append(record)
        self.end = record.position + record.length

    def _announce(self) -> None:
        before, self.news = self.news, asyncio.Event()
        before.set()

    def _begin(self) -> None:
        """A fresh server is not empty."""
        epoch = New(uuid4(), "$EpochInformation", b'{"epochNumber":0}', json=True)
        self.write("$epoch-information", [epoch])
        self.write("$$$stats", [New(uuid4(), METADATA, b'{"$maxAge":86400}', json=True)])

    # ── The whole log ─────────────────────────────────────────────────────────────────────────────

    def index(self, position: int) -> int:
        """The place in ``records`` of the first one at ``position`` or later."""
        return bisect_left(self._positions, position)

    def is_bound(self, position: int) -> bool:
        """Whether a record begins there, or the log has not grown so far."""
        return position in self._bounds or position >= self.end

    # ── Streams ───────────────────────────────────────────────────────────────────────────────────

    def last(self, stream: str) -> int:
        """The revision of the last event ever written to the stream, or -1."""
        records = self.streams.get(stream)
        return records[-1].revision if records else NONE

    def metadata(self, stream: str) -> StreamMetadata:
        if stream.startswith("$$"):
            return _METADATA_OF_METADATA
        records = self.streams.get(metadata_stream(stream))
        return StreamMetadata.read(records[-1].event.data) if records else StreamMetadata()

    def is_tombstoned(self, stream: str) -> bool:
        return self.last(stream) == TOMBSTONE

    def is_readable(self, stream: str) -> bool:
        """False where a read finds no stream: never written, only metadata, or softly deleted."""
        return stream in self.streams and not self.metadata(stream).soft_deleted

    def first(self, stream: str) -> int:
        """The first revision that metadata lets a reader see, leaving age aside."""
        metadata = self.metadata(stream)
        first = metadata.truncate_before
        if metadata.max_count is not None:
            first = max(first, self.last(stream) - metadata.max_count + 1)
        return first

    def readable(self, stream: str) -> Sequence[Record]:
        """What a reader sees of a stream, in order."""
        records = self.streams.get(stream, [])
        first = self.first(stream)
        if first:
            records = records[bisect_left(records, first, key=lambda record: record.revision) :]
        max_age = self.metadata(stream).max_age
        if max_age is not None:
            oldest = ticks(datetime.now(UTC)) - max_age * 10_000_000
            records = [record for record in records if record.created > oldest]
        return records

    def event(self, stream: str, revision: int) -> Record | None:
        """One readable event, as a link needs it."""
        if self.is_tombstoned(stream) or not self.is_readable(stream) or revision < self.first(stream):
            return None
        records = self.streams[stream]
        return records[revision] if revision < len(records) else None

    def stored(self, stream: str, revision: int) -> Record | None:
        """One event whether or not it can be read."""
        records = self.streams.get(stream, [])
        return records[revision] if 0 <= revision < len(records) else None


def is_hidden(record: Record) -> bool:
    """Whether a read of ``$all`` leaves the record out, filter or not."""
    name = record.stream
    if name.startswith("$persistentsubscription-$all::"):
        return name.endswith(_HIDDEN)
    return name == "$epoch-information"


def tombstone() -> New:
    return New(uuid4(), DELETED)


def visible(records: Iterable[Record]) -> Iterator[Record]:
    return (record for record in records if not is_hidden(record))
