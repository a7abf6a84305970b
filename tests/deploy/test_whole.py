"""Answers in one piece: what a client sees is what it would see of the same answer in messages."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateways.http.answer import WHOLE, Answer, Header
from tests.deploy.plain import Plain
from tests.deploy.test_server import Line, serving

LARGE = b"x" * 2_000_000


class Answering(Plain):
    """Answers as it is told by the path, and notes in how many messages."""

    def __init__(self, *more: Header) -> None:
        super().__init__()
        self.more = more
        self.messages: list[int] = []
        self.let_go = asyncio.Event()

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        if scope["path"] == "/messages":
            del scope["extensions"][WHOLE]
        if scope["path"] == "/held":
            await self.let_go.wait()
        number, body = len(self.messages), LARGE if scope["path"] == "/large" else scope["path"].encode()
        self.messages.append(0)

        async def counted(message: Any) -> None:
            self.messages[number] += 1
            await send(message)

        await Answer(200, body, [*self.more]).send(scope, counted, (b"x-number", b"%d" % number))


@asynccontextmanager
async def connected(application: Answering) -> AsyncIterator[Line]:
    async with serving(application) as (_, port):
        line = await Line.to(port)
        yield line
        line.close()


def without_path_and_number(answer: bytes) -> bytes:
    return answer.replace(b"/messages", b"/in/whole").replace(b"x-number: 1", b"x-number: 0")


async def test_an_answer_in_one_piece_is_the_same_to_the_byte() -> None:
    application = Answering((b"x-more", b"and \xe9"))
    async with connected(application) as line:
        whole, messages = await line.ask("/in/whole"), await line.ask("/messages")
    assert application.messages == [0, 2]
    assert without_path_and_number(messages) == without_path_and_number(whole)


@pytest.mark.parametrize(
    "header", [(b"x-evil", b"a\r\nx-more: b"), (b"x-evil", b"a\nb"), (b"x-evil", b"a\0b"), (b"x\r\ny", b"z")]
)
async def test_a_header_that_would_end_early_is_not_sent(header: Header) -> None:
    async with connected(Answering(header)) as line:
        line.writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert await line.is_closed(), "something was sent"


async def test_an_answer_that_ends_the_connection_ends_it() -> None:
    application = Answering((b"connection", b"close"))
    async with connected(application) as line:
        assert b"connection: close" in await line.ask()
        assert await line.is_closed()
    assert application.messages == [2]


@pytest.mark.parametrize(("version", "more"), [("1.1", "connection: close\r\n"), ("1.0", "")])
async def test_a_client_that_wants_one_answer_gets_one(version: str, more: str) -> None:
    async with connected(Answering()) as line:
        line.writer.write(f"GET /once HTTP/{version}\r\nhost: x\r\n{more}\r\n".encode())
        assert (await line.answer()).endswith(b"/once")
        assert await line.is_closed()


async def test_a_head_has_no_body() -> None:
    async with connected(Answering()) as line:
        line.writer.write(b"HEAD /long HTTP/1.1\r\nhost: x\r\n\r\nGET /next HTTP/1.1\r\nhost: x\r\n\r\n")
        head = await line.reader.readuntil(b"\r\n\r\n")
        assert b"content-length: 5\r\n" in head
        assert (await line.answer()).endswith(b"/next")


async def test_requests_sent_together_are_answered_in_their_order() -> None:
    application = Answering()
    async with connected(application) as line:
        asked = ["/held", *(f"/{number}" for number in range(20))]
        line.writer.write(b"".join(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode() for path in asked))
        await asyncio.sleep(0)
        application.let_go.set()
        answered = [(await line.answer()).rpartition(b"\r\n")[2].decode() for _ in asked]
    assert answered == asked
    assert not any(application.messages)


async def test_a_client_that_does_not_read_is_waited_for() -> None:
    application = Answering()
    async with connected(application) as line:
        line.writer.write(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\nGET /after HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await line.answer()).endswith(LARGE)
        assert (await line.answer()).endswith(b"/after")
