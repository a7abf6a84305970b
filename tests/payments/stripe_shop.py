"""The product on Stripe, as it is shipped: over HTTP, with webhooks or without any."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from domain.payment import payment
from tests.http.shop import Shop, opened
from tests.stripe.running import SECRET, RunningStripe
from tests.stripe.webhooks import Target

PATIENCE = 15.0
"""Seconds within which something must have come about."""


class StripeShop:
    """A shop, its Stripe, and the words of a buyer."""

    def __init__(self, shop: Shop, double: RunningStripe, webhook_url: str = "") -> None:
        self.shop = shop
        self.double = double
        self.webhook_url = webhook_url

    async def reserved(self, buyer: str = "buyer", price: Any = 20) -> dict[str, Any]:
        return await self.shop.ordered(await self.shop.listed(price=price), buyer)

    async def pay(
        self, order: dict[str, Any], token: str = "tok_visa", *, key: str = "", buyer: str = "buyer"
    ) -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        body = {"token": token, "orderId": order["id"]}
        return await self.shop.client(buyer).post("/api/payments", json=body, headers=headers)

    async def status(self, order: dict[str, Any], buyer: str = "buyer") -> str:
        answer = await self.shop.client(buyer).get(f"/api/orders/{order['id']}")
        assert answer.status_code == 200, answer.text
        status: str = answer.json()["status"]
        return status

    async def until(self, order: dict[str, Any], status: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while await self.status(order) != status:  # noqa: ASYNC110 -- it comes about in the background
                await asyncio.sleep(0.02)

    async def listed(self, order: dict[str, Any], status: str) -> dict[str, Any]:
        """The order in its buyer's list, which hears of ``status`` a little later than the order itself."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for found in (await self.shop.client("buyer").get("/api/orders")).json():
                    if (found["id"], found["status"]) == (order["id"], status):
                        return dict(found)
                await asyncio.sleep(0.02)

    async def until_event(self, stream: str, event: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while event not in await self.events(stream):  # noqa: ASYNC110 -- as above
                await asyncio.sleep(0.02)

    async def ask_for_news(self) -> None:
        """What the reconciler does each minute."""
        reconciler = self.shop.application.reconciler
        assert reconciler is not None
        await reconciler.once()

    async def events(self, stream: str) -> list[str]:
        return [type(fact.event).__name__ for fact in await self.shop.stream(stream)]

    async def payment_of(self, order: dict[str, Any]) -> str:
        """The attempt that the order was paid by, or is being paid by."""
        started = [
            fact for fact in await self.shop.stream(f"order-{order['id']}") if hasattr(fact.event, "payment")
        ]
        name: str = started[-1].event.payment
        return name

    async def intent_of(self, order: dict[str, Any]) -> str:
        """What Stripe calls it."""
        name = await self.payment_of(order)
        facts = await self.shop.stream(payment.stream(name))
        state = payment.fold(payment.initial, [fact.event for fact in facts])
        reference: str = state.reference  # type: ignore[union-attr]  # it has one by now, or the test fails
        return reference

    async def sums(self, order: dict[str, Any]) -> tuple[int, int, int]:
        """At Stripe: what is set aside still, what was captured, what went back."""
        found = (await self.double.control.orders()).get(order["id"])
        return (0, 0, 0) if found is None else (found.open, found.captured, found.refunded)


@asynccontextmanager
async def stripe_shop(
    data: Path, double: RunningStripe, *, webhooks: bool = True, **changed: Any
) -> AsyncIterator[StripeShop]:
    """``webhooks``: Stripe tells the shop, over HTTP; without, nobody does."""
    told = {
        "stripe_secret_key": double.key,
        "stripe_url": double.url,
        "stripe_webhook_secrets": (SECRET,),
        **changed,
    }
    async with opened(data, **told) as shop:
        if not webhooks:
            yield StripeShop(shop, double)
            return
        async with served(shop) as url:
            webhook_url = f"{url}/api/webhooks/stripe"
            await double.control.send_webhooks_to(Target(url=webhook_url, secrets=[SECRET]))
            yield StripeShop(shop, double, webhook_url)


@asynccontextmanager
async def served(shop: Shop) -> AsyncIterator[str]:
    """The shop on a port of its own, for who must reach it from another process."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(shop.application.asgi, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve([listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listening.close()
