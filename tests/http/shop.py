"""A shop to test: clients that are signed in as somebody, and a look at the log behind it."""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import jwt

from deploy.app import Application, build
from deploy.reading import EMBEDDED
from deploy.settings import Settings
from domain.decider import AnyRecorded
from tests.eventstoredb.cluster import Cluster

KEY = b"the key of the house, long enough by far"
OPERATOR = "an operator's key, 32 bytes and more: 7f3a9c"
BEARER = {"authorization": f"Bearer {OPERATOR}"}
"""What an operator sends."""
SOME_ID = "5f1e9a0c2b4d6e8f0a1c3e5d"
"""The shape of an id, and nobody's."""

HOST = "http://127.0.0.1:8000"


def forged(user: str, *, key: bytes = KEY, **claims: Any) -> str:
    """The cookie that the classic test suites make: base64 of a JWT in JSON, for whatever user id."""
    token = jwt.encode({"id": user, "email": f"{user}@test.com", "iat": 1_600_000_000, **claims}, key)
    return b64encode(json.dumps({"jwt": token}).encode()).decode()


KINDS = (EMBEDDED, "eventstoredb")
"""The stores that the whole suite runs on: the embedded file, and EventStoreDB's double over its protocol."""


@asynccontextmanager
async def empty_store(kind: str) -> AsyncIterator[str]:
    """An empty store of that kind, as ``--store`` names it. Shops on one data directory share it."""
    if kind == EMBEDDED:
        yield EMBEDDED
        return
    async with Cluster() as double:
        yield double.uri()


@asynccontextmanager
async def opened(data: Path, **changed: Any) -> AsyncIterator["Shop"]:
    """The product on ``data``, with the real log, desk, card simulator and read models."""
    told: dict[str, Any] = {
        "data": data,
        "demo": False,
        "jwt_key": (KEY,),
        "operator_key": (b"an older key of an operator: 8d1e0b2", OPERATOR.encode()),
        "classic_sessions": True,
        "rate_limit": None,
    }
    application = await build(Settings(**{**told, **changed}))
    try:
        await application.start()
        shop = Shop(application)
        yield shop
        await shop.close()
    finally:
        await application.stop()


class Shop:
    def __init__(self, application: Application) -> None:
        self.application = application
        self._clients: list[httpx.AsyncClient] = []

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()

    def client(
        self, user: str | None = None, *, cookie: str = "session", **options: Any
    ) -> httpx.AsyncClient:
        """A browser of its own, signed in as ``user`` if one is named."""
        transport = httpx.ASGITransport(self.application.asgi, raise_app_exceptions=False)  # type: ignore[arg-type]
        client = httpx.AsyncClient(transport=transport, base_url=HOST, **options)
        if user is not None:
            client.cookies.set(cookie, forged(user))
        self._clients.append(client)
        return client

    async def listed(self, seller: str = "seller", title: str = "concert", price: Any = 20) -> dict[str, Any]:
        body = {"title": title, "price": price}
        ticket: dict[str, Any] = made(await self.client(seller).post("/api/tickets", json=body))
        return ticket

    async def ordered(self, ticket: dict[str, Any], buyer: str = "buyer") -> dict[str, Any]:
        body = {"ticketId": ticket["id"]}
        order: dict[str, Any] = made(await self.client(buyer).post("/api/orders", json=body))
        return order

    def head(self) -> int:
        return self.application.store.head()

    async def log(self) -> list[AnyRecorded]:
        """The whole log, as it is now."""
        found: list[AnyRecorded] = []
        if (head := self.head()) > 0:
            async for batch in self.application.store.follow(0):
                found.extend(batch)
                if found[-1].position >= head:
                    break
        return found

    async def stream(self, stream: str) -> Sequence[AnyRecorded]:
        return await self.application.store.read(stream)


def raw(headers: dict[str, str | bytes]) -> dict[bytes, bytes]:
    """Headers with bytes in them that no client would send."""
    return {
        name.encode(): value if isinstance(value, bytes) else value.encode("latin-1")
        for name, value in headers.items()
    }


def made(response: httpx.Response) -> Any:
    assert response.status_code == 201, response.text
    return response.json()


def errors(response: httpx.Response) -> list[dict[str, str]]:
    """The errors that an answer tells, in the one shape that all errors have."""
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    found: list[dict[str, str]] = body["errors"]
    assert found
    assert all(set(error) <= {"message", "field"} and error["message"] for error in found)
    return found


def problem(response: httpx.Response) -> dict[str, Any]:
    """What an answer under /api/v1 tells of its error, in the shape of RFC 9457."""
    assert response.headers["content-type"] == "application/problem+json"
    details: dict[str, Any] = response.json()
    assert details["status"] == response.status_code
    return details


def message(response: httpx.Response) -> str:
    (error,) = errors(response)
    return error["message"]


def fields(response: httpx.Response) -> list[str]:
    return [error["field"] for error in errors(response)]


async def soon(holds: Callable[[], Awaitable[Any]], seconds: float = 5.0) -> None:
    """Wait until it holds."""
    ends = monotonic() + seconds
    while not await holds():
        assert monotonic() < ends, "it never came to hold"
        await asyncio.sleep(0.01)
