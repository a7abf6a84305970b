"""Following EventStoreDB's log: a subscription that is taken up again wherever it ended, however it ended."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from esdbclient import AsyncEventStoreDBClient, RecordedEvent

from gateways.damage import StoreDamaged
from gateways.eventstoredb_address import Address
from gateways.eventstoredb_calls import IMPOSSIBLE, apart, read_from_once, subscribe_once
from gateways.eventstoredb_inbox import Ended, Inbox
from gateways.eventstoredb_resuming import Resuming

CONNECT = 5.0
"""Seconds for connecting, checking the position and subscribing."""

SILENCE = 15.0
"""Seconds without a message after which we look whether there should have been one."""


class Following(Resuming):
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
        super().__init__(address, str(address))
        self._streams = streams
        self._delivered = after
        """The position of the last event that was handed on."""
        self._considered = after
        """Up to where there is nothing more for us; a place to take up from."""
        self._newest = newest
        self._silence = silence

    def batches(self) -> AsyncIterator[Sequence[RecordedEvent]]:
        """Until closed. Raises StoreDamaged when the log has lost what was handed on already."""
        return self._resumed(self._subscribed)

    async def _subscribed(self, address: Address) -> AsyncIterator[Sequence[RecordedEvent]]:
        """The batches of one subscription, until it ends or falls silent. Has a client of its own."""
        client = address.client()
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
