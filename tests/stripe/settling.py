"""What becomes of refunds by itself after a while: pending ones succeed, and some fail.

https://docs.stripe.com/testing#refunds says no more of the time than that it is later; a test sets it, or
says itself when (``Control.complete_refund``, ``fail_refund``).
"""

import asyncio
from collections.abc import Callable

from tests.stripe import refunds
from tests.stripe.bank import Bank
from tests.stripe.methods import card_of
from tests.stripe.shapes import Charge, PaymentMethod, Refund

LONGEST_NAP = 0.2
SETTLED = "settled"


async def settle_for_ever(bank: Bank, after: float, wake: Callable[[], None]) -> None:
    """Settle each refund ``after`` seconds of the double's time; ``wake`` is told when one was."""
    while True:
        if settle(bank, after):
            wake()
        await asyncio.sleep(min(LONGEST_NAP, max(after, 0.01)))


def settle(bank: Bank, after: float) -> int:
    """Settle the refunds that are old enough. How many there were."""
    oldest = bank.clock.now() - after
    rows = bank.ledger.db.execute(
        "SELECT id FROM objects WHERE kind = 'Refund' AND created <= ? "
        f"AND json_extract(private, '$.{SETTLED}') IS NULL ORDER BY seq",
        (oldest,),
    ).fetchall()
    if rows:
        with bank.ledger.transaction():
            for (name,) in rows:
                _settle(bank, bank.find(Refund, "refund", name))
    return len(rows)


def _settle(bank: Bank, refund: Refund) -> None:
    charge = bank.find(Charge, "charge", refund.charge)
    method = bank.find(PaymentMethod, "PaymentMethod", charge.payment_method)
    fate = card_of(bank, method).refunds
    if fate == "fail" and refund.status == "succeeded":
        refunds.fail(bank, refund)
    elif refund.status == "pending":
        refunds.complete(bank, refund)
    bank.ledger.put(refund, {SETTLED: True})
