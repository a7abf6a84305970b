"""A success that comes after the hold has ended: the money goes back, and the order says why."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.payments.stripe_shop import StripeShop, stripe_shop
from tests.stripe.faults import Fault
from tests.stripe.running import RunningStripe


@pytest.fixture
async def till(tmp_path: Path, double: RunningStripe) -> AsyncIterator[StripeShop]:
    """Holds and graces of a second; what fails is tried again soon; nobody sends webhooks."""
    second = timedelta(seconds=1)
    soon = (timedelta(seconds=0.3),) * 20
    async with stripe_shop(
        tmp_path / "data", double, webhooks=False, hold=second, grace=second, retry_delays=soon
    ) as shop:
        yield shop


async def test_a_buyer_who_confirms_after_the_end_has_nothing_taken_and_the_order_says_so(
    till: StripeShop,
) -> None:
    """Stripe cannot be reached when the hold ends, and the buyer confirms before it can."""
    order = await till.reserved()
    assert (await till.pay(order, "pm_card_threeDSecure2Required")).status_code == 202
    intent, stream = await till.intent_of(order), f"payment-{await till.payment_of(order)}"
    await till.double.control.fault(Fault(operation="payment_intents.*", action="lose_request", times=None))
    await till.until(order, "cancelled")
    await till.double.control.authenticate(intent)
    assert await till.sums(order) == (2000, 0, 0)
    await till.double.control.clear_faults()
    await till.until_event(stream, "PaymentVoided")
    assert await till.sums(order) == (0, 0, 0)
    [*_, voided] = await till.shop.stream(stream)
    assert voided.event.reason == "order expired"
    assert (await till.shop.ordered(order["ticket"], "other"))["status"] == "created"


async def test_money_that_was_taken_though_the_order_was_over_goes_back_with_the_reason(
    till: StripeShop,
) -> None:
    """The answer to the capture is lost, and so is every other, until the order is over."""
    order = await till.reserved()
    fault = Fault(operation="payment_intents.capture", action="lose_reply", times=None)
    await till.double.control.fault(fault)
    assert (await till.pay(order)).status_code == 503
    await till.until(order, "cancelled")
    await till.double.control.clear_faults()
    stream = f"payment-{await till.payment_of(order)}"
    await till.until_event(stream, "PaymentRefunded")
    assert await till.sums(order) == (0, 2000, 2000)
    asked = [fact.event.reason for fact in await till.shop.stream(stream) if hasattr(fact.event, "reason")]
    assert asked == ["order expired"]
    assert (await till.shop.ordered(order["ticket"], "other"))["status"] == "created"
