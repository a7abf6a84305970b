"""Attempts to pay, for tests."""

from domain.money import Money
from processmanager.ports import Attempt

PRICE = Money(1999, "usd")


def attempt(name: str = "p1", token: str = "tok_visa", *, order: str = "o1", price: Money = PRICE) -> Attempt:
    return Attempt(name, order, price, token)
