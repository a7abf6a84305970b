"""A log in memory with the three things that a follower asks of a store, and two that go wrong."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from domain.decider import AnyRecorded, Metadata, Recorded

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class MemoryLog:
    """follows: how often it was followed. fails: raised by the next batch. ends: the feed ends silently."""

    def __init__(self) -> None:
        self.events: list[AnyRecorded] = []
        self.at = NOON
        self.follows = 0
        self.fails: Exception | None = None
        self.ends = False
        self._lengths = Counter[str]()
        self._grown = asyncio.Event()

    def append(self, stream: str, *events: Any) -> int:
        """Append, a second after the event before. Gives the position."""
        for event in events:
            self.at += timedelta(seconds=1)
            position = len(self.events) + 1
            metadata = Metadata("c", "c", "tester", self.at)
            revision = self._lengths[stream]
            self.events.append(Recorded(stream, revision, position, UUID(int=position), event, metadata))
            self._lengths[stream] += 1
        self.wake()
        return self.head()

    def wake(self) -> None:
        self._grown.set()
        self._grown = asyncio.Event()

    def head(self) -> int:
        return len(self.events)

    async def read(self, stream: str, after: int = -1) -> Sequence[AnyRecorded]:
        return [each for each in self.events if each.stream == stream and each.revision > after]

    async def follow(self, after: int = 0) -> AsyncIterator[Sequence[AnyRecorded]]:
        self.follows += 1
        while not self.ends:
            grown = self._grown
            if self.fails is not None:
                failure, self.fails = self.fails, None
                raise failure
            if batch := self.events[after : after + 500]:
                after = batch[-1].position
                yield batch
            else:
                await grown.wait()
        self.ends = False
