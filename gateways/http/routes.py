"""A route as a value: what is served where, and what its document says. Litestar finds the way to it.

Handlers hang in Litestar's routing as plain ASGI applications, one for each path: a call to one of
Litestar's own handlers costs four times as much, and nothing that it adds is needed here. Where Litestar
always leads from a path is known beforehand, and asking it anew would cost 20 µs.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from itertools import groupby
from typing import Any

from litestar.handlers import ASGIRouteHandler, asgi
from msgspec import Struct

from gateways.http.answer import Answer, Receive, Scope, Send, empty
from gateways.http.call import Call
from gateways.http.errors import answer_to, problem

Handler = Callable[[Call], Awaitable[Answer]]


class Query(Struct, frozen=True):
    """A parameter behind the question mark. ``schema``: JSON Schema."""

    name: str
    meaning: str
    schema: dict[str, Any]


class Route(Struct, frozen=True, kw_only=True):
    """method, path: ``:name`` stands for any one part of the path.

    summary: one line for readers of the document. takes: the shape of the body, if one is read.
    answers: statuses that are no errors, and the shape of their bodies; None where that is no JSON.
    errors: the statuses of errors beside those that any route can give. signed_in: a session is needed.
    key: takes an Idempotency-Key.
    page: also answers with a page, to whoever asks for one. operator: an operator's key is taken.
    body_limit: bytes of a body, if not as everywhere. limited: counts against its caller's rate.
    foreign: another site's page may lead a browser here, for no cookie counts.
    """

    method: str
    path: str
    handle: Handler
    summary: str
    answers: dict[int, Any]
    errors: tuple[int, ...] = ()
    takes: type | None = None
    query: tuple[Query, ...] = ()
    signed_in: bool = False
    key: bool = False
    page: bool = False
    operator: bool = False
    body_limit: int | None = None
    limited: bool = True
    foreign: bool = False


def endpoints(routes: Iterable[Route]) -> Mapping[str, Handler]:
    """What answers at each path: every call, whatever its method, and never with an exception."""
    in_order = sorted(routes, key=lambda route: route.path)
    return {path: _endpoint([*same]) for path, same in groupby(in_order, lambda route: route.path)}


def mounted(answering: Mapping[str, Handler]) -> list[ASGIRouteHandler]:
    """The endpoints as Litestar takes them."""
    return [_mounted(path, endpoint) for path, endpoint in answering.items()]


def _mounted(path: str, endpoint: Handler) -> ASGIRouteHandler:
    @asgi(path, copy_scope=False)
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        answer = await endpoint(scope["call"])
        await answer(scope, receive, send)

    return serve


def _endpoint(routes: list[Route]) -> Handler:
    handlers = {route.method: route.handle for route in routes}
    if "GET" in handlers:
        # The edge leaves out the body.
        handlers["HEAD"] = handlers["GET"]
    allow = (b"allow", ", ".join(sorted({*handlers, "OPTIONS"})).encode())

    async def answer(call: Call) -> Answer:
        method = call.scope["method"]
        handle = handlers.get(method)
        if handle is None:
            return empty(allow) if method == "OPTIONS" else problem(405, "Method Not Allowed", allow)
        try:
            return await handle(call)
        except Exception as error:
            return answer_to(error)

    return answer
