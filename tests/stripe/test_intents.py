"""PaymentIntents through the official SDK. https://docs.stripe.com/payments/paymentintents/lifecycle"""

from typing import Any

import pytest
import stripe

from tests.stripe.paying import authorized, captured, error_of, purchase
from tests.stripe.running import RunningStripe


@pytest.mark.parametrize("method", ["pm_card_visa", "tok_visa", "tok_mastercard", "pm_card_amex"])
async def test_money_is_set_aside_then_taken(client: stripe.StripeClient, method: str) -> None:
    intent = await client.v1.payment_intents.create_async(purchase(method))
    assert intent.id.startswith("pi_")
    assert intent.object == "payment_intent"
    assert (intent.status, intent.amount_capturable, intent.amount_received) == ("requires_capture", 2500, 0)
    assert intent.metadata.to_dict() == {"order": "o1"}
    assert str(intent.client_secret).startswith(f"{intent.id}_secret_")
    assert str(intent.payment_method).startswith("pm_")
    assert intent.payment_method != method
    taken = await client.v1.payment_intents.capture_async(intent.id)
    assert (taken.status, taken.amount_capturable, taken.amount_received) == ("succeeded", 0, 2500)
    again = await client.v1.payment_intents.retrieve_async(intent.id, {"expand": ["latest_charge"]})
    charge = again.latest_charge
    assert isinstance(charge, stripe.Charge)
    assert (charge.captured, charge.amount_captured, charge.paid) == (True, 2500, True)
    assert charge.payment_intent == intent.id


def test_the_blocking_client_pays_too(client: stripe.StripeClient) -> None:
    sync = stripe.StripeClient(
        client._requestor.api_key or "",
        base_addresses={"api": client._requestor._options.base_addresses.get("api")},
        http_client=stripe.RequestsClient(timeout=5),
    )
    intent = sync.v1.payment_intents.create(purchase())
    assert sync.v1.payment_intents.capture(intent.id).status == "succeeded"


async def test_an_intent_can_be_confirmed_in_a_step_of_its_own(client: stripe.StripeClient) -> None:
    bare = await client.v1.payment_intents.create_async(
        {"amount": 900, "currency": "EUR", "allowed_payment_method_types": ["card"]}
    )
    assert (bare.status, bare.currency) == ("requires_payment_method", "eur")
    chosen = await client.v1.payment_intents.update_async(bare.id, {"payment_method": "pm_card_visa"})
    assert chosen.status == "requires_confirmation"
    paid = await client.v1.payment_intents.confirm_async(bare.id)
    assert (paid.status, paid.amount_received) == ("succeeded", 900)


async def test_a_part_can_be_captured_and_no_more_than_was_set_aside(client: stripe.StripeClient) -> None:
    intent = await authorized(client)
    with pytest.raises(stripe.InvalidRequestError, match="between 1 and 2500"):
        await client.v1.payment_intents.capture_async(intent.id, {"amount_to_capture": 2501})
    taken = await client.v1.payment_intents.capture_async(intent.id, {"amount_to_capture": 1000})
    assert (taken.amount, taken.amount_received, taken.amount_capturable) == (2500, 1000, 0)


async def test_what_was_set_aside_is_let_go_when_the_intent_is_cancelled(
    double: RunningStripe, client: stripe.StripeClient
) -> None:
    intent = await authorized(client)
    ended = await client.v1.payment_intents.cancel_async(intent.id, {"cancellation_reason": "abandoned"})
    assert (ended.status, ended.amount_capturable) == ("canceled", 0)
    assert ended.cancellation_reason == "abandoned"
    assert ended.canceled_at
    sums = (await double.control.orders())["o1"]
    assert (sums.authorized, sums.open, sums.captured, sums.refunded) == (2500, 0, 0, 0)


@pytest.mark.parametrize("verb", ["capture", "cancel", "confirm"])
async def test_what_comes_too_late_is_refused_and_shows_the_intent_as_it_is(
    client: stripe.StripeClient, verb: str
) -> None:
    """https://docs.stripe.com/error-codes#payment-intent-unexpected-state"""
    intent = await captured(client)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await getattr(client.v1.payment_intents, f"{verb}_async")(intent.id)
    assert refused.value.http_status == 400
    assert refused.value.code == "payment_intent_unexpected_state"
    assert error_of(refused.value)["payment_intent"]["status"] == "succeeded"
    assert str(refused.value.request_id).startswith("req_")


async def test_a_bank_lets_go_after_seven_days(double: RunningStripe, client: stripe.StripeClient) -> None:
    """https://docs.stripe.com/payments/place-a-hold-on-a-payment-method"""
    intent = await authorized(client)
    await double.control.move_clock(6.9 * 86400)
    assert (await client.v1.payment_intents.retrieve_async(intent.id)).status == "requires_capture"
    await double.control.move_clock(0.2 * 86400)
    ended = await client.v1.payment_intents.retrieve_async(intent.id)
    assert (ended.status, ended.cancellation_reason) == ("canceled", "expired")


async def test_where_to_return_to_is_asked_for_when_methods_may_redirect(client: stripe.StripeClient) -> None:
    """https://docs.stripe.com/upgrades#2023-08-16: automatic payment methods are the default."""
    plain: Any = purchase()
    del plain["allowed_payment_method_types"]
    with pytest.raises(stripe.InvalidRequestError, match="return_url"):
        await client.v1.payment_intents.create_async(plain)
    ways = {"enabled": True, "allow_redirects": "never"}
    intent = await client.v1.payment_intents.create_async(plain | {"automatic_payment_methods": ways})
    assert intent.status == "requires_capture"


async def test_an_old_parameter_is_refused_in_a_new_version_of_the_api(client: stripe.StripeClient) -> None:
    """https://docs.stripe.com/changelog/endive/2026-09-30: the locked SDK names that version or a later."""
    plain: Any = purchase()
    del plain["allowed_payment_method_types"]
    plain["payment_method_types"] = ["card"]
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await client.v1.payment_intents.create_async(plain)
    assert refused.value.code == "payment_method_types_no_longer_supported"
    older = {"stripe_version": "2026-03-25.dahlia"}
    assert (await client.v1.payment_intents.create_async(plain, older)).status == "requires_capture"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"amount": None}, "parameter_missing", "amount"),
        ({"currency": None}, "parameter_missing", "currency"),
        ({"amount": "12.50"}, "parameter_invalid_integer", "amount"),
        ({"currency": "zzz"}, None, "currency"),
        ({"colour": "red"}, "parameter_unknown", "colour"),
        ({"payment_method": "pm_of_nobody"}, "resource_missing", "payment_method"),
        ({"capture_method": "later"}, None, "capture_method"),
        ({"metadata": {"k": "v" * 501}}, None, "metadata[k]"),
    ],
)
async def test_a_parameter_that_is_wrong_is_named(
    client: stripe.StripeClient, params: dict[str, object], code: str | None, param: str
) -> None:
    given: Any = {name: value for name, value in {**purchase(), **params}.items() if value is not None}
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await client.v1.payment_intents.create_async(given)
    assert (refused.value.http_status, refused.value.code, refused.value.param) == (400, code, param)
    assert not (await client.v1.payment_intents.list_async()).data


async def test_unknown_things_and_wrong_keys_are_told_apart(
    double: RunningStripe, client: stripe.StripeClient
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as missing:
        await client.v1.payment_intents.retrieve_async("pi_of_nobody")
    assert (missing.value.http_status, missing.value.code) == (404, "resource_missing")
    stranger = stripe.StripeClient("sk_test_stranger", base_addresses={"api": double.url})
    with pytest.raises(stripe.AuthenticationError) as refused:
        await stranger.v1.payment_intents.retrieve_async("pi_of_nobody")
    assert refused.value.http_status == 401
    assert "sk_test_stranger" not in str(refused.value)
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL"):
        await client.v1.payouts.list_async()
    with pytest.raises(stripe.InvalidRequestError, match="Invalid Stripe API version"):
        await client.v1.payment_intents.list_async({}, {"stripe_version": "yesterday"})
