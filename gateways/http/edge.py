"""The edge: the one thin layer between the network and the routes.

What holds for every request stands here and nowhere else: a path in one spelling, a request id, limits
on rate, size and time, headers on every answer, and one line in the log.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any

import structlog
from structlog.contextvars import bind_contextvars

from gateways.http.answer import CLOSED, Answer, App, Header, Message, Receive, Scope, Send
from gateways.http.call import Call, too_long
from gateways.http.deadlines import Deadlines
from gateways.http.errors import CLOSE, NotFound, TooLate, answer_to, too_many
from gateways.http.options import HttpOptions
from gateways.http.origins import Origins, Proxies
from gateways.http.pages import Page, wants_page
from gateways.http.paths import Paths
from gateways.http.problems import V1, in_detail
from gateways.http.ratelimit import Limiter
from gateways.http.routes import Handler, Route
from gateways.http.session import SessionCookies

HEALTH = frozenset({"/healthz", "/livez", "/readyz"})

_PLAIN_HOST = re.compile(rb"[\w.:\[\]-]*")

_ALWAYS: tuple[Header, ...] = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
_HTTPS_ONLY: Header = (b"strict-transport-security", b"max-age=63072000; includeSubDomains")


class Edge:
    """The ASGI application that a server runs.

    app: answers whatever no endpoint does. endpoints: what answers at each path.
    draining: about to stop; connections are not kept. routes: what is served.
    """

    def __init__(
        self,
        app: App,
        endpoints: Mapping[str, Handler],
        options: HttpOptions,
        sessions: SessionCookies,
        routes: Sequence[Route],
    ) -> None:
        self.draining = False
        self.routes = routes
        self._app = app
        self._endpoints = endpoints
        self._sessions = sessions
        self._paths = Paths(route.path for route in routes)
        self._limiter = Limiter(options.rate_limit, options.rate_file) if options.rate_limit else None
        self._proxies = Proxies(options.trusted_proxies)
        self._origins = Origins(options.origins)
        self._https = options.secure_cookies
        self._body_limit = options.body_limit
        self._body_limits = {route.path: route.body_limit for route in routes if route.body_limit}
        self._pages = {route.path for route in routes if route.page}
        self._foreign = {route.path for route in routes if route.foreign}
        self._unlimited = HEALTH | {route.path for route in routes if not route.limited}
        self._deadlines = Deadlines(options.deadline)
        self._log = structlog.get_logger("admitone.http").bind()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def close(self) -> None:
        if self._limiter is not None:
            self._limiter.close()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = perf_counter()
        path = scope["path"]
        scope["path"], names = self._paths.find(path)
        secure = self._https or self._proxies.secure(scope)
        limit = self._body_limits.get(scope["path"], self._body_limit)
        call = Call(scope, receive, self._sessions, limit, path=path, names=names, secure=secure)
        bind_contextvars(request_id=call.request_id)
        try:
            answer = self._refusal(call) or await self._answer(call, receive, send)
            if answer is not None and not call.status:
                if answer.status >= 400 and not isinstance(answer, Page) and self._tells_in_detail(call):
                    answer = in_detail(call, answer)
                call.status = answer.status
                await answer.send(scope, send, answer.policy, *self._headers(call))
        finally:
            self._note(call, began)

    def _tells_in_detail(self, call: Call) -> bool:
        """Under /api/v1, and where a browser asks for a page; the classic surface has a shape of its own."""
        return call.path.startswith(V1) or (call.scope["path"] in self._pages and wants_page(call))

    async def _answer(self, call: Call, receive: Receive, send: Send) -> Answer | None:
        """What the request is answered; if that takes too long, what says so. None: it was sent already."""
        task = self._deadlines.begin()
        try:
            endpoint = self._endpoint(call)
            if endpoint is not None:
                return await endpoint(call)
            if call.path.startswith(V1) and call.scope["path"] not in self._endpoints:
                return answer_to(NotFound())
            await self._pass_on(call, receive, send)
        except asyncio.CancelledError:
            if not self._deadlines.is_late(task):
                raise
            task.uncancel()
            return answer_to(TooLate(call.reading))
        except Exception as error:
            return answer_to(error)
        finally:
            self._deadlines.end(task)
        return None

    def _endpoint(self, call: Call) -> Handler | None:
        # An odd name of a host is for Litestar to judge.
        plain = _PLAIN_HOST.fullmatch(call.headers.get(b"host", b""))
        return self._endpoints.get(call.scope["path"]) if plain else None

    async def _pass_on(self, call: Call, receive: Receive, send: Send) -> None:
        """Let Litestar find the answer, which goes out as it comes."""
        call.scope["call"] = call
        head = call.scope["method"] == "HEAD"

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                call.status = message["status"]
                message["headers"] = [*message["headers"], CLOSED, *self._headers(call)]
            elif head:
                message["body"] = b""
            await send(message)

        await self._app(call.scope, receive, dressed)

    def _refusal(self, call: Call) -> Answer | None:
        """What is refused whatever the route."""
        if self._limiter is not None and call.scope["path"] not in self._unlimited:
            wait = self._limiter.refuse(self._proxies.address(call.scope))
            if wait is not None:
                return too_many(wait)
        length = call.headers.get(b"content-length")
        if length is not None and not (
            len(length) < 19 and length.isdigit() and int(length) <= call.body_limit
        ):
            return answer_to(too_long(call.body_limit))
        if call.scope["path"] in self._foreign:
            return None
        return self._origins.refuse(call) or self._origins.preflight(call)

    def _headers(self, call: Call) -> list[Header]:
        headers = [*_ALWAYS, (b"x-request-id", call.request_id.encode()), *self._origins.headers(call)]
        if call.secure:
            headers.append(_HTTPS_ONLY)
        if self.draining:
            headers.append(CLOSE)
        return headers

    def _note(self, call: Call, began: float) -> None:
        note: dict[str, Any] = {"method": call.scope["method"], "path": call.path, "status": call.status}
        if call.known is not None:
            note["user"] = call.known.user
        say = self._log.debug if call.scope["path"] in HEALTH else self._log.info
        say("request", ms=round((perf_counter() - began) * 1000, 2), **note)
