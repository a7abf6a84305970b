"""Following EventStoreDB's log: a subscription that is taken up again wherever it ended, however it ended."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from logging import getLogger
from random import uniform
from typing import Any

from esdbclient import AsyncEventStoreDBClient, RecordedEvent

from gateways.embedded_file import StoreDamaged
from gateways.eventstoredb_address import Address
from gateways.eventstoredb_calls import IMPOSSIBLE, apart, read_from_once, subscribe_once
from gateways.eventstoredb_inbox import Ended, Inbox
from gateways.eventstoredb_trouble import trouble

log = getLogger("admitone.eventstoredb")

CONNECT = 5.0
"""Seconds for connecting, checking the position and subscribing."""

SILENCE = 15.0
"""Seconds without a message after which we look whether there should have been one."""

BACKOFF = (0.1, 5.0)
"""Seconds to wait before the first and before any later attempt to subscribe again."""


class Following:
    """One follower of the events in some streams, from a position on. ``after`` 0: from the log's start.

    streams: a regular expression for the whole name. newest: looks up the position of the last event.
    """

    def __init__(
        self,
        address: Address,
        streams: str,
        after: int,
        newest: Callable[[], Awaitable[int]],
        silence: float = SILENCE,
    ) -> None:
        self._address = address
        self._streams = streams
        self._delivered = after
        """The position of the last event that was handed on."""
        self._considered = after
        """Up to where there is nothing more for us; a place to take up from."""
        self._newest = newest
        self._silence = silence
        self._closed = asyncio.Event()
        self.problem: str | None = "the log is not followed yet"
        """Why the log is not being followed now; None if it is."""

    def close(self) -> None:
        """End it, wherever it is waiting."""
        self._closed.set()

    async def batches(self) -> AsyncIterator[Sequence[RecordedEvent]]:
        """Until closed. Raises StoreDamaged when the log has lost what was handed on already."""
        wait = BACKOFF[0]
        while not self._closed.is_set():
            try:
                async for batch in self._subscribed():
                    wait = BACKOFF[0]
                    yield batch
            except StoreDamaged as error:
                self.problem = str(error)
                raise
            except Exception as error:
                found = trouble(error)
                reason = found.reason if found else f"{type(error).__name__}: {error}"
                await self._rest(reason, wait)
                wait = min(2 * wait, BACKOFF[1])

    async def _rest(self, reason: str, seconds: float) -> None:
        if self._closed.is_set():
            return
        self.problem = f"{self._address} is not followed: {reason}"
        log.warning("%s; trying again in %.1f s", self.problem, seconds)
        with suppress(TimeoutError):
            async with asyncio.timeout(uniform(0.5 * seconds, seconds)):  # noqa: S311 - only spreads load
                await self._closed.wait()

    async def _subscribed(self) -> AsyncIterator[Sequence[RecordedEvent]]:
        """The batches of one subscription, until it ends or falls silent. Has a client of its own."""
        client = self._address.client()
        inbox = Inbox(self._closed, self._delivered)
        try:
            subscription = await apart(self._subscribe(client), CONNECT)
            self.problem = None
            inbox.fill(subscription)
            while True:
                try:
                    batch = await inbox.take(self._silence)
                except TimeoutError:
                    if await self._newest() > self._considered:
                        raise
                    continue
                if batch:
                    self._delivered = batch[-1].commit_position or self._delivered
                    yield batch
                self._consider(inbox.considered)
        except Ended:
            return
        finally:
            await inbox.close()
            with suppress(Exception):
                await apart(client.close(), 1)

    async def _subscribe(self, client: AsyncEventStoreDBClient) -> Any:
        await client.connect()
        if self._delivered:
            await self._check(client)
        return await subscribe_once(
            client,
            commit_position=self._considered or None,
            filter_include=[self._streams],
            filter_by_stream_name=True,
            include_checkpoints=True,
            include_caught_up=True,
            timeout=None,
        )

    async def _check(self, client: AsyncEventStoreDBClient) -> None:
        """A server that has lost its end accepts a position behind it, and would never deliver anything."""
        position = self._delivered
        if not await read_from_once(client, position, CONNECT):
            raise StoreDamaged(
                f"{self._address}: the log ends before position {position}, which was read already"
            )

    def _consider(self, checkpoint: int) -> None:
        if checkpoint < IMPOSSIBLE:
            self._considered = max(self._considered, checkpoint, self._delivered)
