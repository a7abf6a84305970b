"""What payments, orders and tickets each say of the money, side by side, to be held against one another.

The rows are for projections/comparing.py, which asks them what does not fit, and holds them against what
the payment provider says.
"""

from typing import Any

from domain.decider import Recorded
from domain.money import Money
from domain.order import (
    OrderCancelled,
    OrderCompleted,
    OrderPlaced,
    OrderRevived,
    PaymentFailed,
    PaymentStarted,
)
from domain.parking import PurchaseParked, PurchaseRetried, PurchaseSkipped
from domain.payment import (
    DisputeLost,
    DisputeWon,
    PaymentActionRequired,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentDisputed,
    PaymentPending,
    PaymentRefunded,
    PaymentRequested,
    PaymentVoided,
    RefundFailed,
    RefundPending,
    RefundRequested,
)
from domain.ticket import TicketReleased, TicketReserved, TicketReturned, TicketSold
from projections.projection import Handler, Projection, Statement, by_type, micros

# ── Rows ──────────────────────────────────────────────────────────────────────────────────────────
# Each row is written by one stream. event, position, at: the last fact that was written to it.
# payment.standing: open, taken, refunding, disputed, lost (to the buyer's bank) or over (without money).
# made: when it began. refund.amount: NULL for all that was taken. minded: the purchase is set
# aside, or an operator has left it so.

_TABLES = """
CREATE TABLE payment(
    id TEXT PRIMARY KEY, purchase TEXT NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL,
    standing TEXT NOT NULL, reference TEXT NOT NULL, made INTEGER NOT NULL,
    event TEXT NOT NULL, position INTEGER NOT NULL, at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE refund(
    payment TEXT NOT NULL, reference TEXT NOT NULL, amount INTEGER, standing TEXT NOT NULL,
    made INTEGER NOT NULL, PRIMARY KEY (payment, reference)
) WITHOUT ROWID;
CREATE TABLE dispute(
    payment TEXT NOT NULL, reference TEXT NOT NULL, standing TEXT NOT NULL,
    made INTEGER NOT NULL, PRIMARY KEY (payment, reference)
) WITHOUT ROWID;
CREATE TABLE purchase(
    id TEXT PRIMARY KEY, ticket TEXT NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL,
    standing TEXT NOT NULL, payment TEXT,
    event TEXT NOT NULL, position INTEGER NOT NULL, at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE sale(
    ticket TEXT PRIMARY KEY, purchase TEXT NOT NULL, sold INTEGER NOT NULL,
    event TEXT NOT NULL, position INTEGER NOT NULL, at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE parking(purchase TEXT PRIMARY KEY, minded INTEGER NOT NULL) WITHOUT ROWID;
"""

_ASK = "INSERT INTO payment VALUES (?, ?, ?, ?, 'open', '', ?, ?, ?, ?)"
_MOVE = """UPDATE payment SET
    standing = ?, reference = coalesce(?, reference), event = ?, position = ?, at = ? WHERE id = ?"""
_REFUND = """INSERT INTO refund VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
    amount = excluded.amount, standing = excluded.standing"""
_DISPUTE = "INSERT INTO dispute VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET standing = excluded.standing"
_PLACE = "INSERT INTO purchase VALUES (?, ?, ?, ?, 'open', NULL, ?, ?, ?)"
_STAND = """UPDATE purchase SET standing = ?, payment = coalesce(?, payment), event = ?, position = ?, at = ?
    WHERE id = ?"""
_SELL = """INSERT INTO sale VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
    purchase = excluded.purchase, sold = excluded.sold, event = excluded.event,
    position = excluded.position, at = excluded.at"""
_MIND = "INSERT INTO parking VALUES (?, ?) ON CONFLICT DO UPDATE SET minded = excluded.minded"


def _last(recorded: Recorded[Any]) -> tuple[str, int, int]:
    return type(recorded.event).__name__, recorded.position, micros(recorded.metadata.at)


# ── Payments ──────────────────────────────────────────────────────────────────────────────────────


def _requested(recorded: Recorded[PaymentRequested]) -> tuple[Statement]:
    asked = recorded.event
    money, made = (asked.amount.amount, asked.amount.currency), micros(recorded.metadata.at)
    return ((_ASK, (recorded.key, asked.order, *money, made, *_last(recorded))),)


def _moves(standing: str) -> Handler:
    """An event after which the payment stands so; it may bring the provider's name of it."""

    def apply(recorded: Recorded[Any]) -> tuple[Statement]:
        return (_moved(recorded, standing, getattr(recorded.event, "reference", None)),)

    return apply


def _moved(recorded: Recorded[Any], standing: str, reference: str | None = None) -> Statement:
    return _MOVE, (standing, reference, *_last(recorded), recorded.key)


def _refund_asked(recorded: Recorded[RefundRequested]) -> tuple[Statement]:
    return (_moved(recorded, "refunding"),)


def _refund_pending(recorded: Recorded[RefundPending]) -> tuple[Statement, ...]:
    return _refund(recorded, "pending", None), _moved(recorded, "refunding")


def _refunded(recorded: Recorded[PaymentRefunded]) -> tuple[Statement, ...]:
    return _refund(recorded, "done", recorded.event.amount), _moved(recorded, "taken")


def _refund_failed(recorded: Recorded[RefundFailed]) -> tuple[Statement, ...]:
    return _refund(recorded, "failed", recorded.event.restored), _moved(recorded, "refunding")


def _refund(recorded: Recorded[Any], standing: str, amount: Money | None) -> Statement:
    moved = None if amount is None else amount.amount
    return _REFUND, (recorded.key, recorded.event.reference, moved, standing, micros(recorded.metadata.at))


def _disputed(dispute: str, standing: str) -> Handler:
    """An event after which the dispute and the payment stand so."""

    def apply(recorded: Recorded[Any]) -> tuple[Statement, ...]:
        values = (recorded.key, recorded.event.reference, dispute, micros(recorded.metadata.at))
        return (_DISPUTE, values), _moved(recorded, standing)

    return apply


# ── Orders and tickets ────────────────────────────────────────────────────────────────────────────


def _placed(recorded: Recorded[OrderPlaced]) -> tuple[Statement]:
    terms = recorded.event
    price = terms.price.amount, terms.price.currency
    return ((_PLACE, (recorded.key, terms.ticket, *price, *_last(recorded))),)


def _stands(standing: str) -> Handler:
    """An event after which the order stands so; it may name the payment that counts."""

    def apply(recorded: Recorded[Any]) -> tuple[Statement]:
        counts = getattr(recorded.event, "payment", None)
        return ((_STAND, (standing, counts, *_last(recorded), recorded.key)),)

    return apply


def _sale(*, sold: bool) -> Handler:
    def apply(recorded: Recorded[Any]) -> tuple[Statement]:
        return ((_SELL, (recorded.key, recorded.event.order, sold, *_last(recorded))),)

    return apply


def _minds(*, minded: bool) -> Handler:
    def apply(recorded: Recorded[Any]) -> tuple[Statement]:
        return ((_MIND, (recorded.key, minded)),)

    return apply


# ── The projection ────────────────────────────────────────────────────────────────────────────────

_HANDLERS: dict[type, Handler] = {
    PaymentRequested: _requested,
    PaymentPending: _moves("open"),
    PaymentActionRequired: _moves("open"),
    PaymentAuthorized: _moves("open"),
    PaymentDeclined: _moves("over"),
    PaymentVoided: _moves("over"),
    PaymentCaptured: _moves("taken"),
    RefundRequested: _refund_asked,
    RefundPending: _refund_pending,
    PaymentRefunded: _refunded,
    RefundFailed: _refund_failed,
    PaymentDisputed: _disputed("open", "disputed"),
    DisputeWon: _disputed("won", "taken"),
    DisputeLost: _disputed("lost", "lost"),
    OrderPlaced: _placed,
    PaymentStarted: _stands("paying"),
    PaymentFailed: _stands("open"),
    OrderCompleted: _stands("complete"),
    OrderCancelled: _stands("cancelled"),
    OrderRevived: _stands("paying"),
    TicketReserved: _sale(sold=False),
    TicketSold: _sale(sold=True),
    TicketReleased: _sale(sold=False),
    TicketReturned: _sale(sold=False),
    PurchaseParked: _minds(minded=True),
    PurchaseRetried: _minds(minded=False),
    PurchaseSkipped: _minds(minded=True),
}

RECONCILIATION = Projection(
    name="reconciliation",
    version=1,
    events=tuple(_HANDLERS),
    tables=_TABLES,
    apply=by_type(_HANDLERS),
    upkeep=(
        "CREATE INDEX payments_of_purchase ON payment(purchase)",
        "CREATE INDEX payments_by_reference ON payment(reference)",
    ),
)
