"""Looking into EventStoreDB's log: the first look, the last event, a page of a stream."""

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from esdbclient import RecordedEvent

from domain.decider import AnyRecorded, Recorded
from gateways.codec import Codec
from gateways.eventstoredb_address import Address, BadAddress
from gateways.eventstoredb_calls import (
    Action,
    Calls,
    NotLeader,
    read_all_once,
    read_from_once,
    read_stream_once,
    whole,
)
from gateways.eventstoredb_trouble import NotAuthorised
from processmanager.ports import OutcomeUnknown, StoreUnavailable

T = TypeVar("T")

PAGE = 500
"""Events that are read at once."""


def streams_of(categories: Iterable[str]) -> str:
    """A regular expression for the names of all streams of some categories.

    One group: the client puts ^ and $ around the whole.
    """
    return f"({'|'.join(re.escape(each) for each in sorted(categories))})-[\\s\\S]*"


def with_metadata(streams: str) -> str:
    """The same streams and those of their metadata, which say what EventStoreDB no longer shows of them."""
    return rf"((\$\$)?{streams})"


async def first_look(address: Address, seconds: float, look: Callable[[Calls], Awaitable[T]]) -> T:
    """What a first look finds. Raises BadAddress, NotAuthorised, StoreUnavailable, each with what to do."""
    first = Calls(address, seconds, follows=False)
    try:
        return await look(first)
    except NotLeader as error:
        raise BadAddress(
            f"{address}: this node does not lead its cluster. "
            f"Use esdb://{error.leader} or, better, the addresses of all nodes"
        ) from None
    except NotAuthorised as error:
        raise NotAuthorised(f"{address}: {error}") from None
    except StoreUnavailable as error:
        raise StoreUnavailable(f"{error} ({address.hint})") from None
    finally:
        await first.close()


async def last_event(calls: Calls, streams: str) -> RecordedEvent | None:
    """The last event of some streams. Only the leader answers, as in all reads of ours."""
    found = await last_events(calls, streams, 1)
    return found[0] if found else None


async def last_events(
    calls: Calls, streams: str, count: int, before: int | None = None
) -> list[RecordedEvent]:
    """The last events of some streams, the last one first; those before a position if there is one."""
    return await reading(
        calls,
        lambda client, timeout: whole(
            read_all_once(
                client,
                commit_position=before,
                backwards=True,
                filter_include=[streams],
                filter_by_stream_name=True,
                limit=count,
                timeout=timeout,
            )
        ),
    )


async def page_of(calls: Calls, stream: str, first: int, limit: int) -> list[RecordedEvent]:
    """At most ``limit`` events of a stream from revision ``first`` on. Raises as the client for no stream."""
    return await reading(
        calls,
        lambda client, timeout: whole(
            read_stream_once(client, stream, stream_position=first, limit=limit, timeout=timeout)
        ),
    )


async def reading(calls: Calls, action: Action[list[RecordedEvent]]) -> list[RecordedEvent]:
    """A call that writes nothing, so its outcome is never in doubt. Raises StoreUnavailable."""
    try:
        return list(await calls.call(action))
    except OutcomeUnknown as error:
        raise StoreUnavailable(str(error)) from None


async def behind_last(calls: Calls, streams: str, count: int) -> int:
    """The position behind which the last ``count`` events of some streams stand; 0 if there are not more."""
    position: int | None = None
    while count >= 0:
        page = await last_events(calls, streams, min(count + 1, PAGE), position)
        if len(page) < min(count + 1, PAGE):
            return 0
        count -= len(page)
        position = position_of(page[-1])
    return position or 0


async def stands_at(calls: Calls, position: int) -> bool:
    """Whether a record, of anybody's, begins at ``position``."""
    found = await reading(calls, lambda client, timeout: read_from_once(client, position, timeout))
    return bool(found) and position_of(found[0]) == position


def position_of(event: RecordedEvent | None) -> int:
    """Where an event stands in the log; 0 for none."""
    return int(event.commit_position or 0) if event else 0


def as_recorded(event: RecordedEvent, codec: Codec) -> AnyRecorded:
    """The event as this version understands it."""
    decoded, metadata = codec.decode(event.type, event.data, event.metadata)
    position = event.commit_position
    assert position is not None  # servers before 22.10 gave none
    return Recorded(event.stream_name, event.stream_position, position, event.id, decoded, metadata)
