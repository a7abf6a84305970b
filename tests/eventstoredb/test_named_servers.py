"""What of the checklist wants more than one plain node: a cluster (C) or TLS (T).

On the double always; on the real one as well where the environment names a cluster, or a secure one.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from esdbclient import StreamState
from esdbclient.exceptions import GrpcError, NotFound
from esdbclient.gossip import NODE_STATE_FOLLOWER

from domain.decider import NO_STREAM
from gateways.eventstoredb import BadAddress, EventStoreDBStore, NotAuthorised
from processmanager.ports import StoreUnavailable
from tests.eventstoredb.adapting import facts, followed, opened, parking
from tests.eventstoredb.certificates import Certificates, make_certificates
from tests.eventstoredb.clients import connected, events, fresh, ids
from tests.eventstoredb.cluster import Cluster
from tests.eventstoredb.wire import Wire
from tests.real_node import CLUSTER, KINDS, NODE, SECURE

NEW = StreamState.NO_STREAM


@pytest.fixture(params=KINDS if CLUSTER else ["double"])
async def cluster_uri(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    if request.param == "real":
        assert NODE
        yield NODE
        return
    async with Cluster(3) as trio:
        yield trio.cluster_uri()


@pytest.fixture(params=KINDS if SECURE else ["double"])
async def secure_uri(request: pytest.FixtureRequest, certificates: Certificates) -> AsyncIterator[str]:
    if request.param == "real":
        assert NODE
        yield NODE
        return
    async with Cluster(certificates=certificates) as double:
        yield double.uri()


def _at(uri: str, hosts: str) -> str:
    """The same address, but for the hosts."""
    parts = urlsplit(uri)
    user, at, _ = parts.netloc.rpartition("@")
    return f"esdb://{user}{at}{hosts}?{parts.query}"


def _hosts(uri: str) -> str:
    return urlsplit(uri).netloc.rpartition("@")[2]


async def test_01_nothing_is_connected_before_the_first_operation(kind: str, double: Cluster) -> None:
    async with (
        Wire(double.nodes[0].endpoint) as wire,
        connected(kind, f"esdb://{wire.address}?Tls=false") as client,
    ):
        assert wire.connections == 0
        await client.append_to_stream(fresh(), current_version=NEW, events=events(1))
        assert wire.connections == 1


async def test_01_the_first_operation_connects(client: Any) -> None:
    await client.append_to_stream(fresh(), current_version=NEW, events=events(1))


async def test_02_a_dead_node_in_front_of_the_others_is_passed_over(cluster_uri: str) -> None:
    if "," not in cluster_uri:
        pytest.skip("a discovered cluster is named by one name, behind which nobody is known to be dead")
    async with opened(_at(cluster_uri, f"127.0.0.1:9,{_hosts(cluster_uri)}")) as store:
        await store.append(parking(), facts(1), NO_STREAM)


async def test_04_a_follower_shows_what_the_leader_wrote(kind: str, cluster_uri: str) -> None:
    stream, written = fresh(), events(3)
    async with connected(kind, cluster_uri) as writer:
        await writer.append_to_stream(stream, current_version=NEW, events=written)
    async with connected(kind, f"{cluster_uri}&NodePreference=follower") as reader:
        assert ids(await reader.get_stream(stream)) == ids(written)


async def test_105_each_follower_is_refused_with_the_address_of_the_leader(cluster_uri: str) -> None:
    async with connected("sync", cluster_uri) as client:  # the asynchronous client has no gossip
        members = await client.read_gossip()
    followers = [member for member in members if member.state == NODE_STATE_FOLLOWER]
    (leader,) = [member for member in members if member not in followers]
    assert followers
    for follower in followers:
        with pytest.raises(BadAddress) as caught:
            await EventStoreDBStore.open(_at(cluster_uri, f"{follower.address}:{follower.port}"))
        assert f"esdb://{leader.address}:{leader.port}" in str(caught.value)


async def test_106_appends_go_on_in_order_through_the_address_of_the_cluster(cluster_uri: str) -> None:
    """A change of the leader cannot be brought about from here: on the double it is, elsewhere."""
    stream, batch = parking(), facts(20)
    async with opened(cluster_uri) as store, followed(store, store.head()) as follower:
        for revision, fact in enumerate(batch):
            await store.append(stream, [fact], revision - 1)
        await follower.has(len(batch))
        assert [one.id for one in follower.seen if one.stream == stream] == [one.id for one in batch]


async def test_06_tls_with_the_right_authority_only(secure_uri: str, tmp_path: Path) -> None:
    stream = parking()
    async with opened(secure_uri) as store:
        await store.append(stream, facts(2), NO_STREAM)
        assert len(await store.read(stream)) == 2
    foreign = make_certificates(tmp_path).authority_file
    known = [part for part in urlsplit(secure_uri).query.split("&") if not part.startswith("TlsCaFile")]
    uri = _at(secure_uri, _hosts(secure_uri)).partition("?")[0]
    with pytest.raises(StoreUnavailable):
        await EventStoreDBStore.open("&".join([f"{uri}?TlsCaFile={foreign}", *known]))


async def test_07_a_wrong_password_writes_nothing(secure_uri: str) -> None:
    parts = urlsplit(secure_uri)
    wrong = parts._replace(netloc=f"{parts.username}:guessed@{_hosts(secure_uri)}").geturl()
    stream = fresh()
    with pytest.raises(NotAuthorised):
        await EventStoreDBStore.open(wrong)
    async with connected("async", wrong) as client:
        with pytest.raises(GrpcError):
            await client.append_to_stream(stream, current_version=NEW, events=events(1))
    async with connected("async", secure_uri) as client:
        with pytest.raises(NotFound):
            await client.get_stream(stream)
