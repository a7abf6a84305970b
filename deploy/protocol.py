"""One HTTP connection: uvicorn's protocol, with limits on what a caller may send before it is a request.

The parser takes headers of any size and waits for them for ever. Here a head has a largest size and a
request a longest time to arrive, and what cannot be parsed is answered in the shape of every other error.
"""

import asyncio
from contextvars import copy_context
from functools import partial
from http import HTTPStatus
from typing import Any, cast
from weakref import ref

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from deploy.whole import send_whole
from gateways.http.answer import WHOLE
from gateways.http.turn import GOES_FIRST

HEAD_BYTES = 16 * 1024
URL_BYTES = 8 * 1024
READING = frozenset({"GET", "HEAD", "OPTIONS"})
"""The methods that change nothing (RFC 9110, section 9.2.1)."""
PATIENCE = 10.0
"""Seconds that a new connection, and then each begun request, may take to arrive whole."""
LINGER = 1.0
"""Seconds that a refused caller is given to read why."""


class BoundedProtocol(HttpToolsProtocol):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._arriving = False  # a request has begun and has not come whole
        self._head_bytes: int | None = None  # of the head that is being read, if one is
        self._impatience: asyncio.TimerHandle | None = None
        self._refused = False

    # ── What arrives ──────────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        if not self._refused:
            super().data_received(data)
            self._judge(len(data))

    def _judge(self, size: int) -> None:
        """After ``size`` more bytes: is the head too large, and is there anything to wait for?"""
        if self._refused or self.transport.is_closing():
            return
        if self._head_bytes is not None:
            # A head that is not whole yet: the parser keeps what it has of a header to itself.
            self._head_bytes += size
            if self._head_bytes > HEAD_BYTES:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
                return
        if self._arriving:
            self._wait()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    # ── What the parser says of it ────────────────────────────────────────────────────────────────

    def on_message_begin(self) -> None:
        self._arriving = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head_bytes = None
        if self._refused:
            return
        if len(self.url) > URL_BYTES:
            self._refuse(HTTPStatus.REQUEST_URI_TOO_LONG)
        elif sum(len(name) + len(value) for name, value in self.headers) > HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        else:
            super().on_headers_complete()
            if self.cycle is not None:  # the request's own, though others may be answered before it
                extensions: dict[str, Any] = {WHOLE: partial(send_whole, ref(self.cycle))}
                self.scope["extensions"] = extensions

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        # In a context of its own: a request that was sent ahead is begun by the end of the one before it.
        context = copy_context()
        context.run(GOES_FIRST.set, cycle.scope["method"] in READING)
        context.run(super()._start_asgi_task, cycle, app)

    def on_body(self, body: bytes) -> None:
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._arriving = False
        if not self._refused:
            super().on_message_complete()

    # ── Refusing ──────────────────────────────────────────────────────────────────────────────────

    def send_400_response(self, msg: str) -> None:
        if not self._refused:
            self._refuse(HTTPStatus.BAD_REQUEST)

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer and close, unless an earlier request of this connection has not been answered yet."""
        self._refused = True
        self._stop_waiting()
        under_way = cast("RequestResponseCycle | None", self.cycle)
        if under_way is not None and not under_way.response_complete:
            self.transport.close()
            return
        body = msgspec.json.encode({"errors": [{"message": status.phrase}]})
        head = (
            f"HTTP/1.1 {status} {status.phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\ncache-control: no-store\r\n"
            "x-content-type-options: nosniff\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        # Closing with bytes unread would reset the connection, and the answer might be lost with it.
        self.transport.write_eof()
        self._impatience = self.loop.call_later(LINGER, self.transport.close)

    def _wait(self) -> None:
        if self._impatience is None:
            self._impatience = self.loop.call_later(PATIENCE, self._refuse, HTTPStatus.REQUEST_TIMEOUT)

    def _stop_waiting(self) -> None:
        if self._impatience is not None:
            self._impatience.cancel()
            self._impatience = None
