"""EventStoreDB's log as bytes: only streams of the wanted categories, whatever else lives in the database."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence

from esdbclient import RecordedEvent
from esdbclient.exceptions import NotFound, StreamIsDeleted

from domain.deciders import DECIDERS
from gateways.eventstoredb_address import Address
from gateways.eventstoredb_bulk import OrderedAppends
from gateways.eventstoredb_calls import Calls
from gateways.eventstoredb_follow import SILENCE, Following
from gateways.eventstoredb_looks import first_look, last_event, page_of, position_of, streams_of
from gateways.raw_log import CannotHold, RawEvent
from processmanager.ports import StoreUnavailable

PATIENCE = 10.0
"""Seconds that a call, or a log that is being read, may be in trouble."""

START = 6.0
"""Seconds for which the start tries to reach the store."""

LARGEST = 1_000_000
"""Bytes of the largest event: EventStoreDB takes 1 MiB at once, names and types among them."""

OURS = frozenset(decider.category for decider in DECIDERS)

_LAST_REVISION = 2**63 - 1


class EventStoreDBRawLog:
    """The log of some categories of streams; the rest of the database is not seen."""

    @classmethod
    async def open(cls, uri: str, categories: Iterable[str] = OURS) -> "EventStoreDBRawLog":
        """Connect. Raises BadAddress, NotAuthorised, StoreUnavailable."""
        log = cls(Address(uri), frozenset(categories))
        await first_look(log._address, START, log._last)
        return log

    def __init__(self, address: Address, categories: frozenset[str]) -> None:
        """``open`` is the way in: this looks at nothing."""
        self._address = address
        self._categories = categories
        self._streams = streams_of(categories)
        self._calls = Calls(address, PATIENCE)
        self._appends = OrderedAppends(address)
        self.hidden: dict[str, str] = {}

    def __str__(self) -> str:
        return str(self._address)

    async def categories(self) -> frozenset[str]:
        return self._categories

    async def last(self) -> RawEvent | None:
        found = await self._last(self._calls)
        return _raw(found) if found else None

    async def _last(self, calls: Calls) -> RecordedEvent | None:
        return await last_event(calls, self._streams)

    async def at(self, stream: str, revision: int) -> RawEvent | None:
        try:
            found = await page_of(self._calls, stream, revision, 1)
        except (NotFound, StreamIsDeleted):
            return None
        return _raw(found[0]) if found and found[0].stream_position == revision else None

    async def pages(self, after: int, until: int) -> AsyncIterator[Sequence[RawEvent]]:
        # Streams' metadata too: it says which of them EventStoreDB no longer shows.
        streams = rf"((\$\$)?{self._streams})"
        following = Following(self._address, streams, after, self._newest, SILENCE)
        async for batch in up_to(following, until):
            page = [_raw(event) for event in batch if position_of(event) <= until and not self._hides(event)]
            if page:
                yield page

    async def _newest(self) -> int:
        return position_of(await self._last(self._calls))

    def _hides(self, event: RecordedEvent) -> bool:
        """Whether this is no event but what EventStoreDB notes of a stream."""
        if event.stream_name.startswith("$$"):
            self.hidden[event.stream_name[2:]] = f"its metadata is {event.data.decode(errors='replace')}"
        elif event.stream_position == _LAST_REVISION:
            self.hidden[event.stream_name] = "it was ended for good"
        else:
            return False
        return True

    def check(self, event: RawEvent) -> None:
        if event.stream.startswith("$"):
            raise CannotHold(f"EventStoreDB keeps stream names that begin with $ for itself: {event}")
        if not event.type:
            raise CannotHold(f"EventStoreDB takes no event without a type: {event}")
        size = len(event.data) + len(event.metadata) + 2 * len(event.type)
        if size > LARGEST:
            raise CannotHold(f"EventStoreDB does not take so much at once: {event} has {size:,} bytes")

    async def append(self, events: Sequence[RawEvent]) -> None:
        await self._appends.append(events)

    async def settle(self) -> None:
        await self._appends.settle()

    async def close(self) -> None:
        await self._appends.close()
        await self._calls.close()


async def up_to(following: Following, until: int) -> AsyncIterator[Sequence[RecordedEvent]]:
    """What a follower gives, until it has reached the position ``until``.

    Raises StoreUnavailable when the log cannot be followed for PATIENCE seconds: who reads to an end wants
    one, and does not wait for a store as a follower does.
    """
    batches = aiter(following.batches())
    reached = 0
    try:
        while reached < until:
            batch = await _next(batches, following)
            reached = position_of(batch[-1])
            yield batch
    finally:
        following.close()


async def _next(
    batches: AsyncIterator[Sequence[RecordedEvent]], following: Following
) -> Sequence[RecordedEvent]:
    task = asyncio.ensure_future(anext(batches))
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=PATIENCE)
            if not task.done() and following.problem:
                raise StoreUnavailable(following.problem)
        return task.result()
    finally:
        if not task.done():
            following.close()
            task.cancel()
            await asyncio.wait({task})


def _raw(event: RecordedEvent) -> RawEvent:
    return RawEvent(
        event.stream_name,
        event.stream_position,
        position_of(event),
        event.id,
        event.type,
        event.data,
        event.metadata,
    )
