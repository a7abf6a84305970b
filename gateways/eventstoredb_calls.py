"""Calls of EventStoreDB: every one with a deadline, repeated a bounded number of times, here and only here.

The client's own retries are gone around: they multiply (up to sixteen calls for one), and reconnecting
ends everything else that runs on the same client.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from inspect import unwrap
from random import uniform
from typing import Any, TypeAlias, TypeVar

from esdbclient import AsyncEventStoreDBClient
from esdbclient.exceptions import EventStoreDBClientException
from tenacity import AsyncRetrying, retry_if_exception_type, stop_before_delay, wait_random_exponential

from gateways.eventstoredb_address import Address
from gateways.eventstoredb_trouble import Trouble, refusal, trouble
from processmanager.ports import OutcomeUnknown, StoreUnavailable

T = TypeVar("T")
Action: TypeAlias = Callable[[AsyncEventStoreDBClient, float], Coroutine[Any, Any, T]]
"""One call on a client, with the seconds that it may take."""

ATTEMPT = 0.7
"""Seconds for one attempt, as long as there is time for another."""

LEAST = 0.25
"""Seconds without which no further attempt is begun: one that is cut off makes of what was surely not
written something that may have been."""

AT_ONCE = 80
"""Calls on one connection at a time. EventStoreDB takes a hundred, and resets what comes beyond that."""

CLOSED = "the log is closed"

IMPOSSIBLE = 2**63
"""No log grows so far. Servers before 24.10.5 sometimes send a checkpoint of 2^64-1."""

append_once = unwrap(AsyncEventStoreDBClient.append_to_stream)
read_stream_once = unwrap(AsyncEventStoreDBClient.read_stream)
read_all_once = unwrap(AsyncEventStoreDBClient.read_all)
subscribe_once = unwrap(AsyncEventStoreDBClient.subscribe_to_all)


class _TryAgain(Exception):
    """An attempt failed in a way that may pass."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.reason)
        self.trouble = trouble


class NotLeader(Exception):
    """The node that was named does not lead its cluster; ``leader`` does."""

    def __init__(self, leader: str) -> None:
        super().__init__(leader)
        self.leader = leader


class Calls:
    """The client that all commands share, and the patience that they have with the store.

    patience: seconds after which a call is given up. follows: go to the leader that a node names; if
    not, NotLeader is raised.
    """

    def __init__(self, address: Address, patience: float, *, follows: bool = True) -> None:
        self._address = address
        self._patience = patience
        self._follows = follows
        self._client: AsyncEventStoreDBClient | None = None
        self._doubted: AsyncEventStoreDBClient | None = None
        """On which a call was given up. A connection can be alive and yet of no use, for ever."""
        self._renewing = asyncio.Lock()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._retired: set[asyncio.Task[None]] = set()
        self._closed = asyncio.Event()
        self.problem: str | None = None
        """Why the last call failed; None once one has succeeded."""

    async def call(self, action: Action[T]) -> T:
        """Do it, again if that may help, until the patience ends.

        Raises StoreUnavailable if nothing can have been written, OutcomeUnknown if something may have
        been, and whatever the store answers about the stream.
        """
        deadline = asyncio.get_running_loop().time() + self._patience
        try:
            async with asyncio.timeout_at(deadline):
                await self._room.acquire()
        except TimeoutError:
            raise StoreUnavailable(f"{self._address} is busy with {AT_ONCE} other calls") from None
        try:
            return await self._once(action, deadline)
        except _TryAgain as failed:
            return await self._insist(action, deadline, failed.trouble)
        finally:
            self._room.release()

    async def _insist(self, action: Action[T], deadline: float, first: Trouble) -> T:
        last, unwritten = first, first.unwritten
        retrying = AsyncRetrying(
            stop=stop_before_delay(deadline - LEAST - asyncio.get_running_loop().time()),
            wait=wait_random_exponential(0.05, max=0.4),
            retry=retry_if_exception_type(_TryAgain),
            reraise=True,
        )
        try:
            await asyncio.sleep(uniform(0.01, 0.05))  # noqa: S311 - only spreads load
            async for attempt in retrying:
                with attempt:
                    try:
                        return await self._once(action, deadline)
                    except _TryAgain as failed:
                        last, unwritten = failed.trouble, unwritten and failed.trouble.unwritten
                        raise
        except _TryAgain:
            self.problem = f"{self._address}: {last.reason}"
            self._doubted = self._client
        raise (StoreUnavailable if unwritten else OutcomeUnknown)(self.problem)

    async def _once(self, action: Action[T], deadline: float) -> T:
        self.refuse_closed()
        left = deadline - asyncio.get_running_loop().time()
        client = self._client
        try:
            if client is None or client is self._doubted:
                client = await apart(self._renew(client, self._address), left)
            seconds = left if left < 1.5 * ATTEMPT else ATTEMPT
            result = await apart(action(client, seconds), seconds + 0.1)
        except Exception as error:
            if refused := refusal(error):
                raise refused from None
            found = trouble(error)
            if found is None:
                self.problem = None
                raise
            self.problem = f"{self._address}: {found.reason}"
            if not found.again:
                raise (StoreUnavailable if found.unwritten else OutcomeUnknown)(self.problem) from None
            await self._follow_leader(client, found, deadline)
            raise _TryAgain(found) from None
        self.refuse_closed()  # a read that was running when we closed has ended early, and looks complete
        self.problem = None
        return result

    async def _follow_leader(
        self, client: AsyncEventStoreDBClient | None, found: Trouble, deadline: float
    ) -> None:
        """Go to the node that was named, or ask the cluster again who leads it."""
        if found.leader and not self._follows and self._address.is_one_node:
            raise NotLeader(found.leader)
        if found.leader:
            address = self._address.at(found.leader)
        elif found.moved and not self._address.is_one_node:
            address = self._address
        else:
            return  # a single node: gRPC connects to it again by itself
        left = deadline - asyncio.get_running_loop().time()
        with suppress(Exception):  # the next attempt tells
            await apart(self._renew(client, address), left)

    async def _renew(self, seen: AsyncEventStoreDBClient | None, address: Address) -> AsyncEventStoreDBClient:
        """Another client in place of ``seen``, unless somebody else has been quicker."""
        async with self._renewing:
            if self._client is None or self._client is seen:
                fresh = address.client()
                await fresh.connect()
                self._retire(self._client)
                self._client = fresh
            return self._client

    def _retire(self, client: AsyncEventStoreDBClient | None) -> None:
        """Close a client once no call can be on it any more: a read on it would end early, in silence."""
        if client is None:
            return
        task = asyncio.create_task(self._close_later(client))
        self._retired.add(task)
        task.add_done_callback(self._retired.discard)

    async def _close_later(self, client: AsyncEventStoreDBClient) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience + 1):
                await self._closed.wait()
        await client.close()

    @property
    def closed(self) -> bool:
        return self._closed.is_set()

    def refuse_closed(self) -> None:
        """Raises StoreUnavailable after ``close``: the bare client would open again by itself."""
        if self.closed:
            raise StoreUnavailable(CLOSED)

    async def close(self) -> None:
        self._closed.set()
        self._retire(self._client)
        self._client = None
        if self._retired:
            await asyncio.wait(self._retired, timeout=2)


async def apart(work: Coroutine[Any, Any, T], seconds: float) -> T:
    """The result of ``work``, done in a task of its own. Raises TimeoutError.

    The client takes a cancellation in the middle of a read for the read's end, and would give half a
    stream as if it were the whole. So no time limit and no cancellation of ours may reach it directly.
    """
    task = asyncio.create_task(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=max(seconds, 0))
    except asyncio.CancelledError:
        _abandon(task)
        raise
    if not done:
        _abandon(task)
        raise TimeoutError
    return task.result()


def _abandon(task: "asyncio.Task[Any]") -> None:
    task.cancel()
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())


async def read_from_once(client: AsyncEventStoreDBClient, position: int, timeout: float) -> list[Any]:  # noqa: ASYNC109 - the client's own
    """The event at ``position`` or the next one, of anybody's; none if the log ends before it."""
    if position >= IMPOSSIBLE:
        return []
    try:
        return await whole(
            read_all_once(client, commit_position=position, limit=1, filter_exclude=(), timeout=timeout)
        )
    except EventStoreDBClientException as error:
        if "InvalidPosition" in str(error):
            return []
        raise


async def whole(reading: Awaitable[Any]) -> list[Any]:
    """Everything that a read gives."""
    events = await reading
    async with events:
        return [event async for event in events]
