"""What every store behind the port must do, and the stores that are held to it.

A store joins with one line in ``STORES``: a factory that opens an empty one in a directory of its own.
The numbers in the tests' docstrings are those of the EventStoreDB contract checklist.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias
from uuid import UUID, uuid4

from domain.decider import AnyProposed, Metadata, Proposed
from domain.parking import PurchaseRetried
from gateways.embedded import EmbeddedStore
from gateways.eventstoredb import EventStoreDBStore
from processmanager.ports import EventStore
from tests.eventstoredb.cluster import Cluster
from tests.real_node import NODE
from tests.simulation.memory_store import MemoryStore
from tests.store.apart import Apart

Factory: TypeAlias = Callable[[Path], AbstractAsyncContextManager[EventStore]]


@asynccontextmanager
async def embedded(directory: Path) -> AsyncIterator[EmbeddedStore]:
    """The embedded store on a new file."""
    store = await EmbeddedStore.open(directory / "log.sqlite")
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def eventstoredb(_: Path) -> AsyncIterator[EventStoreDBStore]:
    """EventStoreDB's double, over its wire protocol."""
    async with Cluster() as double:
        store = await EventStoreDBStore.open(double.uri())
        try:
            yield store
        finally:
            await store.close()


@asynccontextmanager
async def memory(_: Path) -> AsyncIterator[MemoryStore]:
    """The log that the simulation plays on."""
    store = MemoryStore()
    yield store
    store.close()


@asynccontextmanager
async def real(_: Path) -> AsyncIterator[EventStore]:
    """The real EventStoreDB that the environment names, as if it were empty."""
    assert NODE
    store = await EventStoreDBStore.open(NODE)
    try:
        yield Apart(store)
    finally:
        await store.close()


STORES: dict[str, Factory] = {"embedded": embedded, "eventstoredb": eventstoredb, "memory": memory}
if NODE:
    STORES["real"] = real

AT = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)


def event(by: str = "operator-1", id_: UUID | None = None) -> AnyProposed:
    """A small event with an id of its own. ``by`` tells it from others."""
    return Proposed(
        id_ or uuid4(), PurchaseRetried(by), Metadata("correlation-1", "causation-1", "actor-1", AT)
    )


def events(count: int) -> list[AnyProposed]:
    """Several of them, numbered from 0."""
    return [event(str(number)) for number in range(count)]
