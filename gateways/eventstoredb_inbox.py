"""Between a subscription, which gives one event at a time, and a follower, who wants batches."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from esdbclient import RecordedEvent

BATCH = 500
"""The most events in a batch."""

LINGER = 0.1
"""Seconds to wait for a batch to fill while there is still much to catch up with."""


class Ended(Exception):
    """The follower was closed."""


class Inbox:
    """Takes in the events of one subscription. Holds at most two batches; the server waits with the rest.

    after: the position up to which all is known. What is told again is not taken in again. None: what comes
    is in no order and may come again, and there is nothing to catch up with.
    """

    def __init__(self, closed: asyncio.Event, after: int | None = 0) -> None:
        self._closed = closed
        self._after = after
        self._events: list[RecordedEvent] = []
        self._subscription: Any = None
        self._tasks: list[asyncio.Task[None]] = []
        self._live = after is None
        self._over = False
        self._error: Exception | None = None
        self._news = asyncio.Event()
        self._enough = asyncio.Event()
        self._room = asyncio.Event()
        self.considered = 0
        """Up to where the server has looked, as it last said."""

    def fill(self, subscription: Any) -> None:
        """Begin to take in what the subscription gives."""
        self._subscription = subscription
        self._tasks = [asyncio.create_task(self._fill()), asyncio.create_task(self._watch())]

    async def take(self, silence: float) -> Sequence[RecordedEvent]:
        """The next events, at most a batch; none when only the place moved on.

        Raises Ended when the follower was closed, TimeoutError after ``silence`` seconds without a
        message, and the error with which the subscription ended, StopAsyncIteration's stand-in too.
        """
        async with asyncio.timeout(silence):
            await self._news.wait()
        if not self._live and not self._over:
            with suppress(TimeoutError):
                async with asyncio.timeout(LINGER):
                    await self._enough.wait()
        if self._closed.is_set():
            raise Ended
        batch, self._events = self._events[:BATCH], self._events[BATCH:]
        if self._over and not batch:
            raise self._error or ConnectionError("the subscription ended without a reason")
        if not self._events and not self._over:
            self._news.clear()
        if len(self._events) < BATCH:
            self._enough.clear()
        self._room.set()
        return batch

    async def close(self) -> None:
        """End the call. A timeout or a cancellation would not: the client takes them for something else."""
        if self._subscription is not None:
            await self._subscription.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _fill(self) -> None:
        try:
            async for item in self._subscription:
                if item.is_caught_up:
                    self._live = True
                    self._enough.set()
                elif item.is_checkpoint:
                    self.considered = item.commit_position
                elif self._after is None or item.commit_position > self._after:
                    if self._after is not None:
                        self._after = item.commit_position
                    self._events.append(item)
                    if len(self._events) >= BATCH:
                        await self._make_room()
                self._news.set()
        except Exception as error:
            self._error = error
        finally:
            self._end()

    async def _make_room(self) -> None:
        self._enough.set()
        self._news.set()
        while len(self._events) >= 2 * BATCH:
            self._room.clear()
            await self._room.wait()

    async def _watch(self) -> None:
        await self._closed.wait()
        self._end()

    def _end(self) -> None:
        self._over = True
        self._news.set()
        self._enough.set()
