"""The checklist, 1 to 7: connecting, discovering, TLS and credentials."""

import asyncio
from base64 import b64encode
from time import monotonic
from typing import Any

import pytest
from esdbclient import StreamState
from esdbclient.exceptions import DiscoveryFailed, GrpcError, LeaderNotFound, ServiceUnavailable

from tests.eventstoredb.answers import unavailable
from tests.eventstoredb.certificates import Certificates, make_certificates
from tests.eventstoredb.clients import CONNECT, connected, event, events, fresh, ids, until
from tests.eventstoredb.cluster import Cluster
from tests.eventstoredb.faults import refuse

QUICK = {"MaxDiscoverAttempts": 3, "DiscoveryInterval": 20}


async def test_01_connecting_to_one_target_makes_no_call(kind: str, double: Cluster) -> None:
    async with connected(kind, double.uri()) as client:
        assert double.calls.count() == 0
        await client.append_to_stream(fresh(), current_version=StreamState.NO_STREAM, events=events(1))
        assert double.calls.count() == 1


async def test_01_connecting_works_with_the_server_down(kind: str, double: Cluster) -> None:
    await double.stop()
    async with connected(kind, double.uri()) as client:
        with pytest.raises(ServiceUnavailable):
            await client.append_to_stream(fresh(), current_version=StreamState.ANY, events=events(1))


async def test_02_a_dead_first_target_is_passed_over(kind: str, trio: Cluster) -> None:
    await trio.nodes[0].stop()
    trio.elect(trio.nodes[2])
    async with connected(kind, trio.cluster_uri()) as client:
        assert [(call.method, call.node) for call in trio.calls] == [("Gossip/Read", 1)]
        stream = fresh()
        await client.append_to_stream(stream, current_version=StreamState.NO_STREAM, events=events(1))
        assert [call.node for call in trio.calls.of("Append")] == [2]


async def test_03_gossip_that_keeps_failing_ends_discovery(kind: str, trio: Cluster) -> None:
    trio.faults.add("Gossip/Read", refuse(unavailable()), times=None)
    began = monotonic()
    with pytest.raises(DiscoveryFailed):
        await CONNECT[kind](trio.cluster_uri(**QUICK))
    assert monotonic() - began < 5
    assert trio.calls.count("Gossip/Read") == 3 * len(trio.nodes)


async def test_04_a_client_that_prefers_followers_reads_from_one(kind: str, trio: Cluster) -> None:
    stream, written = fresh(), events(3)
    async with connected(kind, trio.cluster_uri()) as writer:
        await writer.append_to_stream(stream, current_version=StreamState.NO_STREAM, events=written)
    async with connected(kind, trio.cluster_uri(NodePreference="follower")) as reader:
        assert ids(await reader.get_stream(stream)) == ids(written)
    read = trio.calls.of("Streams/Read")[-1]
    assert read.node in {1, 2}
    assert read.metadata["requires-leader"] == "false"


async def test_05_a_cluster_without_a_leader_is_not_connected_to(kind: str, trio: Cluster) -> None:
    trio.elect(None)
    with pytest.raises(LeaderNotFound):
        await CONNECT[kind](trio.cluster_uri(**QUICK))


async def test_05_a_leader_who_appears_in_time_is_found(kind: str, trio: Cluster) -> None:
    trio.elect(None)
    connecting = asyncio.ensure_future(CONNECT[kind](trio.cluster_uri(DiscoveryInterval=50)))
    await until(lambda: trio.calls.count("Gossip/Read") >= 2)
    trio.elect(trio.nodes[1])
    client = await connecting
    await client.append_to_stream(fresh(), current_version=StreamState.ANY, events=events(1))
    await client.close()


async def test_06_tls_and_the_password_reach_the_server(kind: str, certificates: Certificates) -> None:
    stream = fresh()
    async with Cluster(certificates=certificates) as double, connected(kind, double.uri()) as client:
        await client.append_to_stream(stream, current_version=StreamState.NO_STREAM, events=events(1))
        given = double.calls.of("Append")[0].metadata["authorization"]
    assert given == "Basic " + b64encode(b"admin:changeit").decode()


async def test_06_a_server_of_a_foreign_authority_is_not_trusted(
    kind: str, certificates: Certificates, tmp_path: Any
) -> None:
    foreign = make_certificates(tmp_path).authority_file
    async with Cluster(certificates=certificates) as double:
        async with connected(kind, double.uri(TlsCaFile=foreign)) as client:
            # The client knows an SSLError only by the details that one version of gRPC gave.
            with pytest.raises(ServiceUnavailable):
                await client.append_to_stream(fresh(), current_version=StreamState.ANY, events=events(1))
        assert double.calls.count() == 0


async def test_07_wrong_credentials_write_nothing(kind: str, certificates: Certificates) -> None:
    stream = fresh()
    async with Cluster(certificates=certificates) as double:
        wrong = double.uri().replace("changeit", "guessed")
        async with connected(kind, wrong) as client:
            with pytest.raises(GrpcError):
                await client.append_to_stream(stream, current_version=StreamState.ANY, events=event())
        assert {call.status for call in double.calls} == {"UNAUTHENTICATED"}
        assert stream not in double.log.streams


async def test_credentials_are_dropped_in_silence_without_tls(kind: str, double: Cluster) -> None:
    async with connected(kind, double.uri().replace("esdb://", "esdb://admin:changeit@")) as client:
        await client.append_to_stream(fresh(), current_version=StreamState.ANY, events=events(1))
    assert "authorization" not in double.calls.of("Append")[0].metadata
