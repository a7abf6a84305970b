"""The checklist, 109 to 112."""

import asyncio
import threading
from typing import Any

import pytest
from esdbclient import StreamState
from esdbclient.exceptions import GrpcError

from tests.eventstoredb.answers import Failure, access_denied
from tests.eventstoredb.clients import connected, event, events, fresh, listed, until
from tests.eventstoredb.cluster import Cluster
from tests.eventstoredb.faults import refuse

ANY, NEW = StreamState.ANY, StreamState.NO_STREAM


async def test_109_fifty_at_once_all_get_in_once(client: Any) -> None:
    before = await client.get_commit_position()
    written = [(fresh(), event()) for _ in range(50)]
    await asyncio.gather(
        *(client.append_to_stream(stream, current_version=NEW, events=[one]) for stream, one in written)
    )
    found = [one.id for one in await listed(await client.read_all(commit_position=before))]
    assert all(found.count(one.id) == 1 for _, one in written)


async def test_110_a_status_that_nobody_expects_is_an_error_all_the_same(kind: str, double: Cluster) -> None:
    double.faults.add("Append", refuse(Failure("DATA_LOSS", "it is gone")), times=None)
    async with connected(kind, double.uri()) as client:
        with pytest.raises(GrpcError, match="it is gone"):
            await client.append_to_stream(fresh(), current_version=ANY, events=events(1))


async def test_111_closing_leaves_nothing_open(kind: str, double: Cluster) -> None:
    threads = threading.active_count()
    async with connected(kind, double.uri()) as client:
        # Without a reference the asynchronous client forgets a subscription, and never ends its call.
        subscription = await client.subscribe_to_all(from_end=True)
        await client.append_to_stream(fresh(), current_version=ANY, events=events(1))
    await until(lambda: not double.calls.open())
    assert subscription is not None
    assert threading.active_count() - threads <= 2 + (kind == "sync") * 32  # those of asyncio.to_thread


async def test_112_what_is_forbidden_is_tried_twice(kind: str, double: Cluster) -> None:
    double.faults.add("Append", refuse(access_denied()), times=None)
    async with connected(kind, double.uri()) as client:
        with pytest.raises(GrpcError):
            await client.append_to_stream(fresh(), current_version=ANY, events=events(1))
    assert double.calls.count("Append") == 2
    assert {call.status for call in double.calls} == {"PERMISSION_DENIED"}
