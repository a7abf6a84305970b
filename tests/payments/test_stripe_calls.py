"""How calls get to Stripe: on connections that are kept, a little apart, and never half an answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import stripe

from gateways.spacing import Spacing
from gateways.stripe_http import StripeHttp

TOGETHER = 64
WHOLE = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
BROKEN = b'HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"id":'


class Counter:
    """What listens in Stripe's place, and answers so many at once. ``lines``: the first of each request."""

    def __init__(self, reply: bytes, together: int) -> None:
        self.connections = 0
        self.lines: list[bytes] = []
        self.url = ""
        self._reply = reply
        self._all_here = asyncio.Barrier(together)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while head := await _head(reader):
            self.lines.append(head.partition(b"\r\n")[0])
            await self._all_here.wait()
            writer.write(self._reply)
            if self._reply is BROKEN:
                break
        writer.close()


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


@asynccontextmanager
async def listening(reply: bytes = WHOLE, together: int = 1) -> AsyncIterator[Counter]:
    counter = Counter(reply, together)
    async with await asyncio.start_server(counter.serve, "127.0.0.1", 0) as server:
        counter.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield counter


async def test_as_many_connections_are_kept_as_there_are_payments_at_once() -> None:
    async with listening(together=TOGETHER) as there:
        http = StripeHttp(there.url, timeout=5)
        for _ in range(3):
            calls = (http.request_async("GET", there.url, {}) for _ in range(TOGETHER))
            assert [status for _, status, _ in await asyncio.gather(*calls)] == [200] * TOGETHER
        await http.close_async()
    assert there.connections == TOGETHER


async def test_a_reply_that_breaks_off_is_no_answer() -> None:
    async with listening(BROKEN) as there:
        http = StripeHttp(there.url, timeout=5)
        with pytest.raises(stripe.APIConnectionError):
            await http.request_async("POST", there.url, {}, "amount=1")
        await http.close_async()


async def test_calls_go_through_the_proxy_that_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "stripe.localhost")
        http = StripeHttp("http://stripe.test", timeout=5)
        await http.request_async("GET", "http://stripe.test/v1", {})
        await http.close_async()
        direct = StripeHttp("http://stripe.localhost:1", timeout=5)
        with pytest.raises(stripe.APIConnectionError):
            await direct.request_async("GET", "http://stripe.localhost:1/v1", {})
        await direct.close_async()
    assert proxy.lines == [b"GET http://stripe.test/v1 HTTP/1.1"]


def test_who_calls_together_begins_one_after_the_other() -> None:
    spacing = Spacing(apart=0.25)
    assert [spacing.wait(now=10.0) for _ in range(3)] == [0, 0.25, 0.5]
    assert spacing.wait(now=10.5) == 0.25
    assert spacing.wait(now=20.0) == 0
