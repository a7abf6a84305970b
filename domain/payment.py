"""One attempt to take money: Requested → Authorized → Captured → Refunded, or Declined, or Voided.

The events say what the payment provider has confirmed, never what is hoped. ``PaymentRequested`` is
appended before the provider is asked, so an attempt that was cut off is always found again. What is
heard late, twice or in any order moves an attempt forward or leaves it alone.
"""

from typing import TypeAlias, assert_never, final

from msgspec import Struct

from domain.decider import Decider, Refused
from domain.money import Money
from domain.payment_commands import (
    AuthorizePayment,
    AwaitPayment,
    AwaitRefund,
    CapturePayment,
    CloseDispute,
    Command,
    DeclinePayment,
    DisputePayment,
    FailRefund,
    RefundPayment,
    RequestPayment,
    RequestRefund,
    RequireAction,
    VoidPayment,
    deed,
)
from domain.payment_states import (
    ActionRequired,
    Active,
    Authorized,
    Captured,
    ChargedBack,
    Declined,
    Disputed,
    Given,
    Past,
    Pending,
    Refunded,
    Refunding,
    Request,
    Requested,
    State,
    Taken,
    Unrequested,
    Voided,
    kept,
)

__all__ = [
    "ActionRequired", "Active", "AuthorizePayment", "Authorized", "AwaitPayment", "AwaitRefund",
    "CapturePayment", "Captured", "ChargedBack", "CloseDispute", "Command", "DeclinePayment", "Declined",
    "DisputePayment", "Disputed", "FailRefund", "Given", "Past", "Pending", "RefundPayment", "Refunded",
    "Refunding", "RequestPayment", "RequestRefund", "Requested", "RequireAction", "State", "Unrequested",
    "VoidPayment", "Voided", "kept",
]  # fmt: skip

# ── Commands ──────────────────────────────────────────────────────────────────────────────────────
# They stand in payment_commands.py.

# ── Events ────────────────────────────────────────────────────────────────────────────────────────
# Their names and fields are the stored format: they may grow, their meaning may not change.


@final
class PaymentRequested(Request, frozen=True, gc=False):
    pass


@final
class PaymentPending(Struct, frozen=True, gc=False):
    reference: str


@final
class PaymentActionRequired(Struct, frozen=True, gc=False):
    reference: str
    action: str


@final
class PaymentAuthorized(Struct, frozen=True, gc=False):
    reference: str


@final
class PaymentDeclined(Struct, frozen=True, gc=False):
    code: str
    message: str


@final
class PaymentCaptured(Struct, frozen=True, gc=False):
    reference: str


@final
class PaymentVoided(Struct, frozen=True, gc=False):
    reason: str


@final
class RefundRequested(Struct, frozen=True, gc=False):
    """``amount``: None for all that is left."""

    reason: str
    amount: Money | None = None


@final
class RefundPending(Struct, frozen=True, gc=False):
    reference: str


@final
class PaymentRefunded(Struct, frozen=True, gc=False):
    """``amount``: None, as in the first version, for all that was asked for."""

    reference: str
    amount: Money | None = None


@final
class RefundFailed(Struct, frozen=True, gc=False):
    """``restored``: what had gone back under that name and is here again; None if none had."""

    reference: str
    reason: str
    restored: Money | None = None


@final
class PaymentDisputed(Struct, frozen=True, gc=False):
    reference: str
    reason: str


@final
class DisputeWon(Struct, frozen=True, gc=False):
    reference: str


@final
class DisputeLost(Struct, frozen=True, gc=False):
    """``amount``: what was kept until then, and went to the buyer."""

    reference: str
    amount: Money


Event: TypeAlias = (
    PaymentRequested | PaymentPending | PaymentActionRequired | PaymentAuthorized | PaymentDeclined
    | PaymentCaptured | PaymentVoided | RefundRequested | RefundPending | PaymentRefunded | RefundFailed
    | PaymentDisputed | DisputeWon | DisputeLost
)  # fmt: skip

# ── States ────────────────────────────────────────────────────────────────────────────────────────
# They stand in payment_states.py.

AT_THE_PROVIDER = "given back at the provider's own desk"

# ── Decide ────────────────────────────────────────────────────────────────────────────────────────

UNKNOWN = Refused("payment_unknown", "There is no such payment")
EXISTS = Refused("payment_exists", "A different payment was requested under this id")
NO_REASON = Refused("reason_missing", "A refund needs a written reason")
BAD_AMOUNT = Refused("refund_amount", "A refund is more than nothing and at most what is left")
IN_PROGRESS = Refused("refund_in_progress", "Another refund of this payment is still under way")


def decide(command: Command, state: State) -> tuple[Event, ...] | Refused:
    if isinstance(command, RequestPayment):
        return _request(command, state)
    if isinstance(state, Unrequested):
        return UNKNOWN
    if isinstance(state, Requested | Pending | ActionRequired | Authorized | Declined | Voided):
        return _before_it_is_taken(command, state)
    return _after_it_is_taken(command, state)


def _request(command: RequestPayment, state: State) -> tuple[Event, ...] | Refused:
    if isinstance(state, Unrequested):
        return (PaymentRequested(command.order, command.amount, command.method, command.request, command.at),)
    asked = state.request
    same = (asked.order, asked.amount, asked.method) == (command.order, command.amount, command.method)
    return () if same else EXISTS


def _before_it_is_taken(command: Command, state: Active) -> tuple[Event, ...] | Refused:
    over = isinstance(state, Declined | Voided)
    match command:
        case AwaitPayment(reference) if isinstance(state, Requested | Pending | ActionRequired):
            return () if state == Pending(state.request, reference) else (PaymentPending(reference),)
        case RequireAction(reference, action) if isinstance(state, Requested | Pending | ActionRequired):
            same = state == ActionRequired(state.request, reference, action)
            return () if same else (PaymentActionRequired(reference, action),)
        case AuthorizePayment(reference) if not over:
            return () if isinstance(state, Authorized) else (PaymentAuthorized(reference),)
        # Also after the money was set aside: a bank can refuse the capture.
        case DeclinePayment(code, message) if not isinstance(state, Voided):
            return () if over else (PaymentDeclined(code, message),)
        # A capture seen at the provider is true from wherever we thought the attempt was.
        case CapturePayment(reference) if not over:
            return (PaymentCaptured(reference),)
        case VoidPayment(reason):
            return () if over else (PaymentVoided(reason),)
        case _:
            return _not_from(state, command)


def _after_it_is_taken(command: Command, state: Taken) -> tuple[Event, ...] | Refused:
    past = state.past
    match command:
        case CapturePayment():
            return ()
        case RequestRefund(reason, amount):
            return _request_refund(reason, amount, state)
        case AwaitRefund(reference):
            waits = isinstance(state, Refunding) and reference != state.refund and not past.knows(reference)
            return (RefundPending(reference),) if waits else ()
        case RefundPayment(reference, amount) if not isinstance(state, Disputed):
            known = isinstance(state, Refunded | ChargedBack) or past.knows(reference)
            return () if known else _give_back(reference, amount, state)
        case FailRefund(reference, reason):
            lost = past.gift(reference)
            ours = isinstance(state, Refunding) and not past.knows(reference)
            fails = ours or (lost and not isinstance(state, Disputed | ChargedBack))
            return (RefundFailed(reference, reason, lost.amount if lost else None),) if fails else ()
        case DisputePayment(reference, reason) if not isinstance(state, Refunded):
            known = isinstance(state, Disputed | ChargedBack) or reference in past.disputes
            return () if known else (PaymentDisputed(reference, reason),)
        case CloseDispute(reference, won):
            if isinstance(state, Disputed) and reference == state.dispute:
                if not won:
                    return (DisputeLost(reference, past.left(state.request.amount)),)
                owed = (RefundRequested(state.owed, state.amount),) if state.owed else ()
                return (DisputeWon(reference), *owed)
            return () if reference in past.disputes else _not_from(state, command)
        case _:
            return _not_from(state, command)


def _request_refund(reason: str, amount: Money | None, state: Taken) -> tuple[Event, ...] | Refused:
    if not reason.strip():
        return NO_REASON
    match state:
        case Refunded() | ChargedBack():
            return ()
        case Refunding():
            same = (reason, amount) == (state.reason, state.amount) or (amount is None is state.amount)
            return () if same else IN_PROGRESS
        case Captured(request, _, past):
            if amount is not None and past.went_back(amount, reason):
                return ()
            fits = amount is None or past.leaves(amount, request.amount)
            return (RefundRequested(reason, amount),) if fits else BAD_AMOUNT
        case _:
            return _not_from(state, RequestRefund(reason))


def _give_back(reference: str, amount: Money | None, state: Taken) -> tuple[Event, ...] | Refused:
    left = state.past.left(state.request.amount)
    asked = (state.amount if isinstance(state, Refunding) else None) or left
    amount = amount or asked
    if not state.past.leaves(amount, state.request.amount):
        return BAD_AMOUNT
    if not isinstance(state, Refunding) or reference == state.refund or amount in {asked, left}:
        return (PaymentRefunded(reference, amount),)
    # Somebody gave back another part meanwhile: what we asked for is still to come.
    news = (PaymentRefunded(reference, amount), RefundRequested(state.reason, state.amount))
    return (*news, RefundPending(state.refund)) if state.refund else news


def _not_from(state: Active, command: Command) -> Refused:
    standing = type(state).__name__.lower()
    return Refused("payment_state", f"A payment that is {standing} cannot {deed(command)}")


# ── Evolve ────────────────────────────────────────────────────────────────────────────────────────
# By the exact type, for events are final: isinstance takes four times as long to say no.


def evolve(state: State, event: Event) -> State:
    if type(event) is PaymentRequested:
        return Requested(event)
    if type(state) is Unrequested:
        raise ValueError(f"{type(event).__name__} in a payment that was never requested")
    request = state.request
    if type(event) is PaymentAuthorized:
        return Authorized(request, event.reference)
    if type(event) is PaymentCaptured:
        return Captured(request, event.reference)
    if type(event) is PaymentPending:
        return Pending(request, event.reference)
    if type(event) is PaymentActionRequired:
        return ActionRequired(request, event.reference, event.action)
    if type(event) is PaymentDeclined:
        return Declined(request, event.code, event.message)
    if type(event) is PaymentVoided:
        return Voided(request, event.reason)
    if not isinstance(state, Captured | Disputed | ChargedBack | Refunding | Refunded):
        raise ValueError(f"{type(event).__name__} in a payment that took no money")
    return _evolve_taken(state, event)


def _evolve_taken(
    state: Taken,
    event: RefundRequested | RefundPending | PaymentRefunded | RefundFailed | PaymentDisputed
    | DisputeWon | DisputeLost,
) -> State:  # fmt: skip
    request, reference, past = state.request, state.reference, state.past
    match event:
        case RefundRequested(reason, amount):
            return Refunding(request, reference, reason, past, amount)
        case RefundPending(refund):
            asked = state.amount if isinstance(state, Refunding) else None
            return Refunding(request, reference, _reason(state), past, asked, refund)
        case PaymentRefunded(refund, amount):
            past = past.with_given(Given(refund, amount or past.left(request.amount), _reason(state)))
            if past.left(request.amount).amount <= 0:
                return Refunded(request, reference, _reason(state), past)
            return Captured(request, reference, past)
        case RefundFailed(refund):
            lost, failed = past.gift(refund), past.with_failed(refund)
            if lost and not isinstance(state, Refunding):
                return Refunding(request, reference, lost.reason, failed, lost.amount)
            asked = state.amount if isinstance(state, Refunding) else None
            return Refunding(request, reference, _reason(state), failed, asked)
        case PaymentDisputed(dispute, reason):
            owed = (state.reason, state.amount) if isinstance(state, Refunding) else ()
            return Disputed(request, reference, dispute, reason, past, *owed)
        case DisputeWon(dispute):
            return Captured(request, reference, past.with_dispute(dispute))
        case DisputeLost(dispute):
            return ChargedBack(request, reference, _reason(state), past.with_dispute(dispute))
        case _:
            assert_never(event)


def _reason(state: Taken) -> str:
    return AT_THE_PROVIDER if isinstance(state, Captured) else state.reason


# ── The decider ───────────────────────────────────────────────────────────────────────────────────

payment: Decider[Command, State, Event] = Decider(
    category="payment",
    initial=Unrequested(),
    decide=decide,
    evolve=evolve,
    events=(
        PaymentRequested,
        PaymentPending,
        PaymentActionRequired,
        PaymentAuthorized,
        PaymentDeclined,
        PaymentCaptured,
        PaymentVoided,
        RefundRequested,
        RefundPending,
        PaymentRefunded,
        RefundFailed,
        PaymentDisputed,
        DisputeWon,
        DisputeLost,
    ),
)
