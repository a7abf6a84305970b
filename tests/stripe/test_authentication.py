"""Cards whose owner must confirm. https://docs.stripe.com/payments/3d-secure and https://docs.stripe.com/testing#regulatory-cards"""

import httpx
import pytest
import stripe

from tests.stripe.controlling import ControlRefused
from tests.stripe.paying import authorized, error_of, purchase
from tests.stripe.running import RunningStripe

ASKING = "pm_card_threeDSecure2Required"


@pytest.mark.parametrize("method", [ASKING, "pm_card_authenticationRequired", "tok_threeDSecure2Required"])
async def test_the_owner_confirms_and_the_money_is_set_aside(
    double: RunningStripe, client: stripe.StripeClient, method: str
) -> None:
    intent = await authorized(client, method)
    assert (intent.status, intent.amount_capturable) == ("requires_action", 0)
    assert intent.next_action.type == "use_stripe_sdk"
    await double.control.authenticate(intent.id)
    now = await client.v1.payment_intents.retrieve_async(intent.id)
    assert (now.status, now.amount_capturable, now.next_action) == ("requires_capture", 2500, None)


async def test_the_owner_fails_and_another_card_is_wanted(
    double: RunningStripe, client: stripe.StripeClient
) -> None:
    """https://docs.stripe.com/error-codes#payment-intent-authentication-failure"""
    intent = await authorized(client, ASKING)
    await double.control.authenticate(intent.id, ok=False)
    now = await client.v1.payment_intents.retrieve_async(intent.id)
    assert (now.status, now.payment_method) == ("requires_payment_method", None)
    assert now.last_payment_error is not None
    assert now.last_payment_error.code == "payment_intent_authentication_failure"
    events = await client.v1.events.list_async({"type": "payment_intent.payment_failed"})
    assert len(events.data) == 1


@pytest.mark.parametrize(
    ("method", "decline_code"),
    [
        ("pm_card_threeDSecureRequiredChargeDeclined", "generic_decline"),
        ("pm_card_authenticationRequiredChargeDeclinedInsufficientFunds", "insufficient_funds"),
    ],
)
async def test_a_card_may_be_declined_after_its_owner_has_confirmed(
    double: RunningStripe, client: stripe.StripeClient, method: str, decline_code: str
) -> None:
    intent = await authorized(client, method)
    await double.control.authenticate(intent.id)
    now = await client.v1.payment_intents.retrieve_async(intent.id)
    assert now.status == "requires_payment_method"
    assert now.last_payment_error is not None
    assert now.last_payment_error.decline_code == decline_code


async def test_success_may_come_late_but_not_after_the_intent_was_cancelled(
    double: RunningStripe, client: stripe.StripeClient
) -> None:
    late, cancelled = await authorized(client, ASKING), await authorized(client, ASKING)
    await double.control.move_clock(3600)
    await client.v1.payment_intents.cancel_async(cancelled.id)
    with pytest.raises(ControlRefused, match="canceled"):
        await double.control.authenticate(cancelled.id)
    assert (await double.control.authenticate(late.id, after=0.2)).status == "requires_capture"
    assert (await client.v1.payment_intents.retrieve_async(cancelled.id)).status == "canceled"


@pytest.mark.parametrize("how", ["off_session", "error_on_requires_action"])
async def test_who_cannot_ask_the_owner_is_declined(client: stripe.StripeClient, how: str) -> None:
    """https://docs.stripe.com/error-codes#authentication-required"""
    with pytest.raises(stripe.CardError) as declined:
        await client.v1.payment_intents.create_async(purchase(ASKING, **{how: True}))
    error = error_of(declined.value)
    assert (error["code"], error["decline_code"]) == ("authentication_required", "authentication_required")
    assert error["payment_intent"]["status"] == "requires_payment_method"


async def test_a_card_that_was_set_up_for_its_customer_asks_no_more(client: stripe.StripeClient) -> None:
    name = "pm_card_authenticationRequiredOnSetup"
    assert (await authorized(client, name)).status == "requires_action"
    customer = await client.v1.customers.create_async({})
    method = await client.v1.payment_methods.attach_async(name, {"customer": customer.id})
    assert (await authorized(client, method.id, customer=customer.id)).status == "requires_capture"


@pytest.mark.parametrize(
    ("button", "status", "told"),
    [("succeeded", "requires_capture", "succeeded"), ("failed", "requires_payment_method", "failed")],
)
async def test_the_owner_is_sent_to_a_page_and_back(
    client: stripe.StripeClient, button: str, status: str, told: str
) -> None:
    intent = await authorized(client, ASKING, return_url="https://shop.example/back?order=o1")
    assert intent.next_action.type == "redirect_to_url"
    page = intent.next_action.redirect_to_url.url
    async with httpx.AsyncClient(trust_env=False) as browser:
        assert "Complete authentication" in (await browser.get(page)).text
        back = await browser.post(page, data={"outcome": button})
        assert back.status_code == 303
        assert back.headers["location"] == (
            f"https://shop.example/back?order=o1&payment_intent={intent.id}"
            f"&payment_intent_client_secret={intent.client_secret}&redirect_status={told}"
        )
        assert "Nothing is to be confirmed" in (await browser.get(page)).text
    assert (await client.v1.payment_intents.retrieve_async(intent.id)).status == status


async def test_another_card_may_be_used_instead_of_confirming(client: stripe.StripeClient) -> None:
    intent = await authorized(client, ASKING)
    now = await client.v1.payment_intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"})
    assert (now.status, now.next_action) == ("requires_capture", None)
