"""Disputes. https://docs.stripe.com/disputes and https://docs.stripe.com/testing#disputes"""

import pytest
import stripe

from tests.stripe.controlling import ControlRefused
from tests.stripe.paying import authorized, captured
from tests.stripe.running import RunningStripe

OPENED = ["charge.dispute.created", "charge.dispute.funds_withdrawn"]


async def types_of(client: stripe.StripeClient) -> list[str]:
    """The events about disputes, oldest first."""
    events = await client.v1.events.list_async({"limit": 100})
    return [event.type for event in reversed(events.data) if event.type.startswith("charge.dispute")]


async def test_a_dispute_takes_the_money_and_losing_it_keeps_it(
    double: RunningStripe, client: stripe.StripeClient
) -> None:
    intent = await captured(client)
    opened = await double.control.open_dispute(intent.id, "product_not_received")
    dispute = await client.v1.disputes.retrieve_async(opened.id)
    assert (dispute.status, dispute.reason, dispute.amount) == (
        "needs_response",
        "product_not_received",
        2500,
    )
    assert (dispute.payment_intent, dispute.charge) == (intent.id, intent.latest_charge)
    assert (await client.v1.charges.retrieve_async(intent.latest_charge)).disputed
    assert await double.control.balance() == {"usd": 0}
    await double.control.close_dispute(dispute.id, "lost")
    assert (await client.v1.disputes.retrieve_async(dispute.id)).status == "lost"
    assert (await double.control.orders())["o1"].disputed == 2500
    assert await types_of(client) == [*OPENED, "charge.dispute.closed"]
    with pytest.raises(ControlRefused, match="already closed"):
        await double.control.close_dispute(dispute.id, "won")


async def test_winning_a_dispute_brings_the_money_back(
    double: RunningStripe, client: stripe.StripeClient
) -> None:
    intent = await captured(client)
    dispute = await double.control.open_dispute(intent.id)
    await double.control.close_dispute(dispute.id, "won")
    now = await client.v1.disputes.retrieve_async(dispute.id)
    assert now.status == "won"
    assert [each.amount for each in now.balance_transactions] == [-2500, 2500]
    assert await double.control.balance() == {"usd": 2500}
    assert (await double.control.orders())["o1"].disputed == 0
    assert await types_of(client) == [*OPENED, "charge.dispute.closed", "charge.dispute.funds_reinstated"]


@pytest.mark.parametrize("method", ["pm_card_createDispute", "tok_createDispute"])
async def test_a_test_card_is_disputed_once_it_was_captured(client: stripe.StripeClient, method: str) -> None:
    intent = await authorized(client, method)
    assert not (await client.v1.disputes.list_async({"payment_intent": intent.id})).data
    await client.v1.payment_intents.capture_async(intent.id)
    (dispute,) = (await client.v1.disputes.list_async({"payment_intent": intent.id})).data
    assert (dispute.reason, dispute.status) == ("fraudulent", "needs_response")


async def test_an_inquiry_takes_no_money(double: RunningStripe, client: stripe.StripeClient) -> None:
    await captured(client, "pm_card_createDisputeInquiry")
    (dispute,) = (await client.v1.disputes.list_async()).data
    assert (dispute.status, dispute.is_charge_refundable) == ("warning_needs_response", True)
    assert await double.control.balance() == {"usd": 2500}
    await double.control.close_dispute(dispute.id, "won")
    assert (await client.v1.disputes.retrieve_async(dispute.id)).status == "warning_closed"


@pytest.mark.parametrize(("text", "status"), [("winning_evidence", "won"), ("losing_evidence", "lost")])
async def test_evidence_decides_a_test_dispute(client: stripe.StripeClient, text: str, status: str) -> None:
    await captured(client, "pm_card_createDisputeProductNotReceived")
    (dispute,) = (await client.v1.disputes.list_async()).data
    draft = await client.v1.disputes.update_async(
        dispute.id, {"evidence": {"product_description": "a ticket"}, "submit": False}
    )
    assert (draft.status, draft.evidence_details.has_evidence) == ("needs_response", True)
    sent = await client.v1.disputes.update_async(dispute.id, {"evidence": {"uncategorized_text": text}})
    assert sent.status == status


async def test_other_evidence_is_under_review_and_giving_in_loses(client: stripe.StripeClient) -> None:
    await captured(client, "pm_card_createDispute")
    (dispute,) = (await client.v1.disputes.list_async()).data
    sent = await client.v1.disputes.update_async(dispute.id, {"evidence": {"uncategorized_text": "it was"}})
    assert sent.status == "under_review"
    assert (await client.v1.disputes.close_async(dispute.id)).status == "lost"


async def test_what_was_charged_back_cannot_be_refunded_too(
    double: RunningStripe, client: stripe.StripeClient
) -> None:
    """https://docs.stripe.com/error-codes#charge-disputed"""
    intent = await captured(client, "pm_card_createDispute")
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await client.v1.refunds.create_async({"payment_intent": intent.id})
    assert refused.value.code == "charge_disputed"
    (dispute,) = (await client.v1.disputes.list_async()).data
    await double.control.close_dispute(dispute.id, "won")
    assert (await client.v1.refunds.create_async({"payment_intent": intent.id})).amount == 2500
