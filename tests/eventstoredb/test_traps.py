"""The client's known traps, T1 to T16 and one more, seen with the bare clients: what the adapter must avoid.

Those that are told elsewhere in this directory: T2 (79), T7 and T8 (29, 38), T10 (idempotency),
T13 (61), T15 (75). T9 and T11 do not concern us; they are here so that they are not forgotten.
"""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from esdbclient import AsyncEventStoreDBClient, NewEvent, StreamState
from esdbclient.exceptions import (
    AbortedByServer,
    ExceptionIteratingRequests,
    GrpcDeadlineExceeded,
    GrpcError,
    NodeIsNotLeader,
    ServiceUnavailable,
    SubscriptionConfirmationError,
    UnknownError,
    WrongCurrentVersion,
)

from tests.eventstoredb.answers import (
    Failure,
    aborted,
    access_denied,
    not_leader,
    thrown_by_handler,
    unavailable,
)
from tests.eventstoredb.clients import connected, event, events, fresh, ids, numbers, take
from tests.eventstoredb.cluster import Cluster
from tests.eventstoredb.faults import delay_answer, hold, lose, refuse, swallow
from tests.eventstoredb.wire import Wire

ANY, NEW = StreamState.ANY, StreamState.NO_STREAM


async def test_t1_a_generator_is_empty_when_it_is_repeated(kind: str, double: Cluster) -> None:
    stream, batch = fresh(), events(2)
    double.faults.add("Append", refuse(aborted()))
    async with connected(kind, double.uri()) as client:
        await client.append_to_stream(stream, current_version=NEW, events=(one for one in batch))
    assert [call.events for call in double.calls.of("Append")] == [2, 0]
    assert stream not in double.log.streams


async def test_42_a_list_is_repeated_whole(kind: str, double: Cluster) -> None:
    stream, batch = fresh(), events(2)
    double.faults.add("Append", refuse(aborted()))
    async with connected(kind, double.uri()) as client:
        await client.append_to_stream(stream, current_version=NEW, events=batch)
        assert ids(await client.get_stream(stream)) == ids(batch)
    assert [call.events for call in double.calls.of("Append")] == [2, 2]


async def test_t3_a_cancelled_subscription_swallows_the_cancellation(double: Cluster) -> None:
    async with connected("async", double.uri()) as client:
        subscription = await client.subscribe_to_all(from_end=True)
        reading = asyncio.create_task(_all_of(subscription))
        await asyncio.sleep(0)
        reading.cancel()
        assert await reading == []
        assert not reading.cancelled()


async def test_t3_stopping_from_another_task_ends_it_well(double: Cluster) -> None:
    async with connected("async", double.uri()) as client:
        subscription = await client.subscribe_to_all(from_end=True)
        reading = asyncio.create_task(_all_of(subscription))
        await asyncio.sleep(0)
        await subscription.stop()
        assert await reading == []


async def test_t3_a_cancelled_group_reader_says_something_else(double: Cluster) -> None:
    async with connected("async", double.uri()) as client:
        stream = fresh()
        await client.create_subscription_to_stream("g", stream)
        reader = await client.read_subscription_to_stream("g", stream)
        reading = asyncio.create_task(_all_of(reader))
        await asyncio.sleep(0.01)
        reading.cancel()
        with pytest.raises(ExceptionIteratingRequests):
            await reading


async def _all_of(items: Any) -> list[Any]:
    return [item async for item in items]


@pytest.mark.parametrize(
    ("failure", "error", "calls"),
    [
        (unavailable(), ServiceUnavailable, 4),
        (aborted(), AbortedByServer, 2),
        (thrown_by_handler(), GrpcError, 2),
        (access_denied(), GrpcError, 2),
        (Failure("RESOURCE_EXHAUSTED", "too much"), GrpcError, 2),
        (Failure("UNKNOWN", "nobody knows"), UnknownError, 1),
        (not_leader(Cluster().nodes[0].endpoint), NodeIsNotLeader, 1),
    ],
    ids=["unavailable", "aborted", "thrown", "denied", "exhausted", "unknown", "not_leader"],
)
async def test_t6_one_append_costs_up_to_four_calls(
    kind: str, double: Cluster, failure: Failure, error: type[Exception], calls: int
) -> None:
    double.faults.add("Append", refuse(failure), times=None)
    async with connected(kind, double.uri()) as client:
        with pytest.raises(error):
            await client.append_to_stream(fresh(), current_version=ANY, events=events(1))
    assert double.calls.count("Append") == calls


async def test_t4_append_events_is_retried_twice_over(double: Cluster) -> None:
    double.faults.add("Append", refuse(unavailable()), times=None)
    async with connected("sync", double.uri()) as client:
        with pytest.raises(ServiceUnavailable):
            await client.append_events(fresh(), current_version=ANY, events=events(1))
    assert double.calls.count("Append") == 16


async def test_t5_a_closed_client_opens_again(double: Cluster) -> None:
    client = AsyncEventStoreDBClient(double.uri())
    await client.connect()
    await client.close()
    with pytest.raises(AttributeError):  # the asynchronous one has lost its connection instead
        await client.append_to_stream(fresh(), current_version=ANY, events=events(1))
    async with connected("sync", double.uri()) as other:
        await other.close()
        await other.append_to_stream(fresh(), current_version=ANY, events=events(1))
        assert other.is_closed


async def test_t7_a_lost_answer_is_found_by_repeating(kind: str, double: Cluster) -> None:
    stream, (first, second, foreign) = fresh(), events(3)
    async with connected(kind, double.uri()) as client:
        await client.append_to_stream(stream, current_version=NEW, events=[first])
        double.faults.add("Append", lose(Failure("DEADLINE_EXCEEDED")), times=2)
        with pytest.raises(GrpcDeadlineExceeded):
            await client.append_to_stream(stream, current_version=0, events=[second])
        await client.append_to_stream(stream, current_version=0, events=[second])
        assert ids(await client.get_stream(stream)) == ids([first, second])
        with pytest.raises(WrongCurrentVersion):
            await client.append_to_stream(stream, current_version=0, events=[foreign])


async def test_43_an_answer_that_never_comes_runs_into_the_deadline(kind: str, double: Cluster) -> None:
    stream, one = fresh(), event()
    for action in (swallow(), delay_answer(5), hold()):
        double.faults.add("Append", action, times=2)
        async with connected(kind, double.uri()) as client:
            with pytest.raises(GrpcDeadlineExceeded):
                await client.append_to_stream(stream, current_version=NEW, events=[one], timeout=0.2)
    assert [record.id for record in double.log.streams[stream]] == [one.id]


async def test_t9_a_link_bears_its_target_s_time(kind: str, double: Cluster) -> None:
    async with connected(kind, double.uri()) as client:
        stream = fresh("cat")
        await client.append_to_stream(stream, current_version=NEW, events=events(1))
        (read,) = await client.get_stream("$ce-cat", resolve_links=True)
        assert read.link.recorded_at == read.recorded_at


async def test_t11_a_stream_that_shows_nothing_has_no_version(kind: str, double: Cluster) -> None:
    async with connected(kind, double.uri()) as client:
        stream = fresh()
        await client.append_to_stream(stream, current_version=NEW, events=events(2))
        await client.set_stream_metadata(stream, metadata={"$tb": 10})
        assert numbers(await client.get_stream(stream)) == []
        with pytest.raises(IndexError):
            await client.get_current_version(stream)


async def test_t12_names_with_two_colons_break_groups(kind: str, double: Cluster) -> None:
    async with connected(kind, double.uri()) as client:
        await client.create_subscription_to_stream("g", "a::b")
        with pytest.raises(SubscriptionConfirmationError):
            await client.read_subscription_to_stream("g", "a::b")


async def test_t14_a_group_pinned_by_correlation_cannot_be_updated(kind: str, double: Cluster) -> None:
    async with connected(kind, double.uri()) as client:
        stream = fresh()
        await client.create_subscription_to_stream("g", stream, consumer_strategy="PinnedByCorrelation")
        with pytest.raises(KeyError):
            await client.update_subscription_to_stream("g", stream, max_retry_count=1)


async def test_t16_a_group_skips_an_event_whose_id_is_outstanding(kind: str, double: Cluster) -> None:
    async with connected(kind, double.uri()) as client:
        stream, again, other = fresh(), NewEvent("T", b"", id=uuid4()), event()
        await client.append_to_stream(stream, current_version=NEW, events=[again, again, other])
        await client.create_subscription_to_stream("g", stream)
        reader = await client.read_subscription_to_stream("g", stream)
        assert numbers(await take(reader, 2)) == [0, 2]
        await reader.stop()


async def test_t17_clients_of_one_target_share_a_connection(double: Cluster) -> None:
    async with Wire(double.nodes[0].endpoint) as wire:
        uri = f"esdb://{wire.address}?Tls=false"
        async with connected("async", uri) as one, connected("async", uri) as two:
            for client in (one, two):
                await client.append_to_stream(fresh(), current_version=ANY, events=events(1))
            assert wire.connections == 1
            apart = AsyncEventStoreDBClient(uri)
            apart.grpc_options += (("grpc.use_local_subchannel_pool", 1),)
            await apart.connect()
            await apart.append_to_stream(fresh(), current_version=ANY, events=events(1))
            assert wire.connections == 2
            await apart.close()
