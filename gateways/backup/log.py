"""A backup as a log that can be copied from: the read side of ``RawLog``."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from gateways.backup.folder import Folder, Manifest
from gateways.raw_log import CannotHold, RawEvent

PAGE = 5_000
"""Events that are handed over at once: a store that writes a page as one makes few commits of a log."""


class BackupLog:
    """The log that was backed up, as far as ``until``. All of its bytes are checked before it can be read."""

    def __init__(self, folder: Folder, manifest: Manifest) -> None:
        """Raises BackupDamaged, BadKey, OSError."""
        self._folder = folder
        self._headers = folder.verified(manifest)
        self.until = manifest.position
        self.hidden: dict[str, str] = {}

    def __str__(self) -> str:
        return str(self._folder)

    async def categories(self) -> frozenset[str]:
        return frozenset[str]().union(*(header.categories for header in self._headers))

    async def last(self) -> RawEvent | None:
        for header in reversed(self._headers):
            if header.first <= self.until:
                events = await self._events(header.number)
                return next(event for event in reversed(events) if event.position <= self.until)
        return None

    async def at(self, stream: str, revision: int) -> RawEvent | None:
        """Reads from the end: what is asked for after an interruption is where somebody has stopped."""
        for header in reversed(self._headers):
            for event in await self._events(header.number):
                if (event.stream, event.revision) == (stream, revision) and event.position <= self.until:
                    return event
        return None

    async def pages(self, after: int, until: int) -> AsyncIterator[Sequence[RawEvent]]:
        until = min(until, self.until)
        for header in self._headers:
            if header.last <= after or header.first > until:
                continue
            events = await self._events(header.number)
            if header.first <= after or header.last > until:
                events = [event for event in events if after < event.position <= until]
            for start in range(0, len(events), PAGE):
                yield events[start : start + PAGE]

    async def _events(self, number: int) -> list[RawEvent]:
        return await asyncio.to_thread(self._folder.events, number)

    def check(self, event: RawEvent) -> None:
        raise CannotHold(f"{self} is a backup, and {event} can only be restored from it")

    async def append(self, events: Sequence[RawEvent]) -> None:
        raise CannotHold(f"{self} is a backup, and {events[0]} can only be restored from it")

    async def settle(self) -> None:
        """Nothing is ever on its way."""

    async def close(self) -> None:
        """Nothing is held open."""
