"""Amounts as Stripe counts them: whole numbers of its own smallest unit, which is not always ISO 4217's.

https://docs.stripe.com/currencies: ISK and UGX have no decimals but are written with two, MGA is written
with none, and of three decimals the last one must be 0.
"""

from domain.money import Money, decimals

_WRITTEN_WITH = {"isk": 2, "ugx": 2, "mga": 0}
"""Decimals at Stripe, where they differ from ISO 4217's."""


class NotPayable(ValueError):
    """The amount lies between two amounts that Stripe can take. The text is for the buyer."""


def to_stripe(money: Money) -> int:
    """``Money(500, "usd")`` is 500, ``Money(500, "isk")`` is 50000. Raises NotPayable."""
    shift = _WRITTEN_WITH.get(money.currency, decimals(money.currency)) - decimals(money.currency)
    unit: int = 10 ** max(-shift, 0)
    amount, rest = divmod(money.amount * int(10 ** max(shift, 0)), unit)
    if rest or (decimals(money.currency) == 3 and amount % 10):
        raise NotPayable(f"An amount of {money} cannot be paid by card; it has one decimal too many.")
    return amount


def from_stripe(amount: int, currency: str) -> Money:
    """The amount that Stripe means by ``amount``."""
    shift = decimals(currency) - _WRITTEN_WITH.get(currency, decimals(currency))
    return Money(amount * 10 ** max(shift, 0) // 10 ** max(-shift, 0), currency)
