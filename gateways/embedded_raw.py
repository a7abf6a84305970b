"""The embedded store's log as bytes, read with all of its checks and written a page at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from gateways.embedded_file import open_checked
from gateways.embedded_reader import RawReader
from gateways.embedded_verbatim import VerbatimWriter
from gateways.raw_log import RawEvent

_CACHE = 8 * 1024
"""Kilobytes of the file in memory for reading, which goes through it once and does not come back."""


class EmbeddedRawLog:
    """A log file; one that is not there yet is empty, and made when it is first written to."""

    def __init__(self, path: Path) -> None:
        """Raises StoreDamaged, StoreUnavailable."""
        self._path = path
        self._reader: RawReader | None = None
        self._writer: VerbatimWriter | None = None
        self._writing: asyncio.Future[None] | None = None
        self.hidden: dict[str, str] = {}
        if path.is_file():
            self._open()

    def __str__(self) -> str:
        return str(self._path.parent)

    def _open(self) -> None:
        connection = open_checked(self._path)
        connection.execute(f"PRAGMA cache_size={-_CACHE}")
        self._reader = RawReader(self._path, connection)

    async def categories(self) -> frozenset[str]:
        if self._reader is None:
            return frozenset()
        return frozenset(stream.partition("-")[0] for stream in self._reader.streams())

    async def last(self) -> RawEvent | None:
        if self._reader is None or not (head := self._reader.head()):
            return None
        event, *_ = await self._reader.log(head - 1)  # others may have written meanwhile
        return event

    async def at(self, stream: str, revision: int) -> RawEvent | None:
        if self._reader is None:
            return None
        found = await self._reader.stream(stream, revision - 1)
        return found[0] if found else None

    async def pages(self, after: int, until: int) -> AsyncIterator[Sequence[RawEvent]]:
        while self._reader is not None and after < until:
            page = await self._reader.log(after)
            if page[-1].position > until:
                page = [event for event in page if event.position <= until]
            after = page[-1].position
            yield page

    def check(self, event: RawEvent) -> None:
        """A file holds whatever can be in a log."""

    async def append(self, events: Sequence[RawEvent]) -> None:
        await self._apart(lambda: self._insert(events))

    def _insert(self, events: Sequence[RawEvent]) -> None:
        if self._writer is None:
            self._writer = VerbatimWriter(self._path)
            if self._reader is None:
                self._open()
        self._writer.write(events)

    async def settle(self) -> None:
        if self._writer is not None:
            await self._apart(self._writer.settle)

    async def close(self) -> None:
        if self._writing is not None:  # for somebody who was cancelled, too
            await asyncio.wait([self._writing])
        if self._reader is not None:
            self._reader.close()
        if self._writer is not None:
            self._writer.close()

    async def _apart(self, write: Callable[[], None]) -> None:
        """In a thread, which goes on when who waits for it does not."""
        self._writing = asyncio.ensure_future(asyncio.to_thread(write))
        await asyncio.shield(self._writing)
