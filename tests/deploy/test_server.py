"""One server: what it takes from strangers, and how it stops without cutting anybody off."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from deploy import protocol
from deploy.server import DrainingServer, address, listen
from tests.deploy.plain import Plain


@asynccontextmanager
async def serving(application: Plain, window: float = 0.0) -> AsyncIterator[tuple[DrainingServer, int]]:
    """A server on a free port of this machine; stopped at the end, if it was not before."""
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    ready = asyncio.Event()
    server = DrainingServer(application, window, ready.set)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await asyncio.wait_for(ready.wait(), 10)
        yield server, port
    finally:
        server.should_exit = True
        await asyncio.wait_for(task, 20)


class Line:
    """A connection, by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, port: int) -> "Line":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, path: str = "/") -> bytes:
        self.writer.write(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        return await self.answer()

    async def answer(self) -> bytes:
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        return head + await self.reader.readexactly(length)

    async def is_closed(self) -> bool:
        return await asyncio.wait_for(self.reader.read(1), 10) == b""

    def close(self) -> None:
        self.writer.close()


# ── What strangers send ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET / HTTP/1.1\r\nx: " + b"a" * 20_000 + b"\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\n" + b"".join(b"x%d: y\r\n" % n for n in range(4000)) + b"\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nx: " + b"a" * 400_000, b"431"),  # a header that never ends
        (b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"400"),
        (b"\x16\x03\x01 this is no HTTP at all\r\n\r\n", b"400"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n", b"400"),
        (b"GET http://[ HTTP/1.1\r\nhost: x\r\n\r\n", b"400"),
        (b"GET /\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n", b"400"),
    ],
)
async def test_what_is_no_sensible_request_is_refused_in_the_shape_of_every_other_error(
    request_bytes: bytes, status: bytes
) -> None:
    async with serving(Plain()) as (_, port):
        line = await Line.to(port)
        line.writer.write(request_bytes)
        answer = await line.answer()
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert b'{"errors":[{"message":' in answer
        assert await line.is_closed()
        line.close()
        healthy = await Line.to(port)
        assert (await healthy.ask()).startswith(b"HTTP/1.1 200")
        healthy.close()


async def test_a_large_head_that_is_still_sensible_is_served() -> None:
    async with serving(Plain()) as (_, port):
        line = await Line.to(port)
        line.writer.write(b"GET / HTTP/1.1\r\nx: " + b"a" * 8_000)
        await line.writer.drain()
        line.writer.write(b"a" * 8_000 + b"\r\n\r\n")
        assert (await line.answer()).startswith(b"HTTP/1.1 200")
        assert (await line.ask()).startswith(b"HTTP/1.1 200"), "the connection is kept"
        line.close()


@pytest.mark.parametrize(
    "begun", [b"", b"GET / HTTP/1.1\r\nhost: x", b"POST / HTTP/1.1\r\ncontent-length: 10\r\n\r\nabc"]
)
async def test_a_caller_who_never_finishes_his_request_is_let_go(
    begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "PATIENCE", 0.2)
    monkeypatch.setattr(protocol, "LINGER", 0.1)
    async with serving(Plain()) as (server, port):
        line = await Line.to(port)
        line.writer.write(begun)
        await asyncio.wait_for(line.reader.read(), 10)  # to the end
        line.close()
        for _ in range(100):
            if not server.server_state.connections:
                break
            await asyncio.sleep(0.01)
        assert not server.server_state.connections


async def test_no_answer_says_what_software_serves_it() -> None:
    async with serving(Plain()) as (_, port):
        line = await Line.to(port)
        assert b"uvicorn" not in (await line.ask()).lower()
        line.close()


# ── Stopping ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_request_under_way_is_finished_and_says_that_the_connection_ends() -> None:
    application = Plain(slowness=0.5)
    async with serving(application) as (server, port):
        line = await Line.to(port)
        answer = asyncio.create_task(line.ask("/slow"))
        await asyncio.sleep(0.1)
        server.should_exit = True
        assert b"200" in await answer
        assert application.draining
        assert await line.is_closed()
        line.close()


async def test_during_the_drain_new_callers_are_still_served_but_not_kept() -> None:
    async with serving(Plain(), window=1.0) as (server, port):
        kept = await Line.to(port)
        assert b"connection: close" not in await kept.ask()
        server.should_exit = True
        await asyncio.sleep(0.3)
        for line in (kept, await Line.to(port)):
            answer = await line.ask()
            assert b"200" in answer
            assert b"connection: close" in answer
            assert await line.is_closed()
            line.close()


async def test_callers_who_wait_in_the_backlog_when_accepting_ends_are_served_too() -> None:
    """The kernel has accepted them, so closing the socket on them would reset them."""
    application = Plain()
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    server = DrainingServer(application, 0.0, lambda: None)
    server.should_exit = True  # told to stop before it has accepted anybody
    waiting = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
    for connection in waiting:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    await asyncio.wait_for(server.serve(sockets=[listener]), 20)
    for connection in waiting:
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        connection.close()


async def test_after_the_drain_nobody_is_accepted() -> None:
    async with serving(Plain()) as (_, port):
        pass
    with pytest.raises(ConnectionRefusedError):
        await Line.to(port)


def test_a_second_server_on_the_same_port_fails_at_once() -> None:
    with listen("127.0.0.1", 0) as first:
        with pytest.raises(OSError, match="in use"):
            listen("127.0.0.1", first.getsockname()[1])
        assert address(first) == f"http://127.0.0.1:{first.getsockname()[1]}"
