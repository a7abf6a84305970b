"""The HTTP server: one ASGI application for the API, the control API and the owner's page."""

from typing import Any, TypeAlias
from urllib.parse import parse_qsl

import msgspec

from tests.stripe import page
from tests.stripe.bank import Bank
from tests.stripe.connection import CUT
from tests.stripe.control import Control
from tests.stripe.errors import StripeError, refused
from tests.stripe.service import Answer, LineCut, Request, Service
from tests.stripe.webhooks import Webhooks

Scope: TypeAlias = dict[str, Any]
LARGEST_BODY = 1_000_000
_CONTROL = "/_control/"
_PAGE = "/3d_secure/"


class App:
    """For uvicorn with ``Line`` as its protocol."""

    def __init__(self, bank: Bank, service: Service, webhooks: Webhooks) -> None:
        self._bank = bank
        self._service = service
        self._webhooks = webhooks
        self._control = Control(bank, service, webhooks)

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        body = await _body(receive)
        try:
            answer = await self._answer(scope, body)
        except LineCut as cut:
            scope["extensions"][CUT](cut.reset)
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        finally:
            self._webhooks.wake()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(answer.body))}
        told = [(name.encode(), value.encode()) for name, value in (headers | answer.headers).items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": told})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: Scope, body: bytes) -> Answer:
        method, path = str(scope["method"]), str(scope["path"])
        try:
            if len(body) > LARGEST_BODY:
                raise refused("The body is too large", status=413, kept=False)
            if path.startswith(_CONTROL):
                query = dict(parse_qsl(scope["query_string"].decode()))
                found = await self._control.answer(method, path.removeprefix(_CONTROL), query, body)
                return Answer(200, msgspec.json.encode(found))
            if path.startswith(_PAGE):
                name = path.removeprefix(_PAGE)
                if method == "POST":
                    return page.answered(self._bank, name, dict(parse_qsl(body.decode())).get("outcome", ""))
                return page.shown(self._bank, name)
        except StripeError as error:
            return Answer(error.status, msgspec.json.encode({"error": error.problem}))
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        query_string = scope["query_string"].decode("latin-1")
        return await self._service.answer(
            Request(method, path, query_string, headers, body.decode("utf-8", "replace"))
        )


async def _body(receive: Any) -> bytes:
    """All of it, but no more than just beyond the largest that is taken."""
    parts, size, more = list[bytes](), 0, True
    while more:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size <= LARGEST_BODY + len(part):
            parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts)
