"""Attempts at Stripe, for tests: as far as they have to be before something can happen to them."""

from datetime import UTC, datetime

from msgspec.structs import replace

from domain.money import Money
from gateways.stripe_payments import StripePayments
from processmanager.ports import Attempt, IsAuthorized, IsCaptured, step_key
from tests.payments.attempts import PRICE
from tests.payments.attempts import attempt as plain


def attempt(name: str = "p1", token: str = "tok_visa", price: Money = PRICE) -> Attempt:
    return replace(plain(name, token, price=price), request="req-1", at=datetime.now(UTC))


def key(verb: str, name: str = "p1") -> str:
    return step_key(name, verb)


async def authorized(provider: StripePayments, asked: Attempt) -> Attempt:
    answer = await provider.authorize(asked, step_key(asked.id, "authorize"))
    assert isinstance(answer, IsAuthorized)
    return replace(asked, reference=answer.reference)


async def captured(provider: StripePayments, asked: Attempt) -> Attempt:
    held = await authorized(provider, asked)
    assert isinstance(await provider.capture(held, step_key(asked.id, "capture")), IsCaptured)
    return held
