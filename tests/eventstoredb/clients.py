"""Both clients in one shape, so that one test speaks for the two of them.

The synchronous client must not block the event loop that the double runs on: its calls are made in threads.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from esdbclient import AsyncEventStoreDBClient, EventStoreDBClient, NewEvent, RecordedEvent

PATIENCE = 10.0
"""Seconds after which a test stops waiting and fails."""

_END = object()


class InThreads:
    """An object of the synchronous client whose methods are awaited."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._inner, name)
        if not callable(attribute):
            return attribute

        async def call(*args: Any, **kwargs: Any) -> Any:
            result = await asyncio.to_thread(attribute, *args, **kwargs)
            return InThreads(result) if hasattr(result, "__next__") else result

        return call

    def __aiter__(self) -> "InThreads":
        return self

    async def __anext__(self) -> Any:
        item = await asyncio.to_thread(next, self._inner, _END)
        if item is _END:
            raise StopAsyncIteration
        return item


Connect = Callable[[str], Awaitable[Any]]


async def connect_async(uri: str) -> Any:
    client = AsyncEventStoreDBClient(uri)
    await client.connect()
    return client


async def connect_sync(uri: str) -> Any:
    return InThreads(await asyncio.to_thread(EventStoreDBClient, uri))


CONNECT: dict[str, Connect] = {"async": connect_async, "sync": connect_sync}


@asynccontextmanager
async def connected(kind: str, uri: str) -> AsyncIterator[Any]:
    """A client of that kind, closed at the end."""
    client = await CONNECT[kind](uri)
    try:
        yield client
    finally:
        await client.close()


async def take(items: Any, count: int, patience: float = PATIENCE) -> list[Any]:
    """The next ``count`` items of a read or subscription.

    A timeout around one item would be swallowed by the client, so the whole is watched from outside,
    and stopped.
    """

    async def collect() -> list[Any]:
        taken: list[Any] = []
        async for item in items:
            taken.append(item)
            if len(taken) == count:
                break
        return taken

    task = asyncio.create_task(collect())
    done, _ = await asyncio.wait({task}, timeout=patience)
    if not done:
        await items.stop()
        taken = await task
        raise AssertionError(f"{len(taken)} of {count} came: {taken}")
    return task.result()


async def listed(items: Any) -> list[Any]:
    """Everything of a read that ends."""
    return [item async for item in items]


async def until(condition: Callable[[], Any], patience: float = PATIENCE) -> None:
    """Wait for something that is about to be true."""
    deadline = asyncio.get_running_loop().time() + patience
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "it never came true"
        await asyncio.sleep(0.005)


def fresh(category: str = "thing") -> str:
    """A stream that nobody has used."""
    return f"{category}-{uuid4().hex}"


def event(type_: str = "Happened", data: bytes = b"{}", **more: Any) -> NewEvent:
    return NewEvent(type_, data, **more)


def events(count: int, type_: str = "Happened") -> list[NewEvent]:
    return [event(type_) for _ in range(count)]


def ids(recorded: Iterable[RecordedEvent | NewEvent]) -> list[Any]:
    return [one.id for one in recorded]


def numbers(recorded: Iterable[RecordedEvent]) -> list[int]:
    return [one.stream_position for one in recorded]
