"""The endings of a purchase over HTTP, on Stripe's API with the real SDK: with webhooks and without any."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from processmanager.desk import Cause
from tests.payments.stripe_shop import StripeShop, stripe_shop
from tests.stripe.faults import Action, Fault
from tests.stripe.running import RunningStripe


@pytest.fixture(params=[True, False], ids=["with webhooks", "without any webhook"])
async def till(
    request: pytest.FixtureRequest, tmp_path: Path, double: RunningStripe
) -> AsyncIterator[StripeShop]:
    async with stripe_shop(tmp_path / "data", double, webhooks=request.param) as shop:
        yield shop


# ── Bought ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("token", ["tok_visa", "pm_card_visa"])
async def test_a_ticket_is_paid_for_in_one_go(till: StripeShop, token: str) -> None:
    order = await till.reserved()
    answer = await till.pay(order, token)
    assert answer.status_code == 201, answer.text
    assert await till.status(order) == "complete"
    assert await till.sums(order) == (0, 2000, 0)
    intent = await till.double.client().v1.payment_intents.retrieve_async(await till.intent_of(order))
    notes = intent.metadata.to_dict()
    assert (notes["order"], notes["payment"]) == (order["id"], answer.json()["id"])
    assert notes["request"] == (await till.shop.stream(f"order-{order['id']}"))[1].metadata.correlation


async def test_a_declined_card_says_so_and_a_second_card_pays(till: StripeShop) -> None:
    order = await till.reserved()
    answer = await till.pay(order, "tok_chargeDeclinedInsufficientFunds")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["message"] == "Your card has insufficient funds."
    assert (await till.pay(order)).status_code == 201
    assert await till.sums(order) == (0, 2000, 0)


async def test_a_card_that_somebody_else_has_on_file_takes_no_money(till: StripeShop) -> None:
    """The id of a PaymentMethod is no secret: it serves its own customer alone."""
    stripe = till.double.client()
    owner = await stripe.v1.customers.create_async({"description": "somebody else"})
    method = await stripe.v1.payment_methods.attach_async("pm_card_visa", {"customer": owner.id})
    order = await till.reserved()
    answer = await till.pay(order, method.id)
    assert answer.status_code == 400
    assert [*answer.json()] == ["errors"]
    assert await till.sums(order) == (0, 0, 0)
    assert (await till.pay(order)).status_code == 201


async def test_a_buyer_who_confirms_at_his_bank_has_bought(till: StripeShop) -> None:
    order = await till.reserved()
    answer = await till.pay(order, "pm_card_threeDSecure2Required", key="once")
    assert answer.status_code == 202
    body = answer.json()
    intent = await till.intent_of(order)
    assert (body["status"], body["clientSecret"].startswith(f"{intent}_secret_")) == ("requires_action", True)
    await till.double.control.authenticate(intent)
    # By the webhook if there is one; else by the return: the same request again.
    if not await _told_by_webhook(till):
        assert (await till.pay(order, "pm_card_threeDSecure2Required", key="once")).status_code == 201
    await till.until(order, "complete")
    assert await till.sums(order) == (0, 2000, 0)


async def _told_by_webhook(till: StripeShop) -> bool:
    return bool([each for each in await till.double.control.deliveries() if each.state != "unsent"])


async def test_no_secret_of_the_buyer_is_in_the_log(till: StripeShop) -> None:
    order = await till.reserved()
    answer = await till.pay(order, "pm_card_threeDSecure2Required")
    secret = answer.json()["clientSecret"]
    data = till.shop.application.store
    assert all(secret not in repr(fact) for fact in await till.shop.log())
    assert data.health() is None


# ── Not bought ────────────────────────────────────────────────────────────────────────────────────


async def test_a_buyer_who_fails_at_his_bank_is_told_and_pays_with_another_card(till: StripeShop) -> None:
    order = await till.reserved()
    assert (await till.pay(order, "pm_card_threeDSecure2Required", key="once")).status_code == 202
    await till.double.control.authenticate(await till.intent_of(order), ok=False)
    if not await _told_by_webhook(till):
        assert (await till.pay(order, "pm_card_threeDSecure2Required", key="once")).status_code == 400
    await till.until(order, "created")
    assert (await till.pay(order)).status_code == 201
    assert await till.sums(order) == (0, 2000, 0)


async def test_a_buyer_who_cancels_while_his_bank_waits_is_free_and_so_is_the_ticket(
    till: StripeShop,
) -> None:
    order = await till.reserved()
    assert (await till.pay(order, "pm_card_threeDSecure2Required")).status_code == 202
    intent = await till.intent_of(order)
    answer = await till.shop.client("buyer").delete(f"/api/orders/{order['id']}")
    assert answer.status_code == 204, answer.text
    assert await till.status(order) == "cancelled"
    found = await till.double.client().v1.payment_intents.retrieve_async(intent)
    assert found.status == "canceled"
    again = await till.shop.ordered(order["ticket"], "other")
    assert again["status"] == "created"


# ── Trouble ───────────────────────────────────────────────────────────────────────────────────────

LOST: list[Action] = ["lose_request", "lose_reply"]


@pytest.mark.parametrize("action", LOST)
@pytest.mark.parametrize("operation", ["payment_intents.create", "payment_intents.capture"])
async def test_a_lost_answer_before_or_after_the_money_moved_is_one_purchase(
    till: StripeShop, operation: str, action: Action
) -> None:
    order = await till.reserved()
    await till.double.control.fault(Fault(operation=operation, action=action))
    answer = await till.pay(order)
    assert answer.status_code == 201, answer.text
    assert await till.sums(order) == (0, 2000, 0)


@pytest.mark.parametrize("done", [True, False])
async def test_a_500_that_is_given_again_ends_in_a_sale_or_in_a_word_to_try_again(
    till: StripeShop, done: bool
) -> None:
    order = await till.reserved()
    fault = Fault(operation="payment_intents.create", action="error", status=500, done=done)
    await till.double.control.fault(fault)
    answer = await till.pay(order)
    if not done:
        assert (answer.status_code, await till.sums(order)) == (400, (0, 0, 0))
        answer = await till.pay(order)
    assert answer.status_code == 201, answer.text
    assert await till.sums(order) == (0, 2000, 0)


# ── Money back ────────────────────────────────────────────────────────────────────────────────────


async def refund(till: StripeShop, order: dict[str, str]) -> None:
    cause = Cause(correlation="word", causation="refund", actor="olga")
    await till.shop.application.marketplace.refund(order["id"], "the show is off", cause)


async def test_an_operator_gives_the_money_back_and_the_ticket_is_on_sale_again(till: StripeShop) -> None:
    order = await till.reserved()
    await till.pay(order)
    await refund(till, order)
    assert await till.sums(order) == (0, 2000, 2000)
    assert (await till.shop.ordered(order["ticket"], "other"))["status"] == "created"


async def test_a_refund_at_stripes_own_desk_is_found_out(till: StripeShop) -> None:
    """By the webhook, or by asking for the news."""
    order = await till.reserved()
    await till.pay(order)
    await till.double.client().v1.refunds.create_async({"payment_intent": await till.intent_of(order)})
    await _until(till, f"ticket-{order['ticket']['id']}", "TicketReturned")
    assert (await till.shop.ordered(order["ticket"], "other"))["status"] == "created"


async def test_a_dispute_is_found_out_and_followed_until_it_is_lost(till: StripeShop) -> None:
    order = await till.reserved()
    await till.pay(order)
    stream = f"payment-{await till.payment_of(order)}"
    dispute = await till.double.control.open_dispute(await till.intent_of(order))
    await _until(till, stream, "PaymentDisputed")
    await till.double.control.close_dispute(dispute.id, "lost")
    await _until(till, f"ticket-{order['ticket']['id']}", "TicketReturned")
    assert (await till.events(stream))[-1] == "DisputeLost"
    assert (await till.shop.ordered(order["ticket"], "other"))["status"] == "created"


async def test_a_ticket_whose_payment_is_in_question_is_frozen_until_the_bank_has_decided(
    till: StripeShop,
) -> None:
    order = await till.reserved()
    await till.pay(order)
    stream, path = f"payment-{await till.payment_of(order)}", f"/api/tickets/{order['ticket']['id']}"
    history = path.replace("/api/", "/api/v1/") + "/history"
    dispute = await till.double.control.open_dispute(await till.intent_of(order))
    await _until(till, stream, "PaymentDisputed")
    seller, page = till.shop.client("seller"), {"accept": "text/html"}
    assert (await seller.put(path, json={"title": "Another", "price": 1})).status_code == 400
    reserving = {"ticketId": order["ticket"]["id"]}
    assert (await till.shop.client("other").post("/api/orders", json=reserving)).status_code == 400
    assert (await seller.get(history)).json()["frozen"] is True
    assert "frozen until it has decided" in (await till.shop.client().get(history, headers=page)).text
    await till.double.control.close_dispute(dispute.id, "won")
    await _until(till, stream, "DisputeWon")
    told = (await seller.get(history)).json()
    assert told["frozen"] is False
    assert [entry["event"] for entry in told["history"]][-2:] == ["PaymentDisputed", "DisputeWon"]


async def _until(till: StripeShop, stream: str, event: str) -> None:
    """Without webhooks the minute is not waited for: its question is asked now."""
    if await _told_by_webhook(till):
        await till.until_event(stream, event)
    else:
        await till.ask_for_news()
    assert event in await till.events(stream)
