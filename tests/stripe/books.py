"""The ledger in sums: what was authorised, captured, refunded and disputed for each order."""

from msgspec import Struct

from tests.stripe.ledger import Ledger

_FAILED = ("failed", "canceled")


class Sums(Struct):
    """Minor units of one currency. ``open``: set aside and neither captured nor let go.

    authorized: all that ever was set aside. disputed: taken back by disputes, less what was won.
    captures, refunds, declines: how many there were.
    """

    order: str
    currency: str
    authorized: int = 0
    open: int = 0
    captured: int = 0
    refunded: int = 0
    disputed: int = 0
    captures: int = 0
    refunds: int = 0
    declines: int = 0

    @property
    def kept(self) -> int:
        """What was captured and not refunded."""
        return self.captured - self.refunded


def by_order(ledger: Ledger, key: str) -> list[Sums]:
    """The sums for each value of the intents' metadata ``key``, "" where there is none, and each currency."""
    sums: dict[tuple[str, str], Sums] = {}
    rows = ledger.db.execute(
        """
        SELECT coalesce(json_extract(intents.body, ?), ''), json_extract(charges.body, '$.currency'),
            json_extract(charges.body, '$.status'), json_extract(charges.body, '$.amount'),
            json_extract(charges.body, '$.amount_captured'),
            json_extract(intents.body, '$.amount_capturable'), charges.id
        FROM objects charges
        JOIN objects intents ON intents.id = json_extract(charges.body, '$.payment_intent')
        WHERE charges.kind = 'Charge' ORDER BY charges.seq""",
        (f'$.metadata."{key}"',),
    )
    for order, currency, status, amount, captured, capturable, charge in rows.fetchall():
        sum_ = sums.setdefault((order, currency), Sums(order, currency))
        if status != "succeeded":
            sum_.declines += 1
            continue
        sum_.authorized += amount
        sum_.open += capturable
        sum_.captured += captured
        sum_.captures += captured > 0
        _add_refunds(ledger, sum_, charge)
        _add_disputes(ledger, sum_, charge)
    return list(sums.values())


def balance(ledger: Ledger) -> dict[str, int]:
    """The account's balance in each currency, before fees: the sum of all balance transactions."""
    rows = ledger.db.execute(
        "SELECT json_extract(body, '$.currency'), sum(json_extract(body, '$.amount')) FROM objects "
        "WHERE kind = 'BalanceTransaction' GROUP BY 1"
    )
    return dict(rows.fetchall())


def _add_refunds(ledger: Ledger, sums: Sums, charge: str) -> None:
    rows = ledger.db.execute(
        "SELECT json_extract(body, '$.amount'), json_extract(body, '$.status') FROM objects "
        "WHERE kind = 'Refund' AND json_extract(body, '$.charge') = ?",
        (charge,),
    )
    for amount, status in rows.fetchall():
        sums.refunds += 1
        sums.refunded += 0 if status in _FAILED else amount


def _add_disputes(ledger: Ledger, sums: Sums, charge: str) -> None:
    rows = ledger.db.execute(
        "SELECT json_extract(body, '$.amount') FROM objects "
        "WHERE kind = 'Dispute' AND json_extract(body, '$.charge') = ? "
        "AND json_extract(body, '$.status') IN ('needs_response', 'under_review', 'lost')",
        (charge,),
    )
    sums.disputed += sum(amount for (amount,) in rows.fetchall())
