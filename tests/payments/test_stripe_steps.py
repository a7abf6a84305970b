"""Each step of an attempt, asked of Stripe's API through its own SDK: what is answered, and what it did."""

import pytest
from msgspec.structs import replace

from domain.money import Money
from gateways.clock import SystemClock
from gateways.stripe_api import StripeAccess
from gateways.stripe_payments import StripePayments
from processmanager.ports import (
    Attempt,
    IsAuthorized,
    IsCaptured,
    IsDeclined,
    IsUnknown,
    IsVoided,
    KeyReused,
    NeedsAction,
)
from tests.payments.stripe_attempts import attempt, authorized, captured, key
from tests.stripe.running import RunningStripe

# ── The happy path ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("token", ["tok_visa", "pm_card_visa", "pm_card_mastercard"])
async def test_money_is_set_aside_and_taken_only_when_asked_for(
    double: RunningStripe, provider: StripePayments, token: str
) -> None:
    held = await authorized(provider, attempt(token=token))
    sums = (await double.control.orders())["o1"]
    assert (sums.authorized, sums.open, sums.captured) == (1999, 1999, 0)
    assert held.reference is not None
    assert await provider.capture(held, key("capture")) == IsCaptured(held.reference)
    assert await provider.look(held) == IsCaptured(held.reference)
    assert (await double.control.orders())["o1"].captured == 1999


async def test_what_is_at_stripe_leads_back_to_the_order_the_payment_and_the_request(
    double: RunningStripe, provider: StripePayments
) -> None:
    held = await authorized(provider, attempt())
    intent = await double.client().v1.payment_intents.retrieve_async(held.reference or "")
    assert intent.metadata.to_dict() == {"order": "o1", "payment": "p1", "request": "req-1"}


@pytest.mark.parametrize("verb", ["authorize", "capture", "void"])
async def test_a_step_repeated_under_its_key_is_one_step(
    double: RunningStripe, provider: StripePayments, verb: str
) -> None:
    asked = attempt()
    if verb != "authorize":
        asked = await authorized(provider, asked)
    first = await getattr(provider, verb)(asked, key(verb))
    assert await getattr(provider, verb)(asked, key(verb)) == first
    assert sum(call.key == key(verb) for call in await double.control.calls()) >= 2
    assert len(await double.control.orders()) == 1


async def test_a_key_that_stood_for_another_amount_is_a_fault_and_takes_nothing(
    double: RunningStripe, provider: StripePayments
) -> None:
    await authorized(provider, attempt())
    with pytest.raises(KeyReused):
        await provider.authorize(attempt(price=Money(5, "usd")), key("authorize"))
    assert (await double.control.orders())["o1"].authorized == 1999


# ── Cards that are refused ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("tok_chargeDeclined", "generic_decline"),
        ("tok_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("pm_card_chargeDeclined", "generic_decline"),
        ("tok_nothing_like_it", "resource_missing"),
        ("pm_nothing_like_it", "resource_missing"),
    ],
)
async def test_a_card_that_is_refused_can_take_no_money_later(
    double: RunningStripe, provider: StripePayments, token: str, code: str
) -> None:
    for _ in range(2):
        answer = await provider.authorize(attempt(token=token), key("authorize"))
        assert isinstance(answer, IsDeclined)
        assert answer.code == code
    intents = await double.client().v1.payment_intents.list_async()
    assert {intent.status for intent in intents.data} <= {"canceled"}


async def test_after_a_decline_another_card_pays_as_another_attempt(
    double: RunningStripe, provider: StripePayments
) -> None:
    await provider.authorize(attempt("p1", "tok_chargeDeclined"), key("authorize"))
    await captured(provider, attempt("p2"))
    assert (await double.control.orders())["o1"].captured == 1999


# ── Confirmation at the bank ──────────────────────────────────────────────────────────────────────


async def waiting(provider: StripePayments, token: str = "pm_card_threeDSecure2Required") -> Attempt:
    answer = await provider.authorize(attempt(token=token), key("authorize"))
    assert isinstance(answer, NeedsAction)
    assert "secret" not in answer.action
    return replace(attempt(token=token), reference=answer.reference)


async def test_a_buyer_who_is_asked_by_his_bank_gets_what_his_client_needs(
    double: RunningStripe, provider: StripePayments
) -> None:
    asked = await waiting(provider)
    needed = await provider.confirmation(asked)
    assert needed is not None
    assert f"{asked.reference}_secret_" in (needed.secret or "")
    await double.control.authenticate(asked.reference or "")
    assert isinstance(await provider.look(asked), IsAuthorized)
    assert await provider.confirmation(asked) is None


async def test_with_a_page_to_come_back_to_the_bank_asks_on_a_page_of_its_own(double: RunningStripe) -> None:
    access = StripeAccess(double.key, url=double.url, return_url="https://tickets.example/orders")
    provider = StripePayments(access, SystemClock())
    needed = await provider.confirmation(await waiting(provider))
    await provider.close()
    assert needed is not None
    assert (needed.page or "").startswith(double.url)


async def test_a_buyer_who_fails_at_his_bank_is_declined_and_cannot_go_on_there(
    double: RunningStripe, provider: StripePayments
) -> None:
    asked = await waiting(provider)
    await double.control.authenticate(asked.reference or "", ok=False)
    answer = await provider.look(asked)
    assert isinstance(answer, IsDeclined)
    assert answer.code == "payment_intent_authentication_failure"
    assert await provider.look(asked) == answer
    intent = await double.client().v1.payment_intents.retrieve_async(asked.reference or "")
    assert intent.status == "canceled"


async def test_an_attempt_that_waits_for_its_bank_can_be_ended(
    double: RunningStripe, provider: StripePayments
) -> None:
    asked = await waiting(provider)
    assert await provider.void(asked, key("void")) == IsVoided()
    assert await provider.look(asked) == IsVoided()


# ── Ending an attempt ─────────────────────────────────────────────────────────────────────────────


async def test_what_was_set_aside_is_let_go(double: RunningStripe, provider: StripePayments) -> None:
    held = await authorized(provider, attempt())
    assert await provider.void(held, key("void")) == IsVoided()
    sums = (await double.control.orders())["o1"]
    assert (sums.open, sums.captured, sums.refunded) == (0, 0, 0)


async def test_voiding_what_was_captured_answers_that_it_was(provider: StripePayments) -> None:
    held = await captured(provider, attempt())
    assert await provider.void(held, key("void")) == IsCaptured(held.reference or "")


async def test_what_stripe_never_saw_can_take_no_money_once_it_is_void(
    double: RunningStripe, provider: StripePayments
) -> None:
    """The authorisation was on its way all the time, and arrives after the void."""
    late = attempt()
    assert await provider.look(late) == IsUnknown()
    assert await provider.void(late, key("void")) == IsVoided()
    assert await provider.authorize(late, key("authorize")) == IsVoided()
    assert await double.control.orders() == {}


@pytest.mark.parametrize("lag", [0.0, 3600.0])
async def test_an_attempt_whose_name_we_were_never_told_is_found_and_ended(
    double: RunningStripe, provider: StripePayments, lag: float
) -> None:
    """Also while Stripe's index does not know it yet."""
    await double.control.search_lag(lag)
    await authorized(provider, attempt())
    found = await provider.look(attempt())
    assert isinstance(found, IsAuthorized)
    assert await provider.void(attempt(), key("void")) == IsVoided()
    assert (await double.control.orders())["o1"].open == 0


# ── Currencies ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("price", "amount"),
    [
        (Money(1999, "usd"), 1999),
        (Money(500, "jpy"), 500),
        (Money(12340, "kwd"), 12340),
        (Money(700, "isk"), 70000),
        (Money(9000, "ugx"), 900000),
        (Money(30000, "mga"), 300),
    ],
)
async def test_an_amount_is_what_stripe_means_by_it(
    double: RunningStripe, provider: StripePayments, price: Money, amount: int
) -> None:
    held = await authorized(provider, attempt(price=price))
    intent = await double.client().v1.payment_intents.retrieve_async(held.reference or "")
    assert (intent.amount, intent.currency) == (amount, price.currency)
    assert isinstance(await provider.look(held), IsAuthorized)


@pytest.mark.parametrize("price", [Money(12345, "kwd"), Money(30001, "mga"), Money(1, "usd")])
async def test_an_amount_that_no_card_can_pay_is_declined_with_a_reason(
    double: RunningStripe, provider: StripePayments, price: Money
) -> None:
    answer = await provider.authorize(attempt(price=price), key("authorize"))
    assert isinstance(answer, IsDeclined)
    assert await double.control.orders() == {}
