"""The log in memory as an event store for asyncio, whole and without faults: for tests that want no disk."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from domain.decider import AnyProposed, AnyRecorded
from processmanager.ports import StoreUnavailable
from tests.simulation.log import Log

PAGE = 500


class MemoryStore:
    """The EventStore port."""

    def __init__(self, log: Log | None = None) -> None:
        self.log = log or Log()
        self._closed = False
        self._grown = asyncio.Event()

    async def read(self, stream: str, after: int = -1) -> Sequence[AnyRecorded]:
        self._must_be_open()
        return self.log.read(stream, after)

    async def append(self, stream: str, events: Sequence[AnyProposed], expected: int) -> int:
        self._must_be_open()
        position = self.log.append(stream, events, expected)
        self._wake()
        return position

    async def follow(self, after: int = 0) -> AsyncIterator[Sequence[AnyRecorded]]:
        while True:
            self._must_be_open()
            grown = self._grown
            while batch := self.log.facts[after : after + PAGE]:
                after += len(batch)
                yield batch
            await grown.wait()

    def close(self) -> None:
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        """Everybody who waits; whoever waits later waits for the next time."""
        self._grown.set()
        self._grown = asyncio.Event()

    def _must_be_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closed")
