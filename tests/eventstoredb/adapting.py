"""What the adapter's tests share: a store on the double, and small events of ours."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from domain.decider import AnyProposed, AnyRecorded, Metadata, Proposed
from domain.parking import PurchaseRetried
from gateways.eventstoredb import EventStoreDBStore
from tests.eventstoredb.clients import PATIENCE

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@asynccontextmanager
async def opened(uri: str, **more: Any) -> AsyncIterator[EventStoreDBStore]:
    """The adapter on a server, closed at the end."""
    store = await EventStoreDBStore.open(uri, **more)
    try:
        yield store
    finally:
        await store.close()


def fact(by: str = "operator-1") -> AnyProposed:
    return Proposed(uuid4(), PurchaseRetried(by), Metadata("correlation-1", "causation-1", "actor-1", AT))


def facts(count: int) -> list[AnyProposed]:
    return [fact(str(number)) for number in range(count)]


def parking() -> str:
    """A stream of ours that nobody has used."""
    return f"parking-{uuid4().hex}"


class Follower:
    """Reads a store's log in the background."""

    def __init__(self, store: EventStoreDBStore, after: int = 0) -> None:
        self.seen: list[AnyRecorded] = []
        self._more = asyncio.Condition()
        self.task = asyncio.create_task(self._run(store, after))

    async def _run(self, store: EventStoreDBStore, after: int) -> None:
        async with aclosing(store.follow(after)) as batches:  # type: ignore[type-var]  # a generator
            async for batch in batches:
                async with self._more:
                    self.seen.extend(batch)
                    self._more.notify_all()

    async def has(self, count: int, patience: float = PATIENCE) -> list[AnyRecorded]:
        """The first ``count`` events, once they are there."""
        async with asyncio.timeout(patience), self._more:
            await self._more.wait_for(lambda: len(self.seen) >= count)
        return self.seen[:count]

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.wait({self.task})


@asynccontextmanager
async def followed(store: EventStoreDBStore, after: int = 0) -> AsyncIterator[Follower]:
    follower = Follower(store, after)
    try:
        yield follower
    finally:
        await follower.stop()


def stored(recorded: Iterable[AnyRecorded | AnyProposed]) -> list[Any]:
    return [one.id for one in recorded]
