"""An order: AwaitingPayment → Paying → Completed | Cancelled, and once Cancelled → Revived → Completed.

While an attempt to pay is in flight the hold is fenced against expiry, for a grace that ends: the
deadline of a paying order is the later of the hold's end and the grace's end, and both are facts.

An order that ended by time while it was being paid may be revived, once: its money came late, and its
ticket was still free and is held for it anew. Or the late money is refused, for good. The order's stream is
the place where these two exclude each other.
"""

from datetime import datetime
from typing import TypeAlias, assert_never, final

from msgspec import Struct

from domain.decider import Decider, Refused
from domain.order_commands import (
    CancelOrder,
    Command,
    CompleteOrder,
    ExpireOrder,
    FailPayment,
    PlaceOrder,
    RefuseLatePayment,
    ReviveOrder,
    StartPayment,
    Terms,
)

__all__ = [
    "CancelOrder", "Command", "CompleteOrder", "ExpireOrder", "FailPayment", "PlaceOrder",
    "RefuseLatePayment", "ReviveOrder", "StartPayment", "Terms",
]  # fmt: skip

# ── Commands ──────────────────────────────────────────────────────────────────────────────────────
# They stand in order_commands.py.

# ── Events ────────────────────────────────────────────────────────────────────────────────────────
# Their names and fields are the stored format: they may grow, their meaning may not change.


@final
class OrderPlaced(Terms, frozen=True, gc=False):
    pass


@final
class PaymentStarted(Struct, frozen=True, gc=False):
    payment: str
    method: str
    grace_until: datetime
    request: str = ""
    at: datetime | None = None


@final
class PaymentFailed(Struct, frozen=True, gc=False):
    payment: str
    reason: str


@final
class OrderCompleted(Struct, frozen=True, gc=False):
    payment: str


@final
class OrderCancelled(Struct, frozen=True, gc=False):
    reason: str


@final
class OrderRevived(Struct, frozen=True, gc=False):
    """The money of ``payment`` came after the order had ended by time, and the ticket was still free.

    expires_at: until when it is held for this order again.
    """

    payment: str
    expires_at: datetime


@final
class LatePaymentRefused(Struct, frozen=True, gc=False):
    """The money of ``payment`` came after the order had ended by time, and goes back."""

    payment: str
    reason: str


Event: TypeAlias = (
    OrderPlaced | PaymentStarted | PaymentFailed | OrderCompleted | OrderCancelled | OrderRevived
    | LatePaymentRefused
)  # fmt: skip

# ── States ────────────────────────────────────────────────────────────────────────────────────────


@final
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
    """``revived``: it had ended by time before."""

    terms: Terms
    failures: tuple[PaymentFailed, ...]
    payment: str
    revived: bool = False


class Cancelled(Struct, frozen=True, gc=False):
    """``payment``: the attempt that was in flight when the order ended; its money must not be kept.

    revived: the end of the hold that it had when it was revived, if it ever was; it is not again.
    refused: why money that came late does not buy the ticket, if that is settled.
    """

    terms: Terms
    failures: tuple[PaymentFailed, ...]
    reason: str
    payment: str | None
    revived: datetime | None = None
    refused: str | None = None

    @property
    def hold(self) -> datetime:
        """The end of the last hold that the order knows of."""
        return self.revived or self.terms.expires_at

    @property
    def revivable(self) -> bool:
        """Whether money that comes by ``payment`` might still buy the ticket."""
        settled = self.revived is not None or self.refused is not None
        return self.reason == EXPIRED and self.payment is not None and not settled


class Revived(Struct, frozen=True, gc=False):
    """Paid late, and not completed yet. ``deadline``: when the new hold ends."""

    terms: Terms
    failures: tuple[PaymentFailed, ...]
    payment: str
    deadline: datetime


State: TypeAlias = Unplaced | AwaitingPayment | Paying | Revived | Completed | Cancelled
Placed: TypeAlias = AwaitingPayment | Paying | Revived | Completed | Cancelled

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
        case CompleteOrder():
            return _complete(command, state)
        case ReviveOrder():
            return _revive(command, state)
        case RefuseLatePayment(payment, reason):
            late = isinstance(state, Cancelled) and state.revivable and state.payment == payment
            return (LatePaymentRefused(payment, reason),) if late else ()
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


def _start_payment(command: StartPayment, state: Placed) -> tuple[Event, ...] | Refused:
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
        case Paying(payment=payment) | Revived(payment=payment):
            return () if payment == command.payment else IN_FLIGHT
        case Completed(payment=payment):
            return () if payment == command.payment else ALREADY_PAID
        case Cancelled(payment=payment):
            return () if payment == command.payment else ALREADY_CANCELLED
        case _:
            assert_never(state)


def _fail_payment(command: FailPayment, state: Placed) -> tuple[Event, ...] | Refused:
    if any(failed.payment == command.payment for failed in state.failures):
        return ()
    match state:
        case Paying(payment=payment) if payment == command.payment:
            return (PaymentFailed(payment, command.reason),)
        case Revived(payment=payment) if payment == command.payment:
            # Its time for another card was over before.
            return PaymentFailed(payment, command.reason), OrderCancelled(EXPIRED)
        case _:
            return NO_SUCH_ATTEMPT


def _complete(command: CompleteOrder, state: Placed) -> tuple[Event, ...] | Refused:
    payment = command.payment
    match state:
        case Paying() if state.payment == payment:
            return (OrderCompleted(payment),)
        case Revived() if state.payment == payment and command.hold in {None, state.deadline}:
            return (OrderCompleted(payment),)
        case Completed() if state.payment == payment:
            return ()
        case _:
            return NO_SUCH_ATTEMPT


def _revive(command: ReviveOrder, state: Placed) -> tuple[Event, ...] | Refused:
    match state:
        case Cancelled() if state.revivable and state.payment == command.payment:
            return (OrderRevived(command.payment, command.expires_at),)
        case Revived() | Completed() if state.payment == command.payment:
            return ()
        case _:
            return NO_SUCH_ATTEMPT


def _cancel(by: str, state: Placed) -> tuple[Event, ...] | Refused:
    if by != state.terms.buyer:
        return NOT_OWNER
    match state:
        case AwaitingPayment():
            return (OrderCancelled(CANCELLED_BY_BUYER),)
        case Paying() | Revived():
            return BEING_PAID
        case Completed():
            return PAID_FOR
        case Cancelled():
            return ()
        case _:
            assert_never(state)


def _expire(at: datetime, state: Placed) -> tuple[Event, ...] | Refused:
    match state:
        case AwaitingPayment(terms):
            return (OrderCancelled(EXPIRED),) if at >= terms.expires_at else NOT_DUE
        case Paying() | Revived():
            return (OrderCancelled(EXPIRED),) if at >= state.deadline else IN_FLIGHT
        case Completed():
            return ALREADY_PAID
        case Cancelled():
            return ()
        case _:
            assert_never(state)


# ── Evolve ────────────────────────────────────────────────────────────────────────────────────────
# By the exact type, for events are final: isinstance takes four times as long to say no.


def evolve(state: State, event: Event) -> State:
    if type(event) is OrderPlaced:
        return AwaitingPayment(event)
    if type(state) is Unplaced:
        raise ValueError(f"{type(event).__name__} in an order that was never placed")
    if type(event) is PaymentStarted:
        attempt = event.payment, event.method, event.grace_until, event.request, event.at
        return Paying(state.terms, state.failures, *attempt)
    if type(event) is OrderCompleted:
        return Completed(state.terms, state.failures, event.payment, type(state) is Revived)
    if type(event) is OrderCancelled:
        in_flight = state.payment if type(state) is Paying or type(state) is Revived else None
        again = state.deadline if type(state) is Revived else None
        return Cancelled(state.terms, state.failures, event.reason, in_flight, again)
    if type(event) is PaymentFailed:
        failures = (*state.failures, event)
        if type(state) is Revived:
            return Revived(state.terms, failures, state.payment, state.deadline)
        return AwaitingPayment(state.terms, failures)
    if type(event) is OrderRevived:
        return Revived(state.terms, state.failures, event.payment, event.expires_at)
    if type(event) is LatePaymentRefused:
        return Cancelled(state.terms, state.failures, EXPIRED, event.payment, refused=event.reason)
    assert_never(event)


# ── The decider ───────────────────────────────────────────────────────────────────────────────────

order: Decider[Command, State, Event] = Decider(
    category="order",
    initial=Unplaced(),
    decide=decide,
    evolve=evolve,
    events=(
        OrderPlaced,
        PaymentStarted,
        PaymentFailed,
        OrderCompleted,
        OrderCancelled,
        OrderRevived,
        LatePaymentRefused,
    ),
)
