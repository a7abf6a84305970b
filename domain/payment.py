"""One attempt to take money: Requested → Authorized → Captured → Refunded, or Declined, or Voided.

The events say what the payment provider has confirmed, never what is hoped. ``PaymentRequested`` is
appended before the provider is asked, so an attempt that was cut off is always found again.
"""

from typing import TypeAlias, assert_never

from msgspec import Struct

from domain.decider import Decider, Refused
from domain.money import Money

# ── Commands ──────────────────────────────────────────────────────────────────────────────────────


class RequestPayment(Struct, frozen=True):
    order: str
    amount: Money
    method: str


class RequireAction(Struct, frozen=True):
    """The buyer has to confirm at his bank. ``action``: what the client needs for that."""

    reference: str
    action: str


class AuthorizePayment(Struct, frozen=True):
    reference: str


class DeclinePayment(Struct, frozen=True):
    code: str
    message: str


class CapturePayment(Struct, frozen=True):
    reference: str


class VoidPayment(Struct, frozen=True):
    reason: str


class RequestRefund(Struct, frozen=True):
    reason: str


class RefundPayment(Struct, frozen=True):
    reference: str


class DisputePayment(Struct, frozen=True):
    reference: str
    reason: str


Command: TypeAlias = (
    RequestPayment
    | RequireAction
    | AuthorizePayment
    | DeclinePayment
    | CapturePayment
    | VoidPayment
    | RequestRefund
    | RefundPayment
    | DisputePayment
)

# ── Events ────────────────────────────────────────────────────────────────────────────────────────
# Their names and fields are the stored format: they may grow, their meaning may not change.


class PaymentRequested(Struct, frozen=True, gc=False):
    order: str
    amount: Money
    method: str


class PaymentActionRequired(Struct, frozen=True, gc=False):
    reference: str
    action: str


class PaymentAuthorized(Struct, frozen=True, gc=False):
    reference: str


class PaymentDeclined(Struct, frozen=True, gc=False):
    code: str
    message: str


class PaymentCaptured(Struct, frozen=True, gc=False):
    reference: str


class PaymentVoided(Struct, frozen=True, gc=False):
    reason: str


class RefundRequested(Struct, frozen=True, gc=False):
    reason: str


class PaymentRefunded(Struct, frozen=True, gc=False):
    reference: str


class PaymentDisputed(Struct, frozen=True, gc=False):
    reference: str
    reason: str


Event: TypeAlias = (
    PaymentRequested
    | PaymentActionRequired
    | PaymentAuthorized
    | PaymentDeclined
    | PaymentCaptured
    | PaymentVoided
    | RefundRequested
    | PaymentRefunded
    | PaymentDisputed
)

# ── States ────────────────────────────────────────────────────────────────────────────────────────


class Unrequested(Struct, frozen=True, gc=False):
    pass


class Requested(Struct, frozen=True, gc=False):
    request: PaymentRequested


class ActionRequired(Struct, frozen=True, gc=False):
    request: PaymentRequested
    reference: str
    action: str


class Authorized(Struct, frozen=True, gc=False):
    request: PaymentRequested
    reference: str


class Captured(Struct, frozen=True, gc=False):
    request: PaymentRequested
    reference: str


class Disputed(Struct, frozen=True, gc=False):
    """The buyer's bank has taken the captured money back into question."""

    request: PaymentRequested
    reference: str
    dispute: str
    reason: str


class Refunding(Struct, frozen=True, gc=False):
    """The money shall go back; the provider has not confirmed it yet."""

    request: PaymentRequested
    reference: str
    reason: str


class Refunded(Struct, frozen=True, gc=False):
    request: PaymentRequested
    reference: str
    reason: str


class Declined(Struct, frozen=True, gc=False):
    request: PaymentRequested
    code: str
    message: str


class Voided(Struct, frozen=True, gc=False):
    """Ended without money; the provider has promised that none can follow."""

    request: PaymentRequested
    reason: str


Active: TypeAlias = (
    Requested | ActionRequired | Authorized | Captured | Disputed | Refunding | Refunded | Declined | Voided
)
State: TypeAlias = Unrequested | Active

# ── Decide ────────────────────────────────────────────────────────────────────────────────────────

UNKNOWN = Refused("payment_unknown", "There is no such payment")
EXISTS = Refused("payment_exists", "A different payment was requested under this id")


def decide(command: Command, state: State) -> tuple[Event, ...] | Refused:
    if isinstance(command, RequestPayment):
        return _request(command, state)
    if isinstance(state, Unrequested):
        return UNKNOWN
    match command:
        case RequireAction(reference, action):
            return _require_action(reference, action, state)
        case AuthorizePayment(reference):
            return _authorize(reference, state)
        case DeclinePayment(code, message):
            return _decline(code, message, state)
        case CapturePayment(reference):
            return _capture(reference, state)
        case VoidPayment(reason):
            return _void(reason, state)
        case RequestRefund(reason):
            return _request_refund(reason, state)
        case RefundPayment(reference):
            return _refund(reference, state)
        case DisputePayment(reference, reason):
            return _dispute(reference, reason, state)
        case _:
            assert_never(command)


def _request(command: RequestPayment, state: State) -> tuple[Event, ...] | Refused:
    request = PaymentRequested(command.order, command.amount, command.method)
    if isinstance(state, Unrequested):
        return (request,)
    return () if state.request == request else EXISTS


def _require_action(reference: str, action: str, state: Active) -> tuple[Event, ...] | Refused:
    match state:
        case Requested():
            return (PaymentActionRequired(reference, action),)
        case ActionRequired():
            if (state.reference, state.action) == (reference, action):
                return ()
            return (PaymentActionRequired(reference, action),)
        case _:
            return _not_from(state, "wait for the buyer's bank")


def _authorize(reference: str, state: Active) -> tuple[Event, ...] | Refused:
    match state:
        case Requested() | ActionRequired():
            return (PaymentAuthorized(reference),)
        case Authorized():
            return ()
        case _:
            return _not_from(state, "be authorised")


def _decline(code: str, message: str, state: Active) -> tuple[Event, ...] | Refused:
    match state:
        # Also after the money was set aside: a bank can refuse the capture.
        case Requested() | ActionRequired() | Authorized():
            return (PaymentDeclined(code, message),)
        case Declined():
            return ()
        case _:
            return _not_from(state, "be declined")


def _capture(reference: str, state: Active) -> tuple[Event, ...] | Refused:
    match state:
        # A capture seen at the provider is true from wherever we thought the attempt was.
        case Requested() | ActionRequired() | Authorized():
            return (PaymentCaptured(reference),)
        case Captured() | Disputed() | Refunding() | Refunded():
            return ()
        case _:
            return _not_from(state, "be captured")


def _void(reason: str, state: Active) -> tuple[Event, ...] | Refused:
    match state:
        case Requested() | ActionRequired() | Authorized():
            return (PaymentVoided(reason),)
        case Voided() | Declined():
            return ()
        case _:
            return _not_from(state, "be voided")


def _request_refund(reason: str, state: Active) -> tuple[Event, ...] | Refused:
    match state:
        case Captured():
            return (RefundRequested(reason),)
        case Refunding() | Refunded():
            return ()
        case _:
            return _not_from(state, "be refunded")


def _refund(reference: str, state: Active) -> tuple[Event, ...] | Refused:
    match state:
        case Refunding():
            return (PaymentRefunded(reference),)
        case Refunded():
            return ()
        case _:
            return _not_from(state, "be refunded")


def _dispute(reference: str, reason: str, state: Active) -> tuple[Event, ...] | Refused:
    match state:
        case Captured():
            return (PaymentDisputed(reference, reason),)
        case Disputed():
            return ()
        case _:
            return _not_from(state, "be disputed")


def _not_from(state: Active, what: str) -> Refused:
    return Refused("payment_state", f"A payment that is {type(state).__name__.lower()} cannot {what}")


# ── Evolve ────────────────────────────────────────────────────────────────────────────────────────


def evolve(state: State, event: Event) -> State:
    if isinstance(event, PaymentRequested):
        return Requested(event)
    if isinstance(state, Unrequested):
        raise ValueError(f"{type(event).__name__} in a payment that was never requested")
    request = state.request
    match event:
        case PaymentActionRequired(reference, action):
            return ActionRequired(request, reference, action)
        case PaymentAuthorized(reference):
            return Authorized(request, reference)
        case PaymentDeclined(code, message):
            return Declined(request, code, message)
        case PaymentCaptured(reference):
            return Captured(request, reference)
        case PaymentVoided(reason):
            return Voided(request, reason)
        case PaymentDisputed(dispute, reason):
            return Disputed(request, _reference(state), dispute, reason)
        case RefundRequested(reason):
            return Refunding(request, _reference(state), reason)
        case PaymentRefunded():
            reason = state.reason if isinstance(state, Refunding) else ""
            return Refunded(request, _reference(state), reason)
        case _:
            assert_never(event)


def _reference(state: Active) -> str:
    """The provider's name of the money that was taken."""
    match state:
        case Requested() | Declined() | Voided():
            raise ValueError(f"a payment that is {type(state).__name__.lower()} has taken no money")
        case _:
            return state.reference


# ── The decider ───────────────────────────────────────────────────────────────────────────────────

payment: Decider[Command, State, Event] = Decider(
    category="payment",
    initial=Unrequested(),
    decide=decide,
    evolve=evolve,
    events=(
        PaymentRequested,
        PaymentActionRequired,
        PaymentAuthorized,
        PaymentDeclined,
        PaymentCaptured,
        PaymentVoided,
        RefundRequested,
        PaymentRefunded,
        PaymentDisputed,
    ),
)
