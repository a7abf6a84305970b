"""What may be written: expected revisions, idempotency, deletion. The order of the checks is the server's."""

import json
from collections.abc import Callable, Sequence
from enum import Enum
from uuid import UUID, uuid4

from msgspec import Struct

from tests.eventstoredb.answers import StreamDeleted, WrongVersion
from tests.eventstoredb.log import Log, tombstone
from tests.eventstoredb.record import METADATA, NONE, TOMBSTONE, New, Record, metadata_stream


class Expect(Enum):
    """What a writer may expect of a stream without naming a revision."""

    ANY = "Any"
    EXISTS = "StreamExists"
    NO_STREAM = "NoStream"


Expected = int | Expect


class Written(Struct, frozen=True):
    """The revision that an append reached (-1: none) and the position, if there is one to tell."""

    revision: int
    position: int | None


class Writer:
    """The only one who writes to the log on behalf of clients.

    after: is given what was written, once all of it is in place.
    """

    def __init__(self, log: Log, after: Callable[[Sequence[Record]], None] = lambda _: None) -> None:
        self._log = log
        self._after = after

    def append(self, stream: str, expected: Expected, events: Sequence[New]) -> Written:
        """Write all events or none; succeed without writing where they stand already.

        Raises WrongVersion, StreamDeleted.
        """
        standing = self._check(stream, expected, [event.id for event in events])
        if standing is not None:
            return self._again(stream, standing)
        if not events:
            return Written(self._log.last(stream), self._log.write_nothing())
        hidden = self._log.metadata(stream).soft_deleted
        before = self._log.last(stream)
        written = self._log.write(stream, events)
        if hidden:
            self._undelete(stream, before)
        self._undelete_by_metadata(stream)
        self._after(written)
        return Written(written[-1].revision, written[-1].position)

    def delete(self, stream: str, expected: Expected) -> int:
        """Hide everything that the stream holds; gives the position. Raises WrongVersion, StreamDeleted."""
        if self._log.last(stream) == NONE:
            raise WrongVersion(NONE)
        self._check(stream, expected, [])
        return self._set_metadata(stream, TOMBSTONE)

    def tombstone(self, stream: str, expected: Expected) -> int:
        """End the stream for good; gives the position. Raises WrongVersion, StreamDeleted."""
        self._check(stream, expected, [])
        written = self._log.write(stream, [tombstone()], TOMBSTONE)
        return written[-1].position

    # ── The rules ─────────────────────────────────────────────────────────────────────────────────

    def _check(self, stream: str, expected: Expected, ids: Sequence[UUID]) -> int | None:
        """None: write. A revision: the events stand there already, up to and including it."""
        current = self._log.last(stream)
        if current == TOMBSTONE:
            raise StreamDeleted(stream)
        if expected is Expect.EXISTS:
            if self._log.metadata(stream).soft_deleted:
                raise StreamDeleted(stream)
            if current == NONE and metadata_stream(stream) not in self._log.streams:
                raise WrongVersion(NONE)
        if expected in (Expect.ANY, Expect.EXISTS):
            return self._weakly_known(stream, current, ids)
        number = NONE if expected is Expect.NO_STREAM else expected
        assert isinstance(number, int)
        if number > current:
            raise WrongVersion(current)
        if number == current:
            return None
        return self._strongly_known(stream, number, current, ids)

    def _weakly_known(self, stream: str, current: int, ids: Sequence[UUID]) -> int | None:
        """Without a revision the server has only its cache of ids, and looks no further than the first."""
        places = [self._log.ids.get(id_) for id_ in ids]
        if not places or places[0] is None or places[0][0] != stream:
            return None
        if any(place is None or place[0] != stream for place in places):
            raise WrongVersion(current)
        return places[-1][1] if places[-1] else None

    def _strongly_known(self, stream: str, number: int, current: int, ids: Sequence[UUID]) -> int | None:
        """With one it compares the ids with what stands behind that revision, restart or not."""
        if not ids:
            raise WrongVersion(current)
        for offset, id_ in enumerate(ids, start=1):
            stored = self._log.stored(stream, number + offset)
            if stored is None or stored.id != id_:
                if offset == 1 and number == NONE and self._log.metadata(stream).soft_deleted:
                    return None
                raise WrongVersion(current)
        return number + len(ids)

    def _again(self, stream: str, revision: int) -> Written:
        """The answer to a repeat. What can no longer be read has no position."""
        record = self._log.event(stream, revision)
        return Written(revision, record.position if record else None)

    # ── Metadata ──────────────────────────────────────────────────────────────────────────────────

    def _undelete(self, stream: str, before: int) -> None:
        self._set_metadata(stream, before + 1)

    def _undelete_by_metadata(self, stream: str) -> None:
        """Metadata written to a softly deleted stream brings it back, still hiding what it held."""
        if not stream.startswith("$$"):
            return
        owner = stream[2:]
        records = self._log.streams[stream]
        if len(records) < 2 or self._log.is_tombstoned(owner):
            return
        hid = _truncates_all(records[-2].event.data)
        if hid and not _truncates_all(records[-1].event.data):
            self._set_metadata(owner, self._log.last(owner) + 1, records[-1].event.data)

    def _set_metadata(self, stream: str, truncate_before: int, keep: bytes = b"{}") -> int:
        content = json.loads(keep) | {"$tb": truncate_before}
        event = New(uuid4(), METADATA, json.dumps(content, separators=(",", ":")).encode(), json=True)
        return self._log.write(metadata_stream(stream), [event])[-1].position


def _truncates_all(data: bytes) -> bool:
    try:
        return bool(json.loads(data).get("$tb") == TOMBSTONE)
    except (ValueError, AttributeError):
        return False
