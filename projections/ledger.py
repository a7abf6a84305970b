"""The ledger: what was taken and what went back, for each order and for each seller."""

from datetime import datetime
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from domain.decider import Recorded
from domain.money import Money
from domain.order import OrderPlaced
from domain.payment import DisputeLost, PaymentCaptured, PaymentRefunded, PaymentRequested, RefundFailed
from projections.outside import Readable
from projections.projection import Handler, Projection, Statement, by_type, micros, moment

# ── Rows ──────────────────────────────────────────────────────────────────────────────────────────
# An attempt says what order and what amount it is about, an order says who sells. Entries are both.

_TABLES = """
CREATE TABLE sale(order_id TEXT PRIMARY KEY, seller TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE attempt(
    payment TEXT PRIMARY KEY, order_id TEXT NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE entry(
    position INTEGER PRIMARY KEY, kind TEXT NOT NULL, payment TEXT NOT NULL, order_id TEXT NOT NULL,
    amount INTEGER NOT NULL, currency TEXT NOT NULL, at INTEGER NOT NULL
);
"""

_SELL = "INSERT INTO sale VALUES (?, ?)"
_ATTEMPT = "INSERT INTO attempt VALUES (?, ?, ?, ?)"
_ENTER = """INSERT INTO entry
    SELECT ?, ?, payment, order_id, coalesce(?, amount), currency, ? FROM attempt WHERE payment = ?"""


def _placed(recorded: Recorded[OrderPlaced]) -> tuple[Statement]:
    return ((_SELL, (recorded.key, recorded.event.seller)),)


def _requested(recorded: Recorded[PaymentRequested]) -> tuple[Statement]:
    order, amount = recorded.event.order, recorded.event.amount
    return ((_ATTEMPT, (recorded.key, order, amount.amount, amount.currency)),)


def _captured(recorded: Recorded[PaymentCaptured]) -> tuple[Statement]:
    return (_entry("capture", recorded, None),)


def _refunded(recorded: Recorded[PaymentRefunded]) -> tuple[Statement]:
    """An event of the first version has no amount: all went back."""
    return (_entry("refund", recorded, recorded.event.amount),)


def _refund_failed(recorded: Recorded[RefundFailed]) -> tuple[Statement, ...]:
    restored = recorded.event.restored
    return (_entry("restored", recorded, restored),) if restored else ()


def _dispute_lost(recorded: Recorded[DisputeLost]) -> tuple[Statement]:
    return (_entry("chargeback", recorded, recorded.event.amount),)


def _entry(kind: str, recorded: Recorded[Any], amount: Money | None) -> Statement:
    """``amount``: None for all that the attempt was about."""
    moved = None if amount is None else amount.amount
    return _ENTER, (recorded.position, kind, moved, micros(recorded.metadata.at), recorded.key)


_HANDLERS: dict[type, Handler] = {
    OrderPlaced: _placed,
    PaymentRequested: _requested,
    PaymentCaptured: _captured,
    PaymentRefunded: _refunded,
    RefundFailed: _refund_failed,
    DisputeLost: _dispute_lost,
}

LEDGER = Projection(
    name="ledger",
    version=2,
    events=tuple(_HANDLERS),
    tables=_TABLES,
    apply=by_type(_HANDLERS),
    upkeep=(
        "CREATE INDEX entries_of_order ON entry(order_id, position)",
        "CREATE INDEX sales_of_seller ON sale(seller)",
    ),
)

# ── Questions ─────────────────────────────────────────────────────────────────────────────────────

Kind: TypeAlias = Literal["capture", "refund", "restored", "chargeback"]
"""Taken; given back; here again because a refund failed late; given to the buyer by his bank."""


class Entry(Struct, frozen=True):
    """Money taken, or given back. ``amount`` is always positive.

    seller: None while the order is held back. position: its place in the log.
    """

    kind: Kind
    amount: Money
    payment: str
    order: str
    seller: str | None
    at: datetime
    position: int


class Total(Struct, frozen=True):
    """What was taken and given back in one currency."""

    captured: Money
    refunded: Money

    @property
    def kept(self) -> Money:
        return self.captured - self.refunded


_SELECT = "SELECT kind, amount, currency, payment, order_id, seller, at, position"
_OF_ORDER = f"{_SELECT} FROM entry LEFT JOIN sale USING (order_id) WHERE order_id = ? ORDER BY position"
# CROSS JOIN: begin with the seller's orders, whatever SQLite guesses about the sizes of the tables.
_OF_SELLER = f"{_SELECT} FROM sale CROSS JOIN entry USING (order_id) WHERE seller = ? ORDER BY position"
_TOTALS = """SELECT currency, sum(amount) FILTER (WHERE kind = 'capture'),
    sum(iif(kind = 'restored', -amount, amount)) FILTER (WHERE kind <> 'capture')
    FROM entry GROUP BY currency ORDER BY currency"""


class Ledger:
    def __init__(self, model: Readable) -> None:
        self.model = model

    def of_order(self, order: str) -> list[Entry]:
        """What was taken and given back for ``order``, oldest first."""
        return [_item(*row) for row in self.model.rows(_OF_ORDER, order)]

    def of_seller(self, seller: str) -> list[Entry]:
        """What was taken and given back for the tickets of ``seller``, oldest first."""
        return [_item(*row) for row in self.model.rows(_OF_SELLER, seller)]

    def totals(self) -> list[Total]:
        """All of it, one total for each currency. Reads every entry: not for a request."""
        return [
            Total(Money(captured or 0, currency), Money(refunded or 0, currency))
            for currency, captured, refunded in self.model.rows(_TOTALS)
        ]


def _item(
    kind: Kind,
    amount: int,
    currency: str,
    payment: str,
    order: str,
    seller: str | None,
    at: int,
    position: int,
) -> Entry:
    return Entry(kind, Money(amount, currency), payment, order, seller, moment(at), position)
