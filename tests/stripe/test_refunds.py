"""Refunds. https://docs.stripe.com/refunds and https://docs.stripe.com/testing#refunds"""

from pathlib import Path

import pytest
import stripe

from tests.stripe.controlling import ControlRefused
from tests.stripe.paying import authorized, captured, until
from tests.stripe.running import RunningStripe, running_stripe


async def test_money_goes_back_whole(double: RunningStripe, client: stripe.StripeClient) -> None:
    intent = await captured(client)
    refund = await client.v1.refunds.create_async(
        {"payment_intent": intent.id, "reason": "requested_by_customer", "metadata": {"order": "o1"}}
    )
    assert refund.id.startswith("re_")
    assert (refund.object, refund.status, refund.amount) == ("refund", "succeeded", 2500)
    assert (refund.payment_intent, refund.charge) == (intent.id, intent.latest_charge)
    assert (refund.reason, refund.metadata and refund.metadata.to_dict()) == (
        "requested_by_customer",
        {"order": "o1"},
    )
    charge = await client.v1.charges.retrieve_async(str(refund.charge))
    assert (charge.refunded, charge.amount_refunded) == (True, 2500)
    sums = (await double.control.orders())["o1"]
    assert (sums.captured, sums.refunded, sums.kept) == (2500, 2500, 0)
    assert await double.control.balance() == {"usd": 0}


async def test_money_goes_back_in_parts_and_never_more_than_came(client: stripe.StripeClient) -> None:
    intent = await captured(client)
    create = client.v1.refunds.create_async
    await create({"payment_intent": intent.id, "amount": 1000})
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded"):
        await create({"payment_intent": intent.id, "amount": 1501})
    assert (await create({"charge": intent.latest_charge})).amount == 1500
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await create({"payment_intent": intent.id})
    assert refused.value.code == "charge_already_refunded"
    found = await client.v1.refunds.list_async({"payment_intent": intent.id})
    assert [refund.amount for refund in found.data] == [1500, 1000]


async def test_what_was_not_captured_cannot_be_refunded(client: stripe.StripeClient) -> None:
    intent = await authorized(client)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await client.v1.refunds.create_async({"payment_intent": intent.id})
    assert refused.value.code == "charge_not_refundable"


async def test_a_refund_can_be_pending_first(double: RunningStripe, client: stripe.StripeClient) -> None:
    intent = await captured(client, "pm_card_pendingRefund")
    refund = await client.v1.refunds.create_async({"payment_intent": intent.id})
    assert (refund.status, refund.pending_reason) == ("pending", "processing")
    await double.control.complete_refund(refund.id)
    assert (await client.v1.refunds.retrieve_async(refund.id)).status == "succeeded"
    with pytest.raises(ControlRefused, match="not pending"):
        await double.control.complete_refund(refund.id)


@pytest.mark.parametrize("method", ["pm_card_refundFail", "pm_card_pendingRefund", "tok_refundFail"])
async def test_a_refund_that_fails_owes_the_money_again(
    double: RunningStripe, client: stripe.StripeClient, method: str
) -> None:
    """https://docs.stripe.com/refunds#failed-refunds"""
    intent = await captured(client, method)
    first = await client.v1.refunds.create_async({"payment_intent": intent.id})
    assert first.status in {"succeeded", "pending"}
    await double.control.fail_refund(first.id, "lost_or_stolen_card")
    failed = await client.v1.refunds.retrieve_async(first.id)
    assert (failed.status, failed.failure_reason) == ("failed", "lost_or_stolen_card")
    assert str(failed.failure_balance_transaction).startswith("txn_")
    sums = (await double.control.orders())["o1"]
    assert (sums.captured, sums.refunded) == (2500, 0)
    assert await double.control.balance() == {"usd": 2500}
    second = await client.v1.refunds.create_async({"payment_intent": intent.id})
    assert second.id != first.id
    assert (await double.control.orders())["o1"].refunded == 2500


async def test_refunds_settle_by_themselves_where_that_is_wanted(tmp_path: Path) -> None:
    """https://docs.stripe.com/testing#refunds"""
    async with running_stripe(tmp_path, settle_after=0.0) as double:
        client = double.client()
        wanted = {
            "pm_card_visa": "succeeded",
            "pm_card_pendingRefund": "succeeded",
            "pm_card_refundFail": "failed",
        }
        names = {}
        for method, status in wanted.items():
            intent = await captured(client, method)
            names[(await client.v1.refunds.create_async({"payment_intent": intent.id})).id] = status

        async def all_have() -> bool:
            now = [await client.v1.refunds.retrieve_async(name) for name in names]
            return {refund.id: refund.status for refund in now} == names

        await until(all_have)
