"""A delivery: a payment provider's webhook, remembered for ever by the id that the provider gave it.

It is a hint to look at a payment, and never what became of it. That it came, when and about what is kept,
so that a repeat is known for one and so that somebody can see later what was heard and what was not.
"""

from datetime import datetime
from typing import TypeAlias, assert_never

from msgspec import Struct

from domain.decider import Decider, Refused

# ── Commands ──────────────────────────────────────────────────────────────────────────────────────


class Delivery(Struct, frozen=True, gc=False):
    """What the provider has told of.

    kind: in the provider's words. reference: its name of the attempt. payment: ours, where it says so.
    made: when the provider says that it happened.
    """

    kind: str
    reference: str
    payment: str
    made: datetime


class TakeDelivery(Delivery, frozen=True):
    pass


Command: TypeAlias = TakeDelivery

# ── Events ────────────────────────────────────────────────────────────────────────────────────────
# Their names and fields are the stored format: they may grow, their meaning may not change.


class DeliveryReceived(Delivery, frozen=True, gc=False):
    pass


Event: TypeAlias = DeliveryReceived

# ── States ────────────────────────────────────────────────────────────────────────────────────────


class Unheard(Struct, frozen=True, gc=False):
    pass


class Received(Struct, frozen=True, gc=False):
    delivery: Delivery


State: TypeAlias = Unheard | Received

# ── Decide ────────────────────────────────────────────────────────────────────────────────────────


def decide(command: Command, state: State) -> tuple[Event, ...] | Refused:
    match state:
        case Unheard():
            return (DeliveryReceived(command.kind, command.reference, command.payment, command.made),)
        # The provider's id is what it is known by; whatever else a repeat says adds nothing.
        case Received():
            return ()
        case _:
            assert_never(state)


# ── Evolve ────────────────────────────────────────────────────────────────────────────────────────


def evolve(state: State, event: Event) -> State:
    return Received(event)


# ── The decider ───────────────────────────────────────────────────────────────────────────────────

delivery: Decider[Command, State, Event] = Decider(
    category="delivery",
    initial=Unheard(),
    decide=decide,
    evolve=evolve,
    events=(DeliveryReceived,),
)
