"""A webhook is a hint: believed by its signature only, remembered once, harmless in any order and number."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec import Struct

from tests.payments.stripe_shop import StripeShop, stripe_shop
from tests.stripe.forging import Flaw
from tests.stripe.running import SECRET, RunningStripe
from tests.stripe.signing import signature
from tests.stripe.webhooks import Rule, Target

FLAWS: list[Flaw] = [
    "unsigned",
    "wrong_secret",
    "altered",
    "truncated",
    "stale",
    "future",
    "no_time",
    "no_signature",
    "only_v0",
    "garbage",
]


@pytest.fixture
async def till(tmp_path: Path, double: RunningStripe) -> AsyncIterator[StripeShop]:
    """Webhooks are held back until a test wants them."""
    await double.control.rule(Rule(action="hold"))
    async with stripe_shop(tmp_path / "data", double) as shop:
        yield shop


async def held(till: StripeShop) -> list[str]:
    return [each.event for each in await till.double.control.deliveries("held")]


async def deliveries(till: StripeShop) -> list[str]:
    """The streams of those that are remembered."""
    return [fact.stream for fact in await till.shop.log() if fact.category == "delivery"]


@pytest.mark.parametrize("flaw", FLAWS)
async def test_what_is_not_genuine_is_refused_in_one_way_and_leaves_nothing(
    till: StripeShop, flaw: Flaw
) -> None:
    order = await till.reserved()
    await till.pay(order)
    head = till.shop.head()
    [event, *_] = await held(till)
    assert await till.double.control.forge(flaw, event=event) == 400
    assert till.shop.head() == head


async def test_a_delivery_is_remembered_for_ever_and_a_repeat_adds_nothing(till: StripeShop) -> None:
    order = await till.reserved()
    await till.pay(order)
    events = await held(till)
    assert set(await till.double.control.deliver(events * 3)) == {200}
    assert sorted(await deliveries(till)) == sorted(f"delivery-{event}" for event in events)
    [fact] = await till.shop.stream(f"delivery-{events[0]}")
    assert fact.event.reference == await till.intent_of(order)
    assert fact.event.payment == await till.payment_of(order)


# ── In any order, and any number of them ──────────────────────────────────────────────────────────


class Story(Struct, frozen=True):
    """What happens at Stripe while its webhooks are held back, and how that ends here.

    orders: how many orders of the last deliveries are tried. payment, ticket: what is written in the end.
    """

    happens: Callable[[StripeShop, dict[str, Any]], Awaitable[None]]
    orders: int
    status: str
    payment: tuple[str, ...]
    ticket: str
    kept: int


async def confirmed(till: StripeShop, order: dict[str, Any]) -> None:
    await till.pay(order, "pm_card_threeDSecure2Required")
    await till.double.control.authenticate(await till.intent_of(order))


async def refunded(till: StripeShop, order: dict[str, Any]) -> None:
    """In two parts, at Stripe's own desk."""
    await till.pay(order)
    intent, refunds = await till.intent_of(order), till.double.client().v1.refunds
    await refunds.create_async({"payment_intent": intent, "amount": 500})
    await refunds.create_async({"payment_intent": intent})


async def disputed(till: StripeShop, order: dict[str, Any], how: str) -> None:
    await till.pay(order)
    dispute = await till.double.control.open_dispute(await till.intent_of(order))
    await till.double.control.close_dispute(dispute.id, how)


_PAID = ("PaymentRequested", "PaymentAuthorized", "PaymentCaptured")
STORIES = {
    "confirmed at the bank": Story(
        confirmed,
        24,
        "complete",
        ("PaymentRequested", "PaymentActionRequired", "PaymentAuthorized", "PaymentCaptured"),
        "TicketSold",
        2000,
    ),
    "refunded in parts": Story(
        refunded, 24, "complete", (*_PAID, "PaymentRefunded", "PaymentRefunded"), "TicketReturned", 0
    ),
    "dispute lost": Story(
        partial(disputed, how="lost"),
        24,
        "complete",
        (*_PAID, "PaymentDisputed", "DisputeLost"),
        "TicketReturned",
        2000,
    ),
    "dispute won": Story(
        partial(disputed, how="won"),
        6,
        "complete",
        (*_PAID, "PaymentDisputed", "DisputeWon"),
        "TicketSold",
        2000,
    ),
}


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", STORIES)
async def test_whatever_order_and_number_they_come_in_the_end_is_the_same(
    till: StripeShop, name: str
) -> None:
    """A purchase for each order of its last deliveries, one of them twice: all end alike."""
    story = STORIES[name]
    for number in range(story.orders):
        order, before = await till.reserved(), len(await held(till))
        await story.happens(till, order)
        events = (await held(till))[before:]
        *first, a, b, c, d = events
        some = [*first, *list(permutations((a, b, c, d)))[number]]
        assert set(await till.double.control.deliver([*some, some[number % len(some)]])) == {200}
        await till.until_event(f"ticket-{order['ticket']['id']}", story.ticket)
        await till.until(order, story.status)
        assert tuple(await till.events(f"payment-{await till.payment_of(order)}")) == story.payment
        _, captured, back = await till.sums(order)
        assert captured - back == story.kept


async def test_a_secret_can_be_replaced_while_both_are_in_force(
    tmp_path: Path, double: RunningStripe
) -> None:
    both = ("whsec_the_old_one", "whsec_the_new_one")
    async with stripe_shop(tmp_path / "data", double, stripe_webhook_secrets=both) as till:
        order = await till.reserved()
        await till.pay(order)
        [event, *_] = [each.event for each in await double.control.deliveries()]
        url = till.webhook_url
        for secret, answer in ((both[0], 200), (both[1], 200), ("whsec_another", 400)):
            await double.control.send_webhooks_to(Target(url=url, secrets=[secret]))
            assert await double.control.deliver([event]) == [answer]


async def test_an_event_of_real_money_is_not_taken_by_a_shop_of_test_cards(
    till: StripeShop, caplog: pytest.LogCaptureFixture
) -> None:
    """The body is signed, and says livemode; the shop's key is a test key."""
    head = till.shop.head()
    body = (
        '{"id":"evt_1","type":"payment_intent.succeeded","created":1,"livemode":true,'
        '"data":{"object":{"id":"pi_1","object":"payment_intent"}}}'
    )
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(
            till.webhook_url,
            content=body,
            headers={"stripe-signature": signature(body, [SECRET], int(time.time()))},
        )
    assert answer.status_code == 400
    assert till.shop.head() == head
    assert "livemode" in caplog.text


async def test_a_delivery_about_nothing_of_ours_is_remembered_and_changes_nothing_else(
    till: StripeShop,
) -> None:
    assert (
        await till.double.control.forge("none", object={"id": "pi_else", "object": "payment_intent"}) == 200
    )
    assert len(await deliveries(till)) == 1
    assert {fact.category for fact in await till.shop.log()} == {"delivery"}


async def test_a_body_beyond_all_events_is_refused_unread(till: StripeShop) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(till.webhook_url, content=b"x" * (256 * 1024 + 1))
        assert answer.status_code == 413
        answer = await client.post(till.webhook_url, content=b"x" * (64 * 1024))
        assert answer.status_code == 400


async def test_without_a_secret_there_is_no_such_route(tmp_path: Path, double: RunningStripe) -> None:
    async with stripe_shop(tmp_path / "data", double, webhooks=False, stripe_webhook_secrets=()) as till:
        answer = await till.shop.client().post("/api/webhooks/stripe", content=b"{}")
        assert answer.status_code == 404
