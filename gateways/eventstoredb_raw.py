"""EventStoreDB's log as bytes: only streams of the wanted categories, whatever else lives in the database."""

from collections.abc import AsyncIterator, Iterable, Sequence

from esdbclient import RecordedEvent
from esdbclient.exceptions import NotFound, StreamIsDeleted

from domain.deciders import DECIDERS
from gateways.eventstoredb_address import Address
from gateways.eventstoredb_bulk import OrderedAppends
from gateways.eventstoredb_calls import Calls
from gateways.eventstoredb_follow import SILENCE, Following
from gateways.eventstoredb_gone import notes
from gateways.eventstoredb_looks import (
    PAGE,
    first_look,
    last_event,
    page_of,
    position_of,
    streams_of,
    with_metadata,
)
from gateways.eventstoredb_pages import up_to
from gateways.raw_log import CannotHold, RawEvent

PATIENCE = 10.0
"""Seconds that a call may be in trouble."""

START = 6.0
"""Seconds for which the start tries to reach the store."""

LARGEST = 1_000_000
"""Bytes of the largest event: EventStoreDB takes 1 MiB at once, names and types among them."""

OURS = frozenset(decider.category for decider in DECIDERS)


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
        return raw_event(found) if found else None

    async def _last(self, calls: Calls) -> RecordedEvent | None:
        return await last_event(calls, self._streams)

    async def at(self, stream: str, revision: int) -> RawEvent | None:
        try:
            found = await page_of(self._calls, stream, revision, 1)
        except (NotFound, StreamIsDeleted):
            return None
        return raw_event(found[0]) if found and found[0].stream_position == revision else None

    async def pages(self, after: int, until: int) -> AsyncIterator[Sequence[RawEvent]]:
        streams = with_metadata(self._streams)
        noted = position_of(await last_event(self._calls, streams))
        following = Following(self._address, streams, after, self._newest, SILENCE)
        async for batch in up_to(following, max(until, noted)):
            events = [event for event in batch if not notes(self.hidden, event)]
            if page := [raw_event(event) for event in events if position_of(event) <= until]:
                yield page

    async def _newest(self) -> int:
        return position_of(await self._last(self._calls))

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


async def raw_stream(calls: Calls, stream: str) -> Sequence[RawEvent]:
    """All that EventStoreDB shows of a stream, as it is stored. Raises StoreUnavailable."""
    events: list[RawEvent] = []
    try:
        while page := await page_of(calls, stream, events[-1].revision + 1 if events else 0, PAGE):
            events += map(raw_event, page)
            if len(page) < PAGE:
                break
    except (NotFound, StreamIsDeleted):
        return ()
    return events


def raw_event(event: RecordedEvent) -> RawEvent:
    """The event as it is stored."""
    return RawEvent(
        event.stream_name,
        event.stream_position,
        position_of(event),
        event.id,
        event.type,
        event.data,
        event.metadata,
    )
