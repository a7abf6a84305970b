"""Reading EventStoreDB's log to an end, which a follower does not have."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from esdbclient import RecordedEvent

from gateways.eventstoredb_follow import Following
from gateways.eventstoredb_looks import position_of
from processmanager.ports import StoreUnavailable

PATIENCE = 10.0
"""Seconds that a log that is being read may be in trouble."""


async def up_to(following: Following, until: int) -> AsyncGenerator[Sequence[RecordedEvent], None]:
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
        if isinstance(batches, AsyncGenerator):
            await batches.aclose()


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
