"""The adapter's start: addresses that cannot be used, nodes that do not lead, secrets that stay secret."""

import asyncio
import logging
from collections.abc import AsyncIterator
from time import monotonic

import grpc.aio  # type: ignore[import-untyped]
import pytest

from domain.decider import NO_STREAM
from gateways.eventstoredb import BadAddress, EventStoreDBStore, NotAuthorised
from processmanager.ports import OutcomeUnknown, StoreUnavailable
from tests.eventstoredb.adapting import fact, facts, followed, opened, parking
from tests.eventstoredb.certificates import Certificates, make_certificates
from tests.eventstoredb.clients import until
from tests.eventstoredb.cluster import Cluster

SECRET = "hush-hush"


@pytest.mark.parametrize(
    "uri",
    [
        f"http://admin:{SECRET}@localhost:2113",
        f"esdb://admin:{SECRET}@",
        "esdb://localhost:2113",
        f"esdb://admin:{SECRET}@localhost:2113?Tls=perhaps",
        f"esdb://admin:{SECRET}@localhost:2113?Speed=high",
        f"esdb://admin:{SECRET}@localhost:2113?TlsCaFile=/nowhere/ca.pem",
        f"esdb+discover://admin:{SECRET}@one:1,two:2",
        "esdb://localhost:2113?Tls=false&NodePreference=follower",
        "",
    ],
)
async def test_an_address_that_cannot_be_used_is_said_in_one_line(uri: str) -> None:
    with pytest.raises(BadAddress) as caught:
        await EventStoreDBStore.open(uri)
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """A start with less patience, for the tests that need not wait for all of it."""
    monkeypatch.setattr("gateways.eventstoredb.START", 1.5)


async def _refused(uri: str) -> str:
    """What the start says of a server that is not as it should be; within ten seconds."""
    began = monotonic()
    with pytest.raises(StoreUnavailable) as caught:
        await EventStoreDBStore.open(uri)
    assert monotonic() - began < 10
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


async def test_a_server_that_is_not_there(double: Cluster) -> None:
    await double.stop()
    assert "127.0.0.1" in await _refused(double.uri())


@pytest.mark.usefixtures("brief")
async def test_a_server_that_wants_tls(certificates: Certificates) -> None:
    async with Cluster(certificates=certificates) as double:
        said = await _refused(f"esdb://{double.nodes[0].address}?Tls=false")
    assert "Tls=true" in said


@pytest.mark.usefixtures("brief")
async def test_a_server_without_tls(double: Cluster) -> None:
    said = await _refused(f"esdb://admin:{SECRET}@{double.nodes[0].address}")
    assert "Tls=false" in said


@pytest.mark.usefixtures("brief")
async def test_a_server_of_a_foreign_authority(
    certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> None:
    foreign = make_certificates(tmp_path_factory.mktemp("foreign")).authority_file
    async with Cluster(certificates=certificates) as double:
        await _refused(double.uri(TlsCaFile=foreign))


@pytest.fixture
async def web_server() -> AsyncIterator[int]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield int(server.sockets[0].getsockname()[1])


@pytest.mark.usefixtures("brief")
async def test_a_server_that_is_not_eventstoredb(web_server: int) -> None:
    await _refused(f"esdb://127.0.0.1:{web_server}?Tls=false")


async def test_a_grpc_server_that_is_not_eventstoredb() -> None:
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    said = await _refused(f"esdb://127.0.0.1:{port}?Tls=false")
    await server.stop(None)
    assert "UNIMPLEMENTED" in said


@pytest.mark.usefixtures("brief")
async def test_a_server_that_accepts_and_says_nothing() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        await _refused(f"esdb://127.0.0.1:{server.sockets[0].getsockname()[1]}?Tls=false")


async def test_01_nothing_but_one_look_is_done_at_the_start(double: Cluster) -> None:
    async with opened(double.uri()) as store:
        assert [call.method for call in double.calls] == ["Streams/Read"]
        assert store.head() == 0
        position = await store.append(parking(), facts(2), NO_STREAM)
        assert store.head() == position
    async with opened(double.uri()) as store:
        assert store.head() == position


async def test_02_a_cluster_is_found_through_any_node_that_lives(trio: Cluster) -> None:
    await trio.nodes[0].stop()
    trio.elect(trio.nodes[1])
    async with opened(trio.cluster_uri()) as store:
        await store.append(parking(), facts(1), NO_STREAM)
    assert {call.node for call in trio.calls.of("BatchAppend")} == {1}


async def test_05_a_cluster_without_a_leader_is_waited_for_a_while(trio: Cluster) -> None:
    trio.elect(None)
    opening = asyncio.create_task(EventStoreDBStore.open(trio.cluster_uri()))
    await until(lambda: trio.calls.count("Gossip/Read") >= 3)
    trio.elect(trio.nodes[2])
    store = await opening
    await store.append(parking(), facts(1), NO_STREAM)
    await store.close()


async def test_06_tls_with_the_right_authority_works(certificates: Certificates) -> None:
    async with Cluster(certificates=certificates) as double, opened(double.uri()) as store:
        stream = parking()
        await store.append(stream, facts(2), NO_STREAM)
        async with followed(store) as follower:
            await follower.has(2)
        assert len(await store.read(stream)) == 2


@pytest.mark.parametrize("nodes", [1, 3])
async def test_07_a_wrong_password_is_not_taken_for_a_store_that_is_away(
    certificates: Certificates, nodes: int
) -> None:
    async with Cluster(nodes, certificates=certificates) as double:
        with pytest.raises(NotAuthorised, match="refuses us") as caught:
            await EventStoreDBStore.open(double.cluster_uri().replace("changeit", "guessed"))
    assert "\n" not in str(caught.value)
    assert "guessed" not in str(caught.value)


async def test_105_a_follower_s_address_is_refused_with_the_one_to_use(trio: Cluster) -> None:
    with pytest.raises(BadAddress) as caught:
        await EventStoreDBStore.open(trio.uri(trio.nodes[1]))
    assert f"esdb://{trio.nodes[0].address}" in str(caught.value)


@pytest.mark.parametrize("cluster", [True, False], ids=["cluster", "one_node"])
async def test_106_a_leader_who_changes_is_followed(trio: Cluster, *, cluster: bool) -> None:
    stream, (one, two) = parking(), facts(2)
    async with opened(trio.cluster_uri() if cluster else trio.uri()) as store, followed(store) as follower:
        await store.append(stream, [one], NO_STREAM)
        await follower.has(1)
        trio.elect(trio.nodes[2])
        began = monotonic()
        await store.append(stream, [two], 0)
        assert monotonic() - began < 1
        assert [each.id for each in await store.read(stream)] == [one.id, two.id]
        await follower.has(2)
    assert [call.node for call in trio.calls.of("BatchAppend")] == [0, 0, 2]


async def test_106_a_leader_who_dies_is_replaced(trio: Cluster) -> None:
    stream, (one, two) = parking(), facts(2)
    async with opened(trio.cluster_uri(), patience=5) as store, followed(store) as follower:
        await store.append(stream, [one], NO_STREAM)
        await follower.has(1)
        await trio.nodes[0].stop()
        late = asyncio.create_task(store.append(stream, [two], 0))
        await asyncio.sleep(0.5)
        trio.elect(trio.nodes[1])
        await late
        await follower.has(2)
        assert [each.id for each in follower.seen] == [one.id, two.id]


async def test_107_a_node_that_is_not_ready_is_waited_for(double: Cluster) -> None:
    async with opened(double.uri(), patience=5) as store:
        double.nodes[0].ready = False
        late = asyncio.create_task(store.append(parking(), [fact()], NO_STREAM))
        await asyncio.sleep(2)
        double.nodes[0].ready = True
        await late


async def test_secrets_are_never_logged(certificates: Certificates, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with (
        Cluster(certificates=certificates, users={"admin": SECRET}) as double,
        opened(double.uri()) as store,
        followed(store) as follower,
    ):
        await store.append(parking(), facts(1), NO_STREAM)
        await follower.has(1)
        await double.stop()
        await until(lambda: store.health() is not None)
        # A call that its deadline has ended may have been written, for all that the client can tell.
        with pytest.raises((StoreUnavailable, OutcomeUnknown)) as told:
            await store.append(parking(), facts(1), NO_STREAM)
        said = f"{store.health()} {told.value}"
    assert "is not followed" in caplog.text
    assert SECRET not in caplog.text + said


async def test_credentials_without_tls_are_warned_about(
    double: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(double.uri().replace("esdb://", f"esdb://admin:{SECRET}@")):
        pass
    assert "they are not sent" in caplog.text
    assert SECRET not in caplog.text
