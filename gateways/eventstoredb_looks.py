"""Looking into EventStoreDB's log: the first look, the last event, a page of a stream."""

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from esdbclient import RecordedEvent

from gateways.eventstoredb_address import Address, BadAddress
from gateways.eventstoredb_calls import (
    Action,
    Calls,
    NotLeader,
    read_all_once,
    read_stream_once,
    whole,
)
from gateways.eventstoredb_trouble import NotAuthorised
from processmanager.ports import OutcomeUnknown, StoreUnavailable

T = TypeVar("T")


def streams_of(categories: Iterable[str]) -> str:
    """A regular expression for the names of all streams of some categories.

    One group: the client puts ^ and $ around the whole.
    """
    return f"({'|'.join(re.escape(each) for each in sorted(categories))})-[\\s\\S]*"


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


async def last_events(calls: Calls, streams: str, count: int) -> list[RecordedEvent]:
    """The last events of some streams, the last one first."""
    return await reading(
        calls,
        lambda client, timeout: whole(
            read_all_once(
                client,
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


def position_of(event: RecordedEvent | None) -> int:
    """Where an event stands in the log; 0 for none."""
    return int(event.commit_position or 0) if event else 0
