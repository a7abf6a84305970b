"""Amounts in all kinds of currencies. https://docs.stripe.com/currencies"""

import pytest
import stripe

from tests.stripe.currencies import MINIMUM, SUPPORTED, check_charge
from tests.stripe.errors import StripeError
from tests.stripe.paying import authorized, captured
from tests.stripe.running import RunningStripe


@pytest.mark.parametrize(
    ("currency", "amount", "part"),
    [
        ("usd", 1999, 999),
        ("jpy", 500, 1),
        ("kwd", 5120, 10),
        ("isk", 500, 100),
        ("mga", 7, 3),
        ("eur", 50, 1),
    ],
)
async def test_money_of_any_number_of_decimals_is_taken_and_given_back(
    double: RunningStripe, client: stripe.StripeClient, currency: str, amount: int, part: int
) -> None:
    intent = await captured(client, currency=currency, amount=amount)
    assert (intent.amount_received, intent.currency) == (amount, currency)
    await client.v1.refunds.create_async({"payment_intent": intent.id, "amount": part})
    assert await double.control.balance() == {currency: amount - part}


@pytest.mark.parametrize(
    ("currency", "amount", "code"),
    [
        ("usd", 49, "amount_too_small"),
        ("gbp", 29, "amount_too_small"),
        ("jpy", 49, "amount_too_small"),
        ("huf", 17499, "amount_too_small"),
        ("usd", 100_000_000, "amount_too_large"),
        ("usd", 0, "parameter_invalid_integer"),
        ("usd", -5, "parameter_invalid_integer"),
        ("kwd", 5124, "parameter_invalid_integer"),
        ("bhd", 5001, "parameter_invalid_integer"),
        ("isk", 550, "parameter_invalid_integer"),
    ],
)
async def test_an_amount_that_cannot_be_charged_is_refused(
    client: stripe.StripeClient, currency: str, amount: int, code: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await authorized(client, currency=currency, amount=amount)
    assert (refused.value.http_status, refused.value.code, refused.value.param) == (400, code, "amount")


async def test_parts_of_three_decimal_money_end_in_0_too(client: stripe.StripeClient) -> None:
    intent = await authorized(client, currency="kwd", amount=5120)
    with pytest.raises(stripe.InvalidRequestError, match="last digit"):
        await client.v1.payment_intents.capture_async(intent.id, {"amount_to_capture": 5119})
    await client.v1.payment_intents.capture_async(intent.id)
    with pytest.raises(stripe.InvalidRequestError, match="last digit"):
        await client.v1.refunds.create_async({"payment_intent": intent.id, "amount": 5119})


def test_the_smallest_amounts_are_those_of_the_page() -> None:
    for currency, least in MINIMUM.items():
        check_charge(least, currency)
        with pytest.raises(StripeError):
            check_charge(least - 1, currency)
    assert MINIMUM.keys() <= SUPPORTED
