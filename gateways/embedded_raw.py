"""The embedded store's log as bytes, read with all of its checks and written a page at a time."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from eventsourcing.persistence import IntegrityError
from eventsourcing.persistence import PersistenceError as RecorderError

from domain.decider import AnyRecorded, Metadata, Unreadable
from gateways.codec import NOTHING_KNOWN, Codec, Encoded, StoredFact
from gateways.damage import StoreDamaged
from gateways.embedded_file import explain, open_checked, open_to_write
from gateways.embedded_reader import LogReader
from gateways.embedded_recorder import VerbatimRecorder
from gateways.raw_log import RawEvent
from processmanager.ports import StoreUnavailable, WrongRevision


class Verbatim(Codec):
    """Leaves each event as it is stored."""

    def decode(self, type_: str, data: bytes, metadata: bytes) -> tuple[Any, Metadata]:
        return Encoded(type_, data, metadata), NOTHING_KNOWN


class EmbeddedRawLog:
    """A log file; one that is not there yet is empty, and made when it is first written to."""

    def __init__(self, path: Path) -> None:
        """Raises StoreDamaged, StoreUnavailable."""
        self._path = path
        self._reader: LogReader | None = None
        self._recorder: VerbatimRecorder | None = None
        self._inserting: asyncio.Future[None] | None = None
        self.hidden: dict[str, str] = {}
        if path.is_file():
            self._open()

    def __str__(self) -> str:
        return str(self._path.parent)

    def _open(self) -> None:
        self._reader = LogReader(self._path, open_checked(self._path), Verbatim())

    async def categories(self) -> frozenset[str]:
        if self._reader is None:
            return frozenset()
        return frozenset(stream.partition("-")[0] for stream in self._reader.streams())

    async def last(self) -> RawEvent | None:
        if self._reader is None or not (head := self._reader.head()):
            return None
        event, *_ = await self._reader.log(head - 1)  # others may have written meanwhile
        return self._raw(event)

    async def at(self, stream: str, revision: int) -> RawEvent | None:
        if self._reader is None:
            return None
        found = await self._reader.stream(stream, revision - 1)
        return self._raw(found[0]) if found else None

    async def pages(self, after: int, until: int) -> AsyncIterator[Sequence[RawEvent]]:
        while self._reader is not None and after < until:
            page = [self._raw(event) for event in await self._reader.log(after) if event.position <= until]
            after = page[-1].position
            yield page

    def _raw(self, event: AnyRecorded) -> RawEvent:
        return raw_event(self._path, event)

    def check(self, event: RawEvent) -> None:
        """A file holds whatever can be in a log."""

    async def append(self, events: Sequence[RawEvent]) -> None:
        self._inserting = asyncio.ensure_future(asyncio.to_thread(self._insert, events))
        await asyncio.shield(self._inserting)

    def _insert(self, events: Sequence[RawEvent]) -> None:
        """All of them in one transaction, so that a crash leaves whole pages."""
        if self._recorder is None:
            open_to_write(self._path).close()
            if self._reader is None:
                self._open()
            self._recorder = VerbatimRecorder.at(self._path)
        facts = [StoredFact(e.stream, e.revision, e.type, e.data, e.id, e.metadata) for e in events]
        try:
            self._recorder.insert_events(facts)
        except IntegrityError:
            raise WrongRevision(f"{self} is being written to by somebody else") from None
        except RecorderError as error:
            if isinstance(error.__cause__, sqlite3.Error):
                raise explain(error.__cause__, self._path) from None
            raise StoreUnavailable(f"{self._path}: {error}") from None

    async def settle(self) -> None:
        """A page is durable when it is appended."""

    async def close(self) -> None:
        if self._inserting is not None:  # of an append that was cancelled, too
            await asyncio.wait([self._inserting])
        if self._reader is not None:
            self._reader.close()
        if self._recorder is not None:
            self._recorder.datastore.close()


def raw_event(path: Path, event: AnyRecorded) -> RawEvent:
    """What was read with ``Verbatim`` from the log at ``path``. Raises StoreDamaged for an altered event."""
    stored = event.event
    if isinstance(stored, Unreadable):
        raise StoreDamaged(
            f"{path} is damaged: the event at position {event.position} was altered, "
            "and nobody can say what it was. Copy from a sound copy of the log"
        )
    return RawEvent(
        event.stream, event.revision, event.position, event.id, stored.type, stored.data, stored.metadata
    )
