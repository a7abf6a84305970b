"""The checklist, 105 to 108: a leader that is somewhere else, or nowhere, as the bare clients see it."""

from typing import Any

import pytest
from esdbclient import StreamState
from esdbclient.exceptions import (
    AccessDeniedError,
    AppendDeadlineExceeded,
    EventStoreDBClientException,
    NodeIsNotLeader,
    ServiceUnavailable,
)
from esdbclient.protos.Grpc import shared_pb2

from tests.eventstoredb.clients import connected, event, events, fresh, ids
from tests.eventstoredb.cluster import Cluster
from tests.eventstoredb.faults import in_band

ANY = StreamState.ANY


async def test_105_a_follower_names_the_leader(kind: str, trio: Cluster) -> None:
    async with connected(kind, trio.uri(trio.nodes[1])) as client:
        with pytest.raises(NodeIsNotLeader) as caught:
            await client.append_to_stream(fresh(), current_version=ANY, events=event())
        assert caught.value.leader_grpc_target == trio.nodes[0].address
        # Reads ask for the leader too, unless the client prefers followers.
        with pytest.raises(NodeIsNotLeader):
            await client.get_stream(fresh())


async def test_106_a_client_of_the_cluster_follows_the_leader(kind: str, trio: Cluster) -> None:
    stream, (before, after) = fresh(), events(2)
    async with connected(kind, trio.cluster_uri()) as client:
        await client.append_to_stream(stream, current_version=ANY, events=[before])
        trio.elect(trio.nodes[2])
        await client.append_to_stream(stream, current_version=0, events=[after])
        assert ids(await client.get_stream(stream)) == ids([before, after])
    assert [call.node for call in trio.calls.of("Append")] == [0, 0, 2]


async def test_106_a_leader_that_died_is_still_listed_until_another_is_elected(
    kind: str, trio: Cluster
) -> None:
    stream = fresh()
    async with connected(kind, trio.cluster_uri()) as client:
        await client.append_to_stream(stream, current_version=ANY, events=events(1))
        await trio.nodes[0].stop()
        with pytest.raises(ServiceUnavailable):
            await client.append_to_stream(stream, current_version=0, events=events(1))
        trio.elect(trio.nodes[1])
        await client.append_to_stream(stream, current_version=0, events=events(1))


async def test_107_a_node_that_is_not_ready_says_so(kind: str, double: Cluster) -> None:
    double.nodes[0].ready = False
    async with connected(kind, double.uri()) as client:
        with pytest.raises(ServiceUnavailable, match="Server Is Not Ready"):
            await client.get_stream(fresh())


async def test_108_a_batch_is_told_so_inside_the_answer(kind: str, double: Cluster) -> None:
    double.nodes[0].ready = False
    stream = fresh()
    async with connected(kind, double.uri()) as client:
        with pytest.raises(EventStoreDBClientException) as caught:
            await client.append_to_stream(stream, current_version=ANY, events=events(1))
        assert type(caught.value) is EventStoreDBClientException
        assert double.calls.count("Append") == 1
        double.nodes[0].ready = True
        await client.append_to_stream(stream, current_version=ANY, events=events(1))


@pytest.mark.parametrize(
    ("details", "error"),
    [(shared_pb2.AccessDenied(), AccessDeniedError), (shared_pb2.Timeout(), AppendDeadlineExceeded)],
    ids=["denied", "timeout"],
)
async def test_any_error_can_be_told_inside_an_answer(
    kind: str, double: Cluster, details: Any, error: type[Exception]
) -> None:
    double.faults.add("BatchAppend", in_band(details))
    async with connected(kind, double.uri()) as client:
        with pytest.raises(error):
            await client.append_to_stream(fresh(), current_version=ANY, events=events(1))


async def test_info_on_groups_is_given_by_the_leader_alone(kind: str, trio: Cluster) -> None:
    async with connected(kind, trio.uri(trio.nodes[1])) as client:
        for doing in (
            client.get_subscription_info("g", "s"),
            client.list_subscriptions(),
            client.create_subscription_to_stream("g", "s"),
            client.read_subscription_to_stream("g", "s"),
        ):
            with pytest.raises(NodeIsNotLeader):
                await doing


async def test_reads_find_no_leader_where_there_is_none(kind: str, trio: Cluster) -> None:
    trio.elect(None)
    async with connected(kind, trio.uri()) as client:
        with pytest.raises(ServiceUnavailable):
            await client.get_stream(fresh())
        with pytest.raises(NodeIsNotLeader):
            await client.append_to_stream(fresh(), current_version=ANY, events=event())
