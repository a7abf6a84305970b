"""Orders: whose they are and how they stand, with the ticket as it was ordered."""

from datetime import datetime
from typing import Any, Literal, TypeAlias

from msgspec import Struct

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
from projections.outside import Readable
from projections.paging import Number, Page, cursor, place
from projections.projection import Handler, Projection, Statement, by_type, micros, moment

# ── Rows ──────────────────────────────────────────────────────────────────────────────────────────
# placed: the position of the order, which orders all orders. payment: the attempt that counts.

_TABLES = """
CREATE TABLE placed_order(
    placed INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, buyer TEXT NOT NULL, status TEXT NOT NULL,
    expires_at INTEGER NOT NULL, ticket TEXT NOT NULL, ticket_version INTEGER NOT NULL,
    seller TEXT NOT NULL, title TEXT NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL,
    reason TEXT, payment TEXT, revived INTEGER NOT NULL
);
"""

_PLACE = "INSERT INTO placed_order VALUES (?, ?, ?, 'created', ?, ?, ?, ?, ?, ?, ?, NULL, NULL, 0)"
_PAY = "UPDATE placed_order SET status = 'awaiting:payment', payment = ? WHERE id = ?"
_FAIL = "UPDATE placed_order SET status = 'created', payment = NULL WHERE id = ?"
_COMPLETE = "UPDATE placed_order SET status = 'complete', payment = ? WHERE id = ?"
_CANCEL = "UPDATE placed_order SET status = 'cancelled', reason = ? WHERE id = ?"
_REVIVE = """UPDATE placed_order SET status = 'awaiting:payment', reason = NULL, payment = ?, revived = 1
    WHERE id = ?"""


def _placed(recorded: Recorded[OrderPlaced]) -> tuple[Statement]:
    terms = recorded.event
    values = (
        recorded.position,
        recorded.key,
        terms.buyer,
        micros(terms.expires_at),
        terms.ticket,
        terms.ticket_version,
        terms.seller,
        terms.title,
        terms.price.amount,
        terms.price.currency,
    )
    return ((_PLACE, values),)


def _started(recorded: Recorded[PaymentStarted]) -> tuple[Statement]:
    return ((_PAY, (recorded.event.payment, recorded.key)),)


def _failed(recorded: Recorded[PaymentFailed]) -> tuple[Statement]:
    return ((_FAIL, (recorded.key,)),)


def _completed(recorded: Recorded[OrderCompleted]) -> tuple[Statement]:
    return ((_COMPLETE, (recorded.event.payment, recorded.key)),)


def _cancelled(recorded: Recorded[OrderCancelled]) -> tuple[Statement]:
    return ((_CANCEL, (recorded.event.reason, recorded.key)),)


def _revived(recorded: Recorded[OrderRevived]) -> tuple[Statement]:
    return ((_REVIVE, (recorded.event.payment, recorded.key)),)


_HANDLERS: dict[type, Handler] = {
    OrderPlaced: _placed,
    PaymentStarted: _started,
    PaymentFailed: _failed,
    OrderCompleted: _completed,
    OrderCancelled: _cancelled,
    OrderRevived: _revived,
}

ORDERS = Projection(
    name="orders",
    version=2,
    events=tuple(_HANDLERS),
    tables=_TABLES,
    apply=by_type(_HANDLERS),
    upkeep=("CREATE INDEX by_buyer ON placed_order(buyer, placed)",),
)

# ── Questions ─────────────────────────────────────────────────────────────────────────────────────

Status: TypeAlias = Literal["created", "awaiting:payment", "complete", "cancelled"]


class OrderItem(Struct, frozen=True):
    """An order. ``version``: 0, and 1 once it is cancelled; 2 more once it was revived.

    reason: why it was cancelled. payment: the attempt that counts, if there is one.
    placed_position: the order's place in the log.
    revived: it had ended by time, but its money came late and its ticket was still free.
    """

    id: str
    buyer: str
    status: Status
    expires_at: datetime
    ticket: str
    title: str
    price: Money
    ticket_version: int
    seller: str
    reason: str | None
    payment: str | None
    placed_position: int
    revived: bool

    @property
    def version(self) -> int:
        return int(self.status == "cancelled") + 2 * self.revived


_OF_BUYER = """SELECT id, buyer, status, expires_at, ticket, title, amount, currency, ticket_version, seller,
    reason, payment, placed, revived
    FROM placed_order WHERE buyer = ? AND placed > ? ORDER BY placed LIMIT ?"""


class Orders:
    def __init__(self, model: Readable) -> None:
        self.model = model

    def of_buyer(self, buyer: str, limit: int = 1_000, after: str | None = None) -> Page[OrderItem]:
        """The orders of ``buyer`` in all states, oldest first, one page of at most ``limit``.

        after: the ``next`` of the page before. Raises BadCursor.
        """
        (behind,) = (0,) if after is None else place(after, tuple[Number])
        found = self.model.rows(_OF_BUYER, buyer, behind, limit + 1)
        items = [_item(*row) for row in found[:limit]]
        return Page(items, cursor(items[-1].placed_position) if len(found) > limit else None)


def _item(
    key: str,
    buyer: str,
    status: Status,
    expires_at: int,
    ticket: str,
    title: str,
    amount: int,
    currency: str,
    *rest: Any,
) -> OrderItem:
    price = Money(amount, currency)
    return OrderItem(key, buyer, status, moment(expires_at), ticket, title, price, *rest)
