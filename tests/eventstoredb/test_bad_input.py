"""Servers that are not as they should be, and logs that hold what is not ours: said by the product itself."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from uuid import uuid4

import grpc  # type: ignore[import-untyped]
import grpc.aio  # type: ignore[import-untyped]
import httpx
import pytest

from tests.deploy.running import ADMITONE, environment
from tests.eventstoredb.certificates import Certificates, make_certificates
from tests.eventstoredb.cluster import Cluster
from tests.eventstoredb.record import New
from tests.eventstoredb.test_copying import sales, written
from tests.eventstoredb.test_serving import serving
from tests.live.crowd import list_tickets

CANARY = "c4n4ry-5up3r-5ecret"
PATIENCE = 45
"""Seconds. The start gives up after six, but here five commands begin at once on a busy machine."""


async def ended(*words: str) -> tuple[int, str, str]:
    """The status and what was said, of a command that must end by itself."""
    process = await asyncio.create_subprocess_exec(
        ADMITONE, *words, env=environment(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(PATIENCE):
            said, wrong = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, said.decode(), wrong.decode()


async def refused(uri: str, tmp_path: Path) -> list[str]:
    """What each command says of the store at ``uri``: one line, no secret, and not success."""
    source, data = written(tmp_path / "source", sales(1)), str(tmp_path / "data")
    commands = (
        ("serve", "--port", "0", "--data", data, "--store", uri),
        ("events", "--data", data, "--store", uri),
        ("doctor", "--data", data, "--store", uri),
        ("copy", "--from", str(source), "--to", uri),
        ("copy", "--from", uri, "--to", str(tmp_path / "target")),
    )
    lines = []
    for status, said, wrong in await asyncio.gather(*(ended(*words) for words in commands)):
        assert status in (1, 2), wrong
        assert said == ""
        assert len(wrong.splitlines()) == 1, wrong
        assert CANARY not in wrong
        lines.append(wrong)
    assert not (tmp_path / "target").exists()
    return lines


Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(answer: Answer) -> AsyncIterator[int]:
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield int(server.sockets[0].getsockname()[1])


async def _web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readline()
    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    writer.close()


async def _silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


@asynccontextmanager
async def other_grpc() -> AsyncIterator[int]:
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield int(port)
    await server.stop(None)


@asynccontextmanager
async def nobody() -> AsyncIterator[int]:
    async with listening(_silent) as port:
        pass
    yield port


@pytest.mark.parametrize(
    ("server", "says"),
    [
        (nobody, "127.0.0.1"),
        (lambda: listening(_web), "127.0.0.1"),
        (lambda: listening(_silent), "127.0.0.1"),
        (other_grpc, "UNIMPLEMENTED"),
    ],
    ids=["nobody", "a web server", "silence", "another gRPC server"],
)
async def test_a_server_that_is_not_eventstoredb(
    server: Callable[[], AbstractAsyncContextManager[int]], says: str, tmp_path: Path
) -> None:
    async with server() as port:
        lines = await refused(f"esdb://127.0.0.1:{port}?Tls=false", tmp_path)
    assert all(says in line and str(port) in line for line in lines), lines


async def test_a_server_without_tls(double: Cluster, tmp_path: Path) -> None:
    lines = await refused(f"esdb://admin:{CANARY}@{double.nodes[0].address}", tmp_path)
    assert all("Tls=false" in line for line in lines), lines


async def test_a_server_that_wants_tls(certificates: Certificates, tmp_path: Path) -> None:
    async with Cluster(certificates=certificates) as double:
        lines = await refused(f"esdb://{double.nodes[0].address}?Tls=false", tmp_path)
    assert all("Tls=true" in line for line in lines), lines


async def test_a_server_of_a_foreign_authority(certificates: Certificates, tmp_path: Path) -> None:
    foreign = make_certificates(tmp_path).authority_file
    async with Cluster(certificates=certificates, users={"admin": CANARY}) as double:
        await refused(double.uri(TlsCaFile=foreign), tmp_path)


async def test_a_wrong_password(certificates: Certificates, tmp_path: Path) -> None:
    async with Cluster(certificates=certificates) as double:
        uri = double.uri().replace("changeit", CANARY)
        lines = await refused(uri, tmp_path)
        assert [record for record in double.log.records if record.stream.startswith("order-")] == []
    assert all("refuses us" in line for line in lines), lines


@pytest.mark.parametrize(
    "uri",
    [
        f"esdb://admin:{CANARY}@",
        f"esdb://admin:{CANARY}@localhost:2113?Speed=high",
        f"esdb://admin:{CANARY}@localhost:port",
        f"esdb://admin:{CANARY}@localhost:2113?TlsCaFile=/nowhere/ca.pem",
        f"http://admin:{CANARY}@localhost:2113",
    ],
)
async def test_an_address_that_cannot_be_used(uri: str, tmp_path: Path) -> None:
    await refused(uri, tmp_path)


async def test_a_follower_s_address_is_refused_with_the_one_to_use(trio: Cluster, tmp_path: Path) -> None:
    lines = await refused(trio.uri(trio.nodes[1]), tmp_path)
    assert all(f"esdb://{trio.nodes[0].address}" in line for line in lines), lines


# ── What is not ours in the log ───────────────────────────────────────────────────────────────────

NEWER = b'{"$correlationId":"","$causationId":"","actor":"","at":"2026-11-22T20:00:00Z","schema":9}'


async def test_what_is_not_ours_is_named_and_the_rest_is_sold(double: Cluster, tmp_path: Path) -> None:
    double.log.write("ticket-foreign", [New(uuid4(), "ForeignThing", b"{}", json=True)])
    double.log.write("ticket-newer", [New(uuid4(), "TicketListed", b"{}", NEWER, json=True)])
    async with serving(tmp_path / "data", "--no-demo", "--store", double.uri()) as port:
        cut, deleted, ended_, kept = await list_tickets(port, 4)
        double.log.write(f"$$ticket-{cut}", [New(uuid4(), "$metadata", b'{"$tb":1}', json=True)])
        double._writer.delete(f"ticket-{deleted}", 0)
        double._writer.tombstone(f"ticket-{ended_}", 0)
        hidden = [f"ticket-{ticket}" for ticket in (cut, deleted, ended_)]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            await _until_said(client, "catalogue holds back 5 streams")
            assert (await client.get("/livez")).status_code == 200
            assert kept in {ticket["id"] for ticket in (await client.get("/api/tickets")).json()}
    told = (tmp_path / "data.log").read_text()
    assert "Traceback" not in told
    for stream in ("ticket-foreign", "ticket-newer", *hidden):
        assert f"{stream} is held back" in told


async def _until_said(client: httpx.AsyncClient, words: str) -> None:
    """Wait until readiness says ``words``."""
    async with asyncio.timeout(40):
        while True:
            if words in (await client.get("/readyz")).text:
                return
            await asyncio.sleep(0.05)
