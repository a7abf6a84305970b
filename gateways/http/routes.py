"""A route as a value: what is served where, and what its document says. Litestar finds the way to it.

Handlers hang in Litestar's routing as plain ASGI applications, one for each path: a call to one of
Litestar's own handlers costs four times as much, and nothing that it adds is needed here.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from itertools import groupby
from typing import Any

from litestar import Litestar
from litestar.handlers import ASGIRouteHandler, asgi
from litestar.routes import ASGIRoute
from msgspec import Struct

from gateways.http.answer import Answer, App, Receive, Scope, Send, empty
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
    answers: statuses that are no errors, and the shape of their bodies. errors: the statuses of errors
    beside those that any route can give. signed_in: a session is needed. key: takes an Idempotency-Key.
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


def mounted(routes: Iterable[Route]) -> list[ASGIRouteHandler]:
    """The routes as Litestar takes them."""
    in_order = sorted(routes, key=lambda route: route.path)
    return [_endpoint(path, [*same]) for path, same in groupby(in_order, lambda route: route.path)]


def endpoints(app: Litestar) -> Mapping[str, App]:
    """Where Litestar leads each of its paths. It always leads there, and asking it anew costs 20 µs."""
    return {route.path: route.route_handler.fn for route in app.routes if isinstance(route, ASGIRoute)}


def _endpoint(path: str, routes: list[Route]) -> ASGIRouteHandler:
    handlers = {route.method: route.handle for route in routes}
    if "GET" in handlers:
        # The edge leaves out the body.
        handlers["HEAD"] = handlers["GET"]
    allow = (b"allow", ", ".join(sorted({*handlers, "OPTIONS"})).encode())

    async def answer(call: Call, method: str) -> Answer:
        handle = handlers.get(method)
        if handle is not None:
            return await handle(call)
        return empty(allow) if method == "OPTIONS" else problem(405, "Method Not Allowed", allow)

    @asgi(path, copy_scope=False)
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            answered = await answer(scope["call"], scope["method"])
        except Exception as error:
            answered = answer_to(error)
        await answered(scope, receive, send)

    return serve
