"""The calls that most tests begin with."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import stripe
from stripe.params import PaymentIntentCreateParams

T = TypeVar("T")


def purchase(method: str = "pm_card_visa", amount: int = 2500, **more: Any) -> PaymentIntentCreateParams:
    """What creates and confirms an intent with manual capture, as a seller of tickets does it."""
    told: dict[str, Any] = {
        "amount": amount,
        "currency": "usd",
        "capture_method": "manual",
        "confirm": True,
        "metadata": {"order": "o1"},
        "allowed_payment_method_types": ["card"],
    }
    if method.startswith("tok_"):
        told["payment_method_data"] = {"type": "card", "card": {"token": method}}
    else:
        told["payment_method"] = method
    return told | more  # type: ignore[return-value]  # a plain dict of what the SDK takes


def error_of(raised: stripe.StripeError) -> dict[str, Any]:
    """The ``error`` object of the answer."""
    body: Any = raised.json_body
    return dict(body["error"])


async def until(question: Callable[[], Awaitable[T]]) -> T:
    """The first answer that is true. Raises TimeoutError after ten seconds."""
    async with asyncio.timeout(10):
        while not (answer := await question()):  # noqa: ASYNC110 -- it happens in another process
            await asyncio.sleep(0.01)
        return answer


async def authorized(client: stripe.StripeClient, method: str = "pm_card_visa", **more: Any) -> Any:
    """An intent whose money is set aside."""
    return await client.v1.payment_intents.create_async(purchase(method, **more))


async def captured(client: stripe.StripeClient, method: str = "pm_card_visa", **more: Any) -> Any:
    """An intent whose money was taken."""
    intent = await authorized(client, method, **more)
    return await client.v1.payment_intents.capture_async(intent.id)
