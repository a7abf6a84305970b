"""An answer: status, body, headers, already encoded. It is an ASGI application, and a cheap one."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

import msgspec

# ASGI's own types, which are dictionaries; Litestar's spell each key out, and its additions not at all.
Scope: TypeAlias = dict[str, Any]
Message: TypeAlias = dict[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Header: TypeAlias = tuple[bytes, bytes]

WHOLE = "admitone.http.response.whole"
"""The extension by which a server takes an answer in one piece, as ``Whole`` (docs/decisions/0021)."""
Whole: TypeAlias = Callable[[int, Sequence[Header], bytes], bool]
"""Sends status, headers and body. False: nothing was sent, and the answer has to go in messages."""

_NOTHING: dict[str, Any] = {}
_encode = msgspec.json.Encoder().encode
_JSON: Header = (b"content-type", b"application/json")
CLOSED: Header = (
    b"content-security-policy",
    b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
)
"""A browser may load and do nothing."""


class Answer:
    """What is sent back. ``headers`` come beside the content type and length, which follow from the body."""

    __slots__ = ("body", "content_type", "headers", "status")

    def __init__(
        self, status: int, body: bytes, headers: list[Header], content_type: Header | None = _JSON
    ) -> None:
        self.status = status
        self.body = body
        self.headers = headers
        self.content_type = content_type

    @property
    def policy(self) -> Header:
        """What a browser that shows it may load and do."""
        return CLOSED

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.send(scope, send)

    async def send(self, scope: Scope, send: Send, *more: Header) -> None:
        """Send it, in answer to the request of ``scope``. ``more``: headers beside its own."""
        headers = [*self.headers, *more]
        if self.content_type is not None:
            headers += (self.content_type, (b"content-length", b"%d" % len(self.body)))
        whole: Whole | None = scope.get("extensions", _NOTHING).get(WHOLE)
        if whole is not None and whole(self.status, headers, self.body):
            return
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else self.body
        await send({"type": "http.response.body", "body": body, "more_body": False})


def json(status: int, value: Any, *headers: Header) -> Answer:
    return Answer(status, _encode(value), [*headers])


def empty(*headers: Header) -> Answer:
    """204: done, and there is nothing to show."""
    return Answer(204, b"", [*headers], None)
