"""The provider's own books: one balance transaction for each movement of money.

https://docs.stripe.com/api/balance_transactions and https://docs.stripe.com/reports/balance-transaction-types.
The fee is made up: 2.9 % and 30 minor units of a charge, as on Stripe's price list; refunds give none back.
"""

from typing import Literal

from tests.stripe import ids
from tests.stripe.bank import Bank, Call
from tests.stripe.clock import DAY
from tests.stripe.params import Given, read
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


def retrieve(bank: Bank, call: Call) -> dict[str, object]:
    """https://docs.stripe.com/api/balance: what has been paid out to nobody yet, net of fees."""
    read(Given, call.params)
    now = bank.clock.stamp()
    sums: dict[str, dict[str, int]] = {"available": {}, "pending": {}}
    for booked in bank.ledger.all(BalanceTransaction):
        part = sums["available" if booked.available_on <= now else "pending"]
        part[booked.currency] = part.get(booked.currency, 0) + booked.net
    told = {
        name: [{"amount": amount, "currency": currency} for currency, amount in part.items()]
        for name, part in sums.items()
    }
    return {"object": "balance", "livemode": False, **told}


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
