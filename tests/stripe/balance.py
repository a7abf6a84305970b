"""The provider's own books: one balance transaction for each movement of money.

https://docs.stripe.com/api/balance_transactions and https://docs.stripe.com/reports/balance-transaction-types.
The fee is made up: 2.9 % and 30 minor units of a charge, as on Stripe's price list; refunds give none back.
"""

from typing import Literal

from tests.stripe import ids
from tests.stripe.bank import Bank
from tests.stripe.clock import DAY
from tests.stripe.shapes import BalanceTransaction

DISPUTE_FEE = 15_00

Movement = Literal["charge", "refund", "refund_failure", "adjustment"]
_CATEGORIES: dict[Movement, str] = {
    "charge": "charge",
    "refund": "refund",
    "refund_failure": "refund_failure",
    "adjustment": "dispute",
}


def fee_of(amount: int) -> int:
    return (amount * 29 + 500) // 1000 + 30


def move(
    bank: Bank, kind: Movement, amount: int, currency: str, source: str, *, fee: int = 0, category: str = ""
) -> BalanceTransaction:
    """Book ``amount`` minor units, negative when they leave the account, for the object ``source``."""
    now = bank.clock.stamp()
    booked = BalanceTransaction(
        id=ids.new("txn"),
        created=now,
        amount=amount,
        available_on=now + 2 * DAY,
        currency=currency,
        fee=fee,
        fee_details=[{"amount": fee, "currency": currency, "type": "stripe_fee"}] if fee else [],
        net=amount - fee,
        reporting_category=category or _CATEGORIES[kind],
        source=source,
        type=kind,
    )
    bank.ledger.put(booked)
    return booked
