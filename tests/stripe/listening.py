"""A receiver of webhooks in the test's own process, which answers as it is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import h11
import msgspec
import stripe

PATIENCE = 10.0


class Received:
    """One delivery as it came."""

    def __init__(self, body: str, signature: str | None) -> None:
        self.body = body
        self.signature = signature

    @property
    def event(self) -> dict[str, Any]:
        return dict(msgspec.json.decode(self.body))

    def is_true(self, secret: str) -> bool:
        """Whether the official SDK believes it."""
        try:
            stripe.Webhook.construct_event(self.body, self.signature, secret)
        except (stripe.SignatureVerificationError, ValueError):
            return False
        return True


class Receiver:
    """``statuses``: what the next deliveries are answered with, 0 being nothing; then 200."""

    def __init__(self) -> None:
        self.url = ""
        self.received: list[Received] = []
        self.statuses: list[int] = []
        self._came = asyncio.Event()

    @property
    def types(self) -> list[str]:
        return [each.event["type"] for each in self.received]

    async def until(self, count: int) -> list[Received]:
        """What has come, once it is so many. Raises TimeoutError."""
        async with asyncio.timeout(PATIENCE):
            while len(self.received) < count:
                self._came.clear()
                await self._came.wait()
        return self.received

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request on a connection."""
        line = h11.Connection(h11.SERVER)
        request, body = None, b""
        while not isinstance(event := line.next_event(), h11.EndOfMessage | h11.ConnectionClosed):
            if event is h11.NEED_DATA:
                line.receive_data(await reader.read(65536))
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += event.data
        if request is not None:
            headers = dict(request.headers)
            signature = headers.get(b"stripe-signature")
            self.received.append(Received(body.decode(), signature.decode("latin-1") if signature else None))
            self._came.set()
            status = self.statuses.pop(0) if self.statuses else 200
            if status == 0:
                await reader.read()  # until the sender gives up
                writer.close()
                return
            told = h11.Response(
                status_code=status, headers=[("Content-Length", "0"), ("Connection", "close")]
            )
            writer.write((line.send(told) or b"") + (line.send(h11.EndOfMessage()) or b""))
        writer.close()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on a free port."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/webhooks"
    async with server:
        yield receiver
