"""Test cards. https://docs.stripe.com/testing and https://docs.stripe.com/declines/codes"""

from typing import Any

import pytest
import stripe

from tests.stripe.paying import authorized, error_of, purchase
from tests.stripe.running import RunningStripe


@pytest.mark.parametrize(
    ("method", "code", "decline_code"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("tok_chargeDeclined", "card_declined", "generic_decline"),
        ("tok_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("tok_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
        ("pm_card_chargeCustomerFail", "card_declined", "generic_decline"),
        ("pm_card_radarBlock", "card_declined", "fraudulent"),
    ],
)
async def test_a_bank_says_no_and_why(
    double: RunningStripe, client: stripe.StripeClient, method: str, code: str, decline_code: str
) -> None:
    with pytest.raises(stripe.CardError) as declined:
        await client.v1.payment_intents.create_async(purchase(method))
    error = error_of(declined.value)
    assert declined.value.http_status == 402
    assert (error["type"], error["code"], error["decline_code"]) == ("card_error", code, decline_code)
    assert error["charge"].startswith("ch_")
    intent = await client.v1.payment_intents.retrieve_async(error["payment_intent"]["id"])
    assert (intent.status, intent.payment_method) == ("requires_payment_method", None)
    assert intent.last_payment_error is not None
    assert (intent.last_payment_error.code, intent.last_payment_error.decline_code) == (code, decline_code)
    assert intent.latest_charge == error["charge"]
    charge = await client.v1.charges.retrieve_async(error["charge"])
    assert (charge.status, charge.failure_code, charge.paid) == ("failed", code, False)
    assert (await double.control.orders())["o1"].authorized == 0


async def test_a_declined_intent_is_paid_with_a_second_card(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError) as declined:
        await client.v1.payment_intents.create_async(purchase("pm_card_chargeDeclined"))
    name = error_of(declined.value)["payment_intent"]["id"]
    intent = await client.v1.payment_intents.confirm_async(name, {"payment_method": "pm_card_visa"})
    assert (intent.status, intent.last_payment_error) == ("requires_capture", None)


async def test_a_card_comes_by_its_test_number_which_is_not_kept(
    double: RunningStripe, client: stripe.StripeClient
) -> None:
    card: Any = {"number": "4000000000009995", "exp_month": 3, "exp_year": 2031, "cvc": "123"}
    method = await client.v1.payment_methods.create_async({"type": "card", "card": card})
    assert method.card is not None
    assert (method.card.last4, method.card.exp_year) == ("9995", 2031)
    with pytest.raises(stripe.CardError, match="insufficient funds"):
        await authorized(client, method.id)
    for path in double.ledger.parent.glob("stripe-ledger*"):
        assert b"4000000000009995" not in path.read_bytes()


async def test_an_unknown_number_or_token_is_refused(client: stripe.StripeClient) -> None:
    create = client.v1.payment_methods.create_async
    with pytest.raises(stripe.CardError) as wrong:
        await create({"type": "card", "card": {"number": "4111111111111112"}})
    assert wrong.value.code == "incorrect_number"
    with pytest.raises(stripe.InvalidRequestError) as missing:
        await create({"type": "card", "card": {"token": "tok_of_nobody"}})
    assert (missing.value.http_status, missing.value.code) == (400, "resource_missing")


async def test_a_token_is_no_payment_method(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="No such PaymentMethod: 'tok_visa'"):
        await client.v1.payment_intents.create_async({**purchase(), "payment_method": "tok_visa"})


async def test_a_payment_method_without_a_customer_serves_one_intent(client: stripe.StripeClient) -> None:
    method = await client.v1.payment_methods.create_async({"type": "card", "card": {"token": "tok_visa"}})
    await authorized(client, method.id)
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        await authorized(client, method.id)


async def test_a_payment_method_serves_its_own_customer_alone(client: stripe.StripeClient) -> None:
    mine = await client.v1.customers.create_async({"description": "mine"})
    other = await client.v1.customers.create_async({"description": "other"})
    method = await client.v1.payment_methods.attach_async("pm_card_visa", {"customer": mine.id})
    for _ in range(2):
        assert (await authorized(client, method.id, customer=mine.id)).customer == mine.id
    for somebody in ({"customer": other.id}, {}):
        with pytest.raises(stripe.InvalidRequestError, match="belongs to the customer"):
            await authorized(client, method.id, **somebody)
    found = await client.v1.payment_methods.list_async({"customer": mine.id, "type": "card"})
    assert [each.id for each in found.data] == [method.id]
    await client.v1.payment_methods.detach_async(method.id)
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        await authorized(client, method.id)


async def test_a_card_that_its_bank_refuses_cannot_be_attached(client: stripe.StripeClient) -> None:
    customer = await client.v1.customers.create_async({})
    with pytest.raises(stripe.CardError):
        await client.v1.payment_methods.attach_async("pm_card_chargeDeclined", {"customer": customer.id})
    attached = await client.v1.payment_methods.attach_async(
        "pm_card_chargeCustomerFail", {"customer": customer.id}
    )
    with pytest.raises(stripe.CardError):
        await authorized(client, attached.id, customer=customer.id)
