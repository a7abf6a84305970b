"""Requests that take too long, bodies that never end, streams that cannot be read: each has its answer."""

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from domain.decider import Proposed
from domain.ticket import TicketDelisted
from gateways.codec import Codec
from gateways.embedded import EmbeddedStore
from tests.http.shop import Shop, made, message, opened

# ── Time ──────────────────────────────────────────────────────────────────────────────────────────


async def asgi(shop: Shop, chunks: list[bytes], headers: dict[str, str]) -> tuple[int, Any]:
    """A request whose body stops coming after ``chunks``."""
    sent: list[Any] = []
    waiting = [*chunks]

    async def receive() -> Any:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(0), "more_body": True}
        await asyncio.Event().wait()
        return None

    async def send(event: Any) -> None:
        sent.append(event)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/users/signin",
        "query_string": b"",
        "scheme": "http",
        "client": ("127.0.0.1", 1),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    await shop.application.asgi(scope, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


async def test_a_body_that_never_ends_is_given_up(shop: Shop) -> None:
    shop.application.asgi._deadlines._seconds = 0.2
    status, body = await asgi(shop, [b'{"email":'], {"content-type": "application/json"})
    assert status == 408
    assert body["errors"]
    # The task that served it is not left as one that is being cancelled.
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_request_that_takes_too_long_is_503_and_its_outcome_unknown(shop: Shop) -> None:
    shop.application.asgi._deadlines._seconds = 0.2
    order = await shop.ordered(await shop.listed())
    client, body = shop.client("buyer"), {"token": "tok_slow", "orderId": order["id"]}  # three seconds
    response = await client.post("/api/payments", json=body, headers={"idempotency-key": "slow"})
    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    assert "same Idempotency-Key" in message(response)
    # The same key settles it, though the first request was cut off in the middle.
    shop.application.asgi._deadlines._seconds = 10
    made(await client.post("/api/payments", json=body, headers={"idempotency-key": "slow"}))


async def test_a_request_that_its_server_cancels_is_not_answered(shop: Shop) -> None:
    task = asyncio.create_task(asgi(shop, [b"{"], {"content-type": "application/json"}))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not shop.application.asgi._deadlines._began


# ── What cannot be read ───────────────────────────────────────────────────────────────────────────


async def test_a_ticket_that_a_newer_version_wrote_to_is_503_and_not_decided_on(tmp_path: Path) -> None:
    newer = Codec(upcasters={("TicketDelisted", 1): lambda raw: raw})
    async with opened(tmp_path) as shop, AsyncExitStack() as closing:
        store = await EmbeddedStore.open(tmp_path / "log.sqlite", newer)
        closing.push_async_callback(store.close)
        ticket = await shop.listed()
        stream = f"ticket-{ticket['id']}"
        (listed,) = await shop.stream(stream)
        await store.append(stream, [Proposed(uuid4(), TicketDelisted(), listed.metadata)], 0)
        head, buyer = shop.head(), shop.client("buyer")
        for answer in (
            await buyer.post("/api/orders", json={"ticketId": ticket["id"]}),
            await buyer.get(f"/api/tickets/{ticket['id']}"),
        ):
            assert answer.status_code == 503
            assert "operator" in message(answer)
            assert "retry-after" in answer.headers
        assert shop.head() == head
