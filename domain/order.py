"""An order: AwaitingPayment → Paying → Completed | Cancelled.

While an attempt to pay is in flight the hold is fenced against expiry, for a grace that ends: the
deadline of a paying order is the later of the hold's end and the grace's end, and both are facts.
"""

from datetime import datetime
from typing import TypeAlias, assert_never

from msgspec import Struct

from domain.decider import Decider, Refused
from domain.money import Money

# ── Commands ──────────────────────────────────────────────────────────────────────────────────────


class Terms(Struct, frozen=True, gc=False):
    """What was agreed when the ticket was taken: the ticket as it was ordered.

    ticket_version: the ticket's public version at that moment.
    """

    buyer: str
    ticket: str
    seller: str
    title: str
    price: Money
    expires_at: datetime
    ticket_version: int = 0


class PlaceOrder(Struct, frozen=True):
    terms: Terms


class StartPayment(Struct, frozen=True):
    """Begin one attempt to pay.

    payment: the attempt's id. method: the provider's token of the card, never a card number.
    at: the deciding clock. grace_until: how long expiry is fenced off for this attempt.
    request: the id of the HTTP request that asks for it.
    """

    payment: str
    by: str
    method: str
    at: datetime
    grace_until: datetime
    request: str = ""


class FailPayment(Struct, frozen=True):
    payment: str
    reason: str


class CompleteOrder(Struct, frozen=True):
    payment: str


class CancelOrder(Struct, frozen=True):
    by: str


class ExpireOrder(Struct, frozen=True):
    at: datetime


Command: TypeAlias = PlaceOrder | StartPayment | FailPayment | CompleteOrder | CancelOrder | ExpireOrder

# ── Events ────────────────────────────────────────────────────────────────────────────────────────
# Their names and fields are the stored format: they may grow, their meaning may not change.


class OrderPlaced(Terms, frozen=True, gc=False):
    pass


class PaymentStarted(Struct, frozen=True, gc=False):
    payment: str
    method: str
    grace_until: datetime
    request: str = ""
    at: datetime | None = None


class PaymentFailed(Struct, frozen=True, gc=False):
    payment: str
    reason: str


class OrderCompleted(Struct, frozen=True, gc=False):
    payment: str


class OrderCancelled(Struct, frozen=True, gc=False):
    reason: str


Event: TypeAlias = OrderPlaced | PaymentStarted | PaymentFailed | OrderCompleted | OrderCancelled

# ── States ────────────────────────────────────────────────────────────────────────────────────────


class Unplaced(Struct, frozen=True, gc=False):
    pass


class AwaitingPayment(Struct, frozen=True, gc=False):
    """``failures``: the attempts that failed so far and why, oldest first."""

    terms: Terms
    failures: tuple[PaymentFailed, ...] = ()


class Paying(Struct, frozen=True, gc=False):
    terms: Terms
    failures: tuple[PaymentFailed, ...]
    payment: str
    method: str
    grace_until: datetime
    request: str = ""
    started_at: datetime | None = None

    @property
    def deadline(self) -> datetime:
        """When the hold ends if this attempt has had no outcome by then."""
        return max(self.terms.expires_at, self.grace_until)


class Completed(Struct, frozen=True, gc=False):
    terms: Terms
    failures: tuple[PaymentFailed, ...]
    payment: str


class Cancelled(Struct, frozen=True, gc=False):
    """``payment``: the attempt that was in flight when the order ended; its money must not be kept."""

    terms: Terms
    failures: tuple[PaymentFailed, ...]
    reason: str
    payment: str | None


State: TypeAlias = Unplaced | AwaitingPayment | Paying | Completed | Cancelled

# ── Decide ────────────────────────────────────────────────────────────────────────────────────────

EXPIRED = "expired"
CANCELLED_BY_BUYER = "cancelled by the buyer"

UNKNOWN = Refused("order_unknown", "There is no such order")
EXISTS = Refused("order_exists", "A different order was placed under this id")
NOT_OWNER = Refused("not_owner", "Only the buyer may do this")
ALREADY_PAID = Refused("order_paid", "Payment already exists for this order")
ALREADY_CANCELLED = Refused("order_cancelled", "Cannot pay for a cancelled order")
HOLD_ENDED = Refused("order_expired", "Cannot pay for an expired order")
IN_FLIGHT = Refused("payment_in_flight", "A payment for this order is in progress")
NO_SUCH_ATTEMPT = Refused("payment_unknown", "This is not the payment that the order waits for")
PAID_FOR = Refused("order_paid", "Cannot cancel an order that was paid for")
BEING_PAID = Refused("payment_in_flight", "Cannot cancel an order while it is being paid for")
NOT_PAID = Refused("order_not_paid", "No money is kept for this order")
NOT_DUE = Refused("order_not_due", "The hold has not ended yet")


def decide(command: Command, state: State) -> tuple[Event, ...] | Refused:
    if isinstance(command, PlaceOrder):
        return _place(command.terms, state)
    if isinstance(state, Unplaced):
        return UNKNOWN
    match command:
        case StartPayment():
            return _start_payment(command, state)
        case FailPayment():
            return _fail_payment(command, state)
        case CompleteOrder(payment):
            return _complete(payment, state)
        case CancelOrder(by):
            return _cancel(by, state)
        case ExpireOrder(at):
            return _expire(at, state)
        case _:
            assert_never(command)


def _place(terms: Terms, state: State) -> tuple[Event, ...] | Refused:
    if isinstance(state, Unplaced):
        return (
            OrderPlaced(
                terms.buyer,
                terms.ticket,
                terms.seller,
                terms.title,
                terms.price,
                terms.expires_at,
                terms.ticket_version,
            ),
        )
    # The deadline is the only term that a repeated request may have computed anew.
    placed = state.terms
    same = (placed.buyer, placed.ticket) == (terms.buyer, terms.ticket)
    return () if same else EXISTS


def _start_payment(
    command: StartPayment, state: AwaitingPayment | Paying | Completed | Cancelled
) -> tuple[Event, ...] | Refused:
    if command.by != state.terms.buyer:
        return NOT_OWNER
    if any(failed.payment == command.payment for failed in state.failures):
        return ()
    match state:
        case AwaitingPayment(terms):
            if command.at >= terms.expires_at:
                return HOLD_ENDED
            return (
                PaymentStarted(
                    command.payment, command.method, command.grace_until, command.request, command.at
                ),
            )
        case Paying(payment=payment):
            return () if payment == command.payment else IN_FLIGHT
        case Completed(payment=payment):
            return () if payment == command.payment else ALREADY_PAID
        case Cancelled(payment=payment):
            return () if payment == command.payment else ALREADY_CANCELLED
        case _:
            assert_never(state)


def _fail_payment(
    command: FailPayment, state: AwaitingPayment | Paying | Completed | Cancelled
) -> tuple[Event, ...] | Refused:
    if any(failed.payment == command.payment for failed in state.failures):
        return ()
    match state:
        case Paying(payment=payment) if payment == command.payment:
            return (PaymentFailed(payment, command.reason),)
        case _:
            return NO_SUCH_ATTEMPT


def _complete(
    payment: str, state: AwaitingPayment | Paying | Completed | Cancelled
) -> tuple[Event, ...] | Refused:
    match state:
        case Paying() if state.payment == payment:
            return (OrderCompleted(payment),)
        case Completed() if state.payment == payment:
            return ()
        case _:
            return NO_SUCH_ATTEMPT


def _cancel(by: str, state: AwaitingPayment | Paying | Completed | Cancelled) -> tuple[Event, ...] | Refused:
    if by != state.terms.buyer:
        return NOT_OWNER
    match state:
        case AwaitingPayment():
            return (OrderCancelled(CANCELLED_BY_BUYER),)
        case Paying():
            return BEING_PAID
        case Completed():
            return PAID_FOR
        case Cancelled():
            return ()
        case _:
            assert_never(state)


def _expire(
    at: datetime, state: AwaitingPayment | Paying | Completed | Cancelled
) -> tuple[Event, ...] | Refused:
    match state:
        case AwaitingPayment(terms):
            return (OrderCancelled(EXPIRED),) if at >= terms.expires_at else NOT_DUE
        case Paying():
            return (OrderCancelled(EXPIRED),) if at >= state.deadline else IN_FLIGHT
        case Completed():
            return ALREADY_PAID
        case Cancelled():
            return ()
        case _:
            assert_never(state)


# ── Evolve ────────────────────────────────────────────────────────────────────────────────────────


def evolve(state: State, event: Event) -> State:
    if isinstance(event, OrderPlaced):
        return AwaitingPayment(event)
    if isinstance(state, Unplaced):
        raise ValueError(f"{type(event).__name__} in an order that was never placed")
    match event:
        case PaymentStarted(payment, method, grace_until, request, at):
            return Paying(state.terms, state.failures, payment, method, grace_until, request, at)
        case PaymentFailed():
            return AwaitingPayment(state.terms, (*state.failures, event))
        case OrderCompleted(payment):
            return Completed(state.terms, state.failures, payment)
        case OrderCancelled(reason):
            in_flight = state.payment if isinstance(state, Paying) else None
            return Cancelled(state.terms, state.failures, reason, in_flight)
        case _:
            assert_never(event)


# ── The decider ───────────────────────────────────────────────────────────────────────────────────

order: Decider[Command, State, Event] = Decider(
    category="order",
    initial=Unplaced(),
    decide=decide,
    evolve=evolve,
    events=(OrderPlaced, PaymentStarted, PaymentFailed, OrderCompleted, OrderCancelled),
)
