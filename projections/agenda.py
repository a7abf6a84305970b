"""The agenda: which purchases want a look, and since when. A hint; whoever looks decides from the streams.

Each stream writes columns of its own, and no row is ever deleted, so whatever comes late (a stream that
was held back, a refund long after the sale) finds its place. What is due follows from the columns, in
one rule, which the table itself keeps.
"""

from datetime import datetime
from typing import NamedTuple

from msgspec import Struct

from domain.decider import Recorded
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
    PaymentCaptured,
    PaymentDeclined,
    PaymentDisputed,
    PaymentRefunded,
    PaymentRequested,
    PaymentVoided,
    RefundFailed,
    RefundRequested,
)
from domain.ticket import TicketReleased, TicketReserved, TicketReturned
from projections.outside import Readable
from projections.projection import Handler, Projection, Statement, by_type, micros, moment

_SECOND = 1_000_000
ORPHANED = 5 * _SECOND
"""Microseconds after which a hold without an order, or an attempt to pay, has probably lost its driver."""
UNDOING = 2 * _SECOND
"""Microseconds that whoever cancelled has for giving the ticket back."""

# ── Rows ──────────────────────────────────────────────────────────────────────────────────────────
# of the ticket's stream    ticket, held, hold_ends, hold_check
# of the order's stream     status (none: the order was never placed), ends, deadline, check_at
# of the payments' streams  open, taken, refunded: how many attempts stand so; see the table attempt
# of the parking stream     parked (0, 1 parked, 2 skipped), step, error, tries, parked_at

_LEFT_TO_DO = """CASE
    WHEN status IN ('placed', 'paying') THEN 1
    WHEN status = 'completed' THEN open > 0 OR taken = 0 AND refunded > 0 AND held
    ELSE held OR open + taken > 0 END"""

# A parked purchase is its operator's, but its hold still ends on time.
_PARKED_UNTIL = """CASE
    WHEN status IN ('placed', 'paying') OR held AND status IS NOT 'completed'
    THEN coalesce(deadline, hold_ends) END"""

_TABLES = f"""
CREATE TABLE purchase(
    order_id TEXT NOT NULL UNIQUE,
    ticket TEXT NOT NULL DEFAULT '', held INTEGER NOT NULL DEFAULT 0, hold_ends INTEGER, hold_check INTEGER,
    status TEXT, ends INTEGER, deadline INTEGER, check_at INTEGER,
    open INTEGER NOT NULL DEFAULT 0, taken INTEGER NOT NULL DEFAULT 0, refunded INTEGER NOT NULL DEFAULT 0,
    parked INTEGER NOT NULL DEFAULT 0, step TEXT, error TEXT, tries INTEGER, parked_at INTEGER,
    due_at INTEGER GENERATED ALWAYS AS (
        CASE WHEN {_LEFT_TO_DO} THEN
            CASE WHEN parked THEN {_PARKED_UNTIL} ELSE coalesce(check_at, hold_check) END
        END) VIRTUAL
);
CREATE TABLE attempt(
    payment TEXT PRIMARY KEY, order_id TEXT NOT NULL, state TEXT NOT NULL, "left" INTEGER NOT NULL
) WITHOUT ROWID;
"""

_UPKEEP = (
    "CREATE INDEX due ON purchase(due_at, order_id) WHERE due_at IS NOT NULL",
    "CREATE INDEX set_aside ON purchase(parked_at) WHERE parked = 1",
)

# ── The ticket's part ─────────────────────────────────────────────────────────────────────────────

_RESERVE = """INSERT INTO purchase(order_id, ticket, held, hold_ends, hold_check) VALUES (?, ?, 1, ?, ?)
    ON CONFLICT(order_id) DO UPDATE SET ticket = excluded.ticket, held = 1,
        hold_ends = excluded.hold_ends, hold_check = excluded.hold_check"""
_RELEASE = "UPDATE purchase SET held = 0 WHERE order_id = ?"


def _reserved(recorded: Recorded[TicketReserved]) -> tuple[Statement]:
    event = recorded.event
    check = micros(recorded.metadata.at) + ORPHANED
    return ((_RESERVE, (event.order, recorded.key, micros(event.expires_at), check)),)


def _released(recorded: Recorded[TicketReleased | TicketReturned]) -> tuple[Statement]:
    return ((_RELEASE, (recorded.event.order,)),)


# ── The order's part ──────────────────────────────────────────────────────────────────────────────

_PLACE = """INSERT INTO purchase(order_id, ticket, status, ends, deadline, check_at)
    VALUES (?1, ?2, 'placed', ?3, ?3, ?3)
    ON CONFLICT(order_id) DO UPDATE SET ticket = ?2, status = 'placed',
        ends = ?3, deadline = ?3, check_at = ?3"""
_PAY = "UPDATE purchase SET status = 'paying', deadline = max(ends, ?), check_at = ? WHERE order_id = ?"
_FAIL = "UPDATE purchase SET status = 'placed', deadline = ends, check_at = ends WHERE order_id = ?"
_REVIVE = "UPDATE purchase SET status = 'paying', ends = ?1, deadline = ?1, check_at = ?2 WHERE order_id = ?3"
_END = "UPDATE purchase SET status = ?, check_at = ? WHERE order_id = ?"


def _placed(recorded: Recorded[OrderPlaced]) -> tuple[Statement]:
    event = recorded.event
    return ((_PLACE, (recorded.key, event.ticket, micros(event.expires_at))),)


def _started(recorded: Recorded[PaymentStarted]) -> tuple[Statement]:
    check = micros(recorded.metadata.at) + ORPHANED
    return ((_PAY, (micros(recorded.event.grace_until), check, recorded.key)),)


def _failed(recorded: Recorded[PaymentFailed]) -> tuple[Statement]:
    return ((_FAIL, (recorded.key,)),)


def _completed(recorded: Recorded[OrderCompleted]) -> tuple[Statement]:
    return ((_END, ("completed", micros(recorded.metadata.at), recorded.key)),)


def _cancelled(recorded: Recorded[OrderCancelled]) -> tuple[Statement]:
    return ((_END, ("cancelled", micros(recorded.metadata.at) + UNDOING, recorded.key)),)


def _revived(recorded: Recorded[OrderRevived]) -> tuple[Statement]:
    check = micros(recorded.metadata.at) + ORPHANED
    return ((_REVIVE, (micros(recorded.event.expires_at), check, recorded.key)),)


# ── The payments' part ────────────────────────────────────────────────────────────────────────────

_REQUEST = """INSERT INTO purchase(order_id, open) VALUES (?, 1)
    ON CONFLICT(order_id) DO UPDATE SET open = open + 1"""
_ATTEMPT = "INSERT INTO attempt VALUES (?, ?, 'open', ?)"
_COUNT = """UPDATE purchase SET
        open = open + (?1 = 'open') - (was.state = 'open'),
        taken = taken + (?1 = 'taken') - (was.state = 'taken'),
        refunded = refunded + (?1 = 'refunded') - (was.state = 'refunded')
    FROM attempt AS was WHERE was.payment = ?2 AND purchase.order_id = was.order_id"""
_BECOME = "UPDATE attempt SET state = ?1 WHERE payment = ?2"


def _requested(recorded: Recorded[PaymentRequested]) -> tuple[Statement, Statement]:
    order, amount = recorded.event.order, recorded.event.amount
    return (_REQUEST, (order,)), (_ATTEMPT, (recorded.key, order, amount.amount))


def _now(state: str) -> Handler:
    """The attempt's money: open (somebody still has to ask for it or send it back), taken, refunded, none."""

    def apply(recorded: Recorded[object]) -> tuple[Statement, Statement]:
        values = (state, recorded.key)
        return (_COUNT, values), (_BECOME, values)

    return apply


_GIVE = 'UPDATE attempt SET "left" = coalesce("left" - ?, 0) WHERE payment = ?'
_STANDS = """UPDATE purchase SET taken = taken + (was."left" > 0) - (was.state = 'taken'),
        refunded = refunded + (was."left" <= 0) - (was.state = 'refunded'), open = open - (was.state = 'open')
    FROM attempt AS was WHERE was.payment = ? AND purchase.order_id = was.order_id"""
_STAND = "UPDATE attempt SET state = iif(\"left\" > 0, 'taken', 'refunded') WHERE payment = ?"


def _refunded(recorded: Recorded[PaymentRefunded]) -> tuple[Statement, Statement, Statement]:
    """A part leaves the rest taken. An event of the first version has no amount: all went back."""
    amount = recorded.event.amount
    back = None if amount is None else amount.amount
    key = recorded.key
    return (_GIVE, (back, key)), (_STANDS, (key,)), (_STAND, (key,))


def _refund_failed(recorded: Recorded[RefundFailed]) -> tuple[Statement, ...]:
    restored = recorded.event.restored
    again = (_GIVE, (-restored.amount if restored else 0, recorded.key))
    return (again, *_now("open")(recorded))


# ── The parking's part ────────────────────────────────────────────────────────────────────────────

_PARK = """INSERT INTO purchase(order_id, parked, step, error, tries, parked_at) VALUES (?, 1, ?, ?, ?, ?)
    ON CONFLICT(order_id) DO UPDATE SET parked = 1, step = excluded.step, error = excluded.error,
        tries = excluded.tries, parked_at = excluded.parked_at"""
_RETRY = "UPDATE purchase SET parked = 0 WHERE order_id = ?"
_SKIP = "UPDATE purchase SET parked = 2 WHERE order_id = ?"


def _parked(recorded: Recorded[PurchaseParked]) -> tuple[Statement]:
    event = recorded.event
    return ((_PARK, (recorded.key, event.step, event.error, event.tries, micros(recorded.metadata.at))),)


def _retried(recorded: Recorded[PurchaseRetried]) -> tuple[Statement]:
    return ((_RETRY, (recorded.key,)),)


def _skipped(recorded: Recorded[PurchaseSkipped]) -> tuple[Statement]:
    return ((_SKIP, (recorded.key,)),)


# ── The projection ────────────────────────────────────────────────────────────────────────────────

_HANDLERS: dict[type, Handler] = {
    TicketReserved: _reserved,
    TicketReleased: _released,
    TicketReturned: _released,
    OrderPlaced: _placed,
    PaymentStarted: _started,
    PaymentFailed: _failed,
    OrderCompleted: _completed,
    OrderCancelled: _cancelled,
    OrderRevived: _revived,
    PaymentRequested: _requested,
    PaymentDeclined: _now("none"),
    PaymentVoided: _now("none"),
    PaymentDisputed: _now("none"),
    PaymentCaptured: _now("taken"),
    RefundRequested: _now("open"),
    RefundFailed: _refund_failed,
    PaymentRefunded: _refunded,
    DisputeWon: _now("taken"),
    DisputeLost: _now("refunded"),
    PurchaseParked: _parked,
    PurchaseRetried: _retried,
    PurchaseSkipped: _skipped,
}

AGENDA = Projection(
    name="agenda",
    version=2,
    events=tuple(_HANDLERS),
    tables=_TABLES,
    apply=by_type(_HANDLERS),
    upkeep=_UPKEEP,
)

# ── Questions ─────────────────────────────────────────────────────────────────────────────────────


class DueRow(NamedTuple):
    """A purchase to look at, and since when.

    ticket: whose hold began it; empty while that is not known here. money: an attempt to pay is open.
    parked: it is set aside, and only its deadline is due. ends: when its hold ends, unless it is over.
    set_aside: when it last was, if ever.
    """

    order: str
    ticket: str
    at: datetime
    money: bool
    parked: bool
    ends: datetime | None
    set_aside: datetime | None


class ParkedPurchase(Struct, frozen=True):
    """A purchase set aside: the step that failed, how it failed last, how often, since when."""

    order: str
    step: str
    error: str
    tries: int
    since: datetime


_DUE = """SELECT order_id, ticket, due_at, status IS 'paying' OR open + taken > 0, parked,
        CASE WHEN status IN ('placed', 'paying') THEN deadline END, parked_at FROM purchase
    WHERE due_at IS NOT NULL AND due_at <= ? AND (due_at, order_id) > (?, ?)
    ORDER BY due_at, order_id LIMIT ?"""
_NEXT = "SELECT due_at FROM purchase WHERE due_at IS NOT NULL ORDER BY due_at LIMIT 1"
_SET_ASIDE = f"""SELECT order_id, step, error, tries, parked_at FROM purchase
    WHERE parked = 1 AND {_LEFT_TO_DO} ORDER BY parked_at, order_id"""  # noqa: S608 - constants only


class AgendaTable:
    def __init__(self, model: Readable) -> None:
        self.model = model

    def due(self, now: datetime, limit: int, after: tuple[datetime, str] | None = None) -> list[DueRow]:
        """At most ``limit`` purchases due by ``now``, in the order (at, order), those behind ``after``."""
        at, order = (0, "") if after is None else (micros(after[0]), after[1])
        return [
            DueRow(
                order_id,
                ticket,
                moment(due_at),
                bool(money),
                parked > 0,
                None if ends is None else moment(ends),
                None if set_aside is None else moment(set_aside),
            )
            for order_id, ticket, due_at, money, parked, ends, set_aside in self.model.rows(
                _DUE, micros(now), at, order, limit
            )
        ]

    def next_due(self) -> datetime | None:
        """When the next purchase falls due, or since when it has been; None if none is open."""
        found = self.model.rows(_NEXT)
        return moment(found[0][0]) if found else None

    def parked(self) -> list[ParkedPurchase]:
        """What waits for an operator, longest first."""
        return [
            ParkedPurchase(order_id, step, error, tries, moment(since))
            for order_id, step, error, tries, since in self.model.rows(_SET_ASIDE)
        ]
