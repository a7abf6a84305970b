"""A purchase set aside: its step failed as often as the limit allows, and now waits for an operator.

The stream ``parking-<order>`` holds who took which decision and why, so that a skipped step is as
accountable as a sale. Parking never touches the ticket, the order or the payment.
"""

from typing import TypeAlias, assert_never

from msgspec import Struct

from domain.decider import Decider, Refused

# ── Commands ──────────────────────────────────────────────────────────────────────────────────────


class ParkPurchase(Struct, frozen=True):
    step: str
    error: str
    tries: int


class RetryPurchase(Struct, frozen=True):
    by: str


class SkipPurchase(Struct, frozen=True):
    by: str
    reason: str


Command: TypeAlias = ParkPurchase | RetryPurchase | SkipPurchase

# ── Events ────────────────────────────────────────────────────────────────────────────────────────
# Their names and fields are the stored format: they may grow, their meaning may not change.


class PurchaseParked(Struct, frozen=True, gc=False):
    step: str
    error: str
    tries: int


class PurchaseRetried(Struct, frozen=True, gc=False):
    by: str


class PurchaseSkipped(Struct, frozen=True, gc=False):
    by: str
    reason: str


Event: TypeAlias = PurchaseParked | PurchaseRetried | PurchaseSkipped

# ── States ────────────────────────────────────────────────────────────────────────────────────────


class Moving(Struct, frozen=True, gc=False):
    pass


class Parked(Struct, frozen=True, gc=False):
    step: str
    error: str
    tries: int


class Skipped(Struct, frozen=True, gc=False):
    by: str
    reason: str


State: TypeAlias = Moving | Parked | Skipped

# ── Decide ────────────────────────────────────────────────────────────────────────────────────────

NOT_PARKED = Refused("not_parked", "This purchase is not parked")
NO_REASON = Refused("reason_missing", "Skipping needs a written reason")


def decide(command: Command, state: State) -> tuple[Event, ...] | Refused:
    match command:
        case ParkPurchase(step, error, tries):
            return () if isinstance(state, Parked) else (PurchaseParked(step, error, tries),)
        case RetryPurchase(by):
            # A skipped purchase may be taken up again: an operator can change his mind.
            return () if isinstance(state, Moving) else (PurchaseRetried(by),)
        case SkipPurchase(by, reason):
            return _skip(by, reason, state)
        case _:
            assert_never(command)


def _skip(by: str, reason: str, state: State) -> tuple[Event, ...] | Refused:
    if not reason.strip():
        return NO_REASON
    match state:
        case Parked():
            return (PurchaseSkipped(by, reason),)
        case Skipped():
            return ()
        case Moving():
            return NOT_PARKED
        case _:
            assert_never(state)


# ── Evolve ────────────────────────────────────────────────────────────────────────────────────────


def evolve(state: State, event: Event) -> State:
    match event:
        case PurchaseParked(step, error, tries):
            return Parked(step, error, tries)
        case PurchaseRetried():
            return Moving()
        case PurchaseSkipped(by, reason):
            return Skipped(by, reason)
        case _:
            assert_never(event)


# ── The decider ───────────────────────────────────────────────────────────────────────────────────

parking: Decider[Command, State, Event] = Decider(
    category="parking",
    initial=Moving(),
    decide=decide,
    evolve=evolve,
    events=(PurchaseParked, PurchaseRetried, PurchaseSkipped),
)
