"""A consumer group of EventStoreDB: the log's facts given out among the processes that take part.

The store remembers what was answered, gives out again what was not, and sets aside what was given out too
often. It pins what belongs together (one request's facts, by ``$correlationId``) to one process. Whoever
dies loses what he was given, at once, to the others.

What the store cannot do is wait: a fact that is handed back comes again at once. So a failing one is kept
by us for a while before it is handed back, and the time that it may be kept is longer than the longest wait.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import timedelta
from inspect import unwrap
from logging import getLogger
from typing import Any, Literal

from esdbclient import AsyncEventStoreDBClient, RecordedEvent
from esdbclient.exceptions import AlreadyExists, NotFound, ProgrammingError

from domain.decider import AnyRecorded
from gateways.eventstoredb_address import Address
from gateways.eventstoredb_calls import apart
from gateways.eventstoredb_follow import CONNECT, SILENCE
from gateways.eventstoredb_inbox import Ended, Inbox
from gateways.eventstoredb_resuming import Resuming
from processmanager.ports import Signal

log = getLogger("admitone.eventstoredb")

GROUP = "admitone"
"""The name of the group. All processes of a shop are in it."""
STRATEGY = "PinnedByCorrelation"
ROOM = 1_000
"""Facts that one process is given before it has answered any."""
MARGIN = 40.0
"""Seconds that a fact may be kept beyond the longest wait: the settling before it and the pumping after."""
LONGEST_KEPT = 3_600.0
"""Seconds; a process that is stuck but connected holds up what it was given for so long at most."""
FLUSH = 1.0
"""Seconds that the last answers are given to leave when the subscription is ended."""

Word = Literal["ack", "retry", "park"]

read_group_once = unwrap(AsyncEventStoreDBClient.read_subscription_to_all)
create_group_once = unwrap(AsyncEventStoreDBClient.create_subscription_to_all)
group_info_once = unwrap(AsyncEventStoreDBClient.get_subscription_info)


class _Line:
    """The connection over which facts were given and are answered."""

    def __init__(self, subscription: Any) -> None:
        self._subscription = subscription
        self.over = False

    async def say(self, word: Word, event: RecordedEvent) -> None:
        """Answer, unless it is too late for that: then the store gives the fact out again."""
        if self.over:
            return
        with suppress(ProgrammingError):  # it has just ended
            if word == "ack":
                await self._subscription.ack(event)
            else:
                await self._subscription.nack(event, word)

    async def end(self) -> None:
        """Send what was answered, and hang up."""
        self.over = True
        with suppress(Exception):  # a line that is dead already cannot be ended better
            await apart(self._subscription.stop(), FLUSH)


class GivenFact:
    """A fact that this process was given. Satisfies ``processmanager.ports.Signal``."""

    def __init__(self, fact: AnyRecorded, event: RecordedEvent, line: _Line) -> None:
        self.fact = fact
        self.tries = event.retry_count or 0
        self.was_parked = event.link is not None
        self._event = event
        self._line = line

    @property
    def over(self) -> bool:
        return self._line.over

    async def done(self) -> None:
        await self._line.say("ack", self._event)

    async def again(self) -> None:
        await self._line.say("retry", self._event)

    async def park(self) -> None:
        await self._line.say("park", self._event)


class ConsumerGroup(Resuming):
    """This process's part in the group, which is made if it is missing. Satisfies ``ports.Signals``.

    streams: a regular expression for the whole name. delays: how long a failing purchase is left alone
    before each further try. decode: from the client's event to ours. silence: seconds without a fact after
    which we look whether all is well.
    """

    def __init__(
        self,
        address: Address,
        streams: str,
        delays: tuple[timedelta, ...],
        decode: Callable[[RecordedEvent], AnyRecorded],
        silence: float = SILENCE,
    ) -> None:
        super().__init__(address, f"the consumer group {GROUP} at {address}")
        self._streams = streams
        self._decode = decode
        self._silence = silence
        self._limit = len(delays)
        longest = max((delay.total_seconds() for delay in delays), default=0.0)
        self._keep = min(longest + MARGIN, LONGEST_KEPT)
        self.limit, self.keep = self._limit, self._keep

    def signals(self) -> AsyncIterator[Signal]:
        """What is given to this process, until closed."""
        return self._resumed(self._subscribed)

    async def _subscribed(self, address: Address) -> AsyncIterator[Signal]:
        client = address.client()
        inbox = Inbox(self._closed, after=None)
        line: _Line | None = None
        try:
            subscription = await apart(self._join(client), CONNECT)
            line = _Line(subscription)
            inbox.fill(subscription)
            self._heed(await self._info(client))
            self.problem = None
            while True:
                try:
                    events = await inbox.take(self._silence)
                except TimeoutError:
                    await self._see_that_all_is_well(client)
                    continue
                for event in events:
                    yield GivenFact(self._decode(event), event, line)
        except Ended:
            return
        finally:
            if line is not None:
                await line.end()
            await inbox.close()
            with suppress(Exception):
                await apart(client.close(), 1)

    async def _join(self, client: AsyncEventStoreDBClient) -> Any:
        await client.connect()
        try:
            return await self._read(client)
        except NotFound:
            await self._make(client)
            return await self._read(client)

    async def _read(self, client: AsyncEventStoreDBClient) -> Any:
        return await read_group_once(client, GROUP, event_buffer_size=ROOM, timeout=None)

    async def _make(self, client: AsyncEventStoreDBClient) -> None:
        """Begin at the end of the log: what was left lying before is found by the watchdog."""
        with suppress(AlreadyExists):  # another process was quicker
            await create_group_once(
                client,
                GROUP,
                from_end=True,
                filter_include=[self._streams],
                filter_by_stream_name=True,
                consumer_strategy=STRATEGY,
                message_timeout=self._keep,
                max_retry_count=self._limit,
                max_subscriber_count=0,
                live_buffer_size=2 * ROOM,
                history_buffer_size=2 * ROOM,
                read_batch_size=ROOM // 2,
                timeout=CONNECT,
            )
            log.info("%s was missing and has been made", self._what)

    async def _info(self, client: AsyncEventStoreDBClient) -> Any:
        return await apart(group_info_once(client, GROUP, timeout=CONNECT), CONNECT)

    def _heed(self, info: Any) -> None:
        """Keep to the terms on which the group was made, which cannot be changed, and say if they differ."""
        wanted = {
            "max_retry_count": self._limit,
            "message_timeout": self._keep,
            "consumer_strategy": STRATEGY,
        }
        for name, value in wanted.items():
            if (found := getattr(info, name)) != value:
                log.warning(
                    "%s was made with %s %s and not %s: it is kept to. To change it, delete the group "
                    "while no process runs; what was set aside in it is then found in the log only",
                    *(self._what, name, found, value),
                )
        self.limit, self.keep = info.max_retry_count, info.message_timeout

    async def _see_that_all_is_well(self, client: AsyncEventStoreDBClient) -> None:
        """Raises when the group or the connection is gone, or when facts wait and nobody is given any."""
        info = await self._info(client)
        waiting = info.read_buffer_count + info.live_buffer_count + info.retry_buffer_count
        if waiting and not info.total_in_flight_messages:
            raise ConnectionError(f"{waiting} facts wait and are given to nobody")
