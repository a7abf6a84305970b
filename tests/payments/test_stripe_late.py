"""A success that comes after the hold has ended: it buys the ticket if that is still free and policy allows.

Otherwise the money goes back. The order says which.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.payments.stripe_shop import StripeShop, stripe_shop
from tests.stripe.faults import Fault
from tests.stripe.running import RunningStripe


@asynccontextmanager
async def short_holds(data: Path, double: RunningStripe, **changed: Any) -> AsyncIterator[StripeShop]:
    """Holds and graces of a second; what fails is tried again soon; nobody sends webhooks."""
    second = timedelta(seconds=1)
    soon = (timedelta(seconds=0.3),) * 100
    async with stripe_shop(
        data, double, webhooks=False, hold=second, grace=second, retry_delays=soon, **changed
    ) as shop:
        yield shop


@pytest.fixture
async def till(tmp_path: Path, double: RunningStripe) -> AsyncIterator[StripeShop]:
    async with short_holds(tmp_path / "data", double) as shop:
        yield shop


@pytest.fixture
async def strict_till(tmp_path: Path, double: RunningStripe) -> AsyncIterator[StripeShop]:
    """Late money buys nothing here."""
    async with short_holds(tmp_path / "data", double, late_sales=False) as shop:
        yield shop


async def pays_late(till: StripeShop, *, taken: bool = False) -> tuple[dict[str, Any], str]:
    """Stripe cannot be reached for it when the hold ends, and the buyer confirms before it can.

    The order, and its payment's stream. taken: a rival has bought the ticket by then.
    """
    order = await till.reserved()
    assert (await till.pay(order, "pm_card_threeDSecure2Required")).status_code == 202
    intent, stream = await till.intent_of(order), f"payment-{await till.payment_of(order)}"
    await till.double.control.fault(Fault(contains=intent, action="lose_request", times=None))
    await till.until(order, "cancelled")
    if taken:
        await till.until_event(f"ticket-{order['ticket']['id']}", "TicketReleased")
        rival = await till.shop.ordered(order["ticket"], "other")
        assert (await till.pay(rival, buyer="other")).status_code == 201
    await till.double.control.authenticate(intent)
    assert await till.sums(order) == (2000, 0, 0)
    await till.double.control.clear_faults()
    return order, stream


async def reasons(till: StripeShop, stream: str) -> list[str]:
    return [fact.event.reason for fact in await till.shop.stream(stream) if hasattr(fact.event, "reason")]


async def test_a_buyer_who_confirms_after_the_end_gets_the_ticket_if_it_is_still_free(
    till: StripeShop,
) -> None:
    order, _ = await pays_late(till)
    await till.until(order, "complete")
    assert await till.sums(order) == (0, 2000, 0)
    assert (await till.events(f"order-{order['id']}"))[-3:] == [
        "OrderCancelled",
        "OrderRevived",
        "OrderCompleted",
    ]
    assert (await till.events(f"ticket-{order['ticket']['id']}"))[-3:] == [
        "TicketReleased",
        "TicketReserved",
        "TicketSold",
    ]
    ticket = (await till.shop.client().get(f"/api/tickets/{order['ticket']['id']}")).json()
    assert ticket["orderId"] == order["id"]
    listed = await till.listed(order, "complete")
    shown = (await till.shop.client("buyer").get(f"/api/orders/{order['id']}")).json()
    assert (shown["status"], shown["version"]) == ("complete", 2)
    assert listed["version"] == 2
    told = (await till.shop.client("buyer").get(f"/api/v1/orders/{order['id']}/explain")).json()
    assert any("(OrderRevived)" in why for why in told["because"])


async def test_a_buyer_who_confirms_after_somebody_else_took_the_ticket_has_nothing_taken(
    till: StripeShop,
) -> None:
    order, stream = await pays_late(till, taken=True)
    await till.until_event(stream, "PaymentVoided")
    assert await till.status(order) == "cancelled"
    assert await till.sums(order) == (0, 0, 0)
    assert await reasons(till, stream) == ["order expired"]
    assert await reasons(till, f"order-{order['id']}") == ["expired", "the ticket was sold to another order"]
    assert (await till.events(f"order-{order['id']}"))[-1] == "LatePaymentRefused"


async def test_where_late_money_buys_nothing_it_is_let_go_and_the_order_says_so(
    strict_till: StripeShop,
) -> None:
    till = strict_till
    order, stream = await pays_late(till)
    await till.until_event(stream, "PaymentVoided")
    assert await till.sums(order) == (0, 0, 0)
    assert await reasons(till, stream) == ["order expired"]
    assert (await reasons(till, f"order-{order['id']}")) == [
        "expired",
        "late money does not buy tickets here",
    ]
    assert (await till.shop.ordered(order["ticket"], "other"))["status"] == "created"


async def test_money_that_was_taken_though_the_order_was_over_goes_back_with_the_reason(
    strict_till: StripeShop,
) -> None:
    """The answer to the capture is lost, and so is every other, until the order is over."""
    till = strict_till
    order = await till.reserved()
    fault = Fault(operation="payment_intents.capture", action="lose_reply", times=None)
    await till.double.control.fault(fault)
    assert (await till.pay(order)).status_code == 503
    await till.until(order, "cancelled")
    await till.double.control.clear_faults()
    stream = f"payment-{await till.payment_of(order)}"
    await till.until_event(stream, "PaymentRefunded")
    assert await till.sums(order) == (0, 2000, 2000)
    assert await reasons(till, stream) == ["order expired"]
    assert (await reasons(till, f"order-{order['id']}")) == [
        "expired",
        "late money does not buy tickets here",
    ]
    assert (await till.shop.ordered(order["ticket"], "other"))["status"] == "created"
