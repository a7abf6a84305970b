"""Idempotency keys. https://docs.stripe.com/api/idempotent_requests, https://docs.stripe.com/error-low-level"""

import asyncio
from typing import Any

import pytest
import stripe

from tests.stripe.faults import Fault
from tests.stripe.paying import authorized, error_of, purchase
from tests.stripe.running import RunningStripe

DAY = 86400


def headers_of(answer: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.last_response.headers.items()}


async def test_the_first_answer_is_given_again(double: RunningStripe, client: stripe.StripeClient) -> None:
    create = client.v1.payment_intents.create_async
    first = await create(purchase(), {"idempotency_key": "k1"})
    again = await create(purchase(), {"idempotency_key": "k1"})
    assert again.to_dict() == first.to_dict()
    assert "idempotent-replayed" not in headers_of(first)
    assert headers_of(again)["idempotent-replayed"] == "true"
    assert headers_of(again)["original-request"] == headers_of(first)["request-id"]
    assert headers_of(again)["request-id"] != headers_of(first)["request-id"]
    assert headers_of(again)["idempotency-key"] == "k1"
    assert (await double.control.orders())["o1"].authorized == 2500


async def test_the_order_of_the_parameters_does_not_matter(client: stripe.StripeClient) -> None:
    create = client.v1.payment_intents.create_async
    params = purchase()
    first = await create(params, {"idempotency_key": "k1"})
    turned: Any = dict(reversed(list(params.items())))
    assert (await create(turned, {"idempotency_key": "k1"})).id == first.id


async def test_other_parameters_under_the_same_key_are_refused(client: stripe.StripeClient) -> None:
    create = client.v1.payment_intents.create_async
    first = await create(purchase(), {"idempotency_key": "k1"})
    with pytest.raises(stripe.IdempotencyError) as refused:
        await create(purchase(amount=9900), {"idempotency_key": "k1"})
    assert refused.value.http_status == 400
    with pytest.raises(stripe.IdempotencyError, match="same endpoint"):
        await client.v1.payment_intents.capture_async(first.id, {}, {"idempotency_key": "k1"})
    assert (await create(purchase(), {"idempotency_key": "k1"})).id == first.id


async def test_a_decline_is_given_again_and_is_one_decline(
    double: RunningStripe, client: stripe.StripeClient
) -> None:
    codes = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as declined:
            await client.v1.payment_intents.create_async(
                purchase("pm_card_chargeDeclined"), {"idempotency_key": "k1"}
            )
        codes.append((declined.value.http_status, declined.value.json_body))
    assert codes[0] == codes[1]
    assert (await double.control.orders())["o1"].declines == 1


async def test_a_refusal_for_its_state_is_given_again_though_the_state_has_changed(
    client: stripe.StripeClient,
) -> None:
    """An endpoint that began to execute is remembered, whatever it said."""
    params: Any = {"amount": 900, "currency": "usd", "allowed_payment_method_types": ["card"]}
    intent = await client.v1.payment_intents.create_async(params | {"capture_method": "manual"})
    for method in ("before", "pm_card_visa"):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            await client.v1.payment_intents.capture_async(intent.id, {}, {"idempotency_key": "k1"})
        assert refused.value.code == "payment_intent_unexpected_state"
        if method == "before":
            await client.v1.payment_intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"})
    assert (await client.v1.payment_intents.capture_async(intent.id)).status == "succeeded"


async def test_what_failed_validation_leaves_the_key_free(client: stripe.StripeClient) -> None:
    create = client.v1.payment_intents.create_async
    odd: Any = {**purchase(), "colour": "red"}
    with pytest.raises(stripe.InvalidRequestError, match="unknown parameter"):
        await create(odd, {"idempotency_key": "k1"})
    with pytest.raises(stripe.InvalidRequestError, match="expanded"):
        await create({**purchase(), "expand": ["amount"]}, {"idempotency_key": "k1"})
    assert (await create(purchase(), {"idempotency_key": "k1"})).status == "requires_capture"
    assert len((await client.v1.payment_intents.list_async()).data) == 1


async def test_a_key_that_is_worked_on_is_refused_and_may_be_used_again(
    double: RunningStripe, client: stripe.StripeClient
) -> None:
    await double.control.fault(Fault(operation="payment_intents.create", action="hold"))
    create = client.v1.payment_intents.create_async
    first = asyncio.create_task(create(purchase(), {"idempotency_key": "k1"}))
    await double.control.until_struck()
    with pytest.raises(stripe.APIError) as refused:
        await create(purchase(), {"idempotency_key": "k1"})
    assert (refused.value.http_status, error_of(refused.value)["code"]) == (409, "idempotency_key_in_use")
    await double.control.clear_faults()
    made = await first
    assert (await create(purchase(), {"idempotency_key": "k1"})).id == made.id
    assert (await double.control.orders())["o1"].authorized == 2500


@pytest.mark.parametrize("done", [False, True])
async def test_a_500_is_given_again_whether_or_not_it_was_done(
    double: RunningStripe, client: stripe.StripeClient, done: bool
) -> None:
    intent = await authorized(client)
    await double.control.fault(Fault(operation="payment_intents.capture", action="error", done=done))
    for _ in range(2):
        with pytest.raises(stripe.APIError) as failed:
            await client.v1.payment_intents.capture_async(intent.id, {}, {"idempotency_key": "k1"})
        assert failed.value.http_status == 500
    now = await client.v1.payment_intents.retrieve_async(intent.id)
    assert now.status == ("succeeded" if done else "requires_capture")


@pytest.mark.parametrize("status", [409, 429])
async def test_a_conflict_and_too_many_leave_the_key_free(
    double: RunningStripe, client: stripe.StripeClient, status: int
) -> None:
    await double.control.fault(Fault(action="error", status=status, retry_after=1))
    with pytest.raises(stripe.StripeError) as refused:
        await client.v1.payment_intents.create_async(purchase(), {"idempotency_key": "k1"})
    assert refused.value.http_status == status
    assert (await client.v1.payment_intents.create_async(purchase(), {"idempotency_key": "k1"})).id


async def test_a_key_is_forgotten_after_a_day_and_not_before(
    double: RunningStripe, client: stripe.StripeClient
) -> None:
    create = client.v1.payment_intents.create_async
    first = await create(purchase(), {"idempotency_key": "k1"})
    await double.control.move_clock(DAY - 60)
    assert (await create(purchase(), {"idempotency_key": "k1"})).id == first.id
    await double.control.move_clock(61)
    assert (await create(purchase(), {"idempotency_key": "k1"})).id != first.id


async def test_a_key_has_at_most_255_characters(client: stripe.StripeClient) -> None:
    await client.v1.payment_intents.create_async(purchase(), {"idempotency_key": "k" * 255})
    with pytest.raises(stripe.InvalidRequestError, match="255"):
        await client.v1.payment_intents.create_async(purchase(), {"idempotency_key": "k" * 256})


async def test_the_sdk_repeats_a_lost_reply_under_one_key(double: RunningStripe) -> None:
    await double.control.fault(Fault(operation="payment_intents.create", action="lose_reply"))
    await double.client(max_network_retries=2).v1.payment_intents.create_async(purchase())
    calls = await double.control.calls("payment_intents.create")
    assert [call.status for call in calls] == [0, 200]
    assert calls[1].replayed
    assert calls[0].key == calls[1].key is not None
    assert (await double.control.orders())["o1"].authorized == 2500
