"""What befalls a purchase: where the process dies, what happens at Stripe, and how the buyer behaves."""

from collections.abc import Iterator
from itertools import product
from random import Random
from typing import Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from tests.stripe.faults import Fault

FACTS = (
    "PaymentStarted",
    "PaymentRequested",
    "PaymentAuthorized",
    "TicketSold",
    "PaymentCaptured",
    "OrderCompleted",
)
STEPS = (
    *(f"{when} {fact}" for fact in FACTS for when in ("before", "after")),
    *("during authorize", "during capture"),
)
"""Before a fact is written, after it is and before anybody knows, and while the provider is being asked."""

ENOUGH_TIME, TOO_LONG = 0.2, 4.0
"""Seconds that a slow call takes, within and beyond what the shop waits for."""

FAULTS: dict[str, Fault | None] = {
    "nothing": None,
    "request lost": Fault(action="lose_request"),
    "reply lost": Fault(action="lose_reply"),
    "500, not done": Fault(action="error", status=500),
    "500, done": Fault(action="error", status=500, done=True),
    "409": Fault(action="error", status=409),
    "429": Fault(action="error", status=429),
    "slow": Fault(action="slow", seconds=ENOUGH_TIME),
    "too slow": Fault(action="slow", seconds=TOO_LONG),
    "reply too slow": Fault(action="slow_reply", seconds=TOO_LONG),
    "held": Fault(action="hold"),
    "reply held": Fault(action="hold_reply"),
    "dies before": Fault(action="die_before"),
    "dies after": Fault(action="die_after"),
}
DEADLY = ("dies before", "dies after")
"""These befall all who are just then at Stripe, so they are played apart from the others."""

_OPERATIONS = ("payment_intents.create", "payment_intents.capture", "payment_intents.*")

Card: TypeAlias = Literal["tok_visa", "pm_card_threeDSecure2Required", "tok_chargeDeclined"]
_CARDS: tuple[Card, ...] = ("tok_visa", "pm_card_threeDSecure2Required", "tok_chargeDeclined")


class Plan(Struct, frozen=True):
    """One purchase. ``fault``: at Stripe, for the calls about its first attempt.

    card: the first one. confirms: whether its owner passes at his bank, if he is asked there.
    returns: whether the buyer asks again after he got no answer.
    """

    name: str
    step: str
    fault: Fault | None
    card: Card
    confirms: bool
    returns: bool

    @property
    def is_held(self) -> bool:
        """Whether it may come no further until the fault has ended."""
        return self.fault is not None and self.fault.action.startswith("hold")


def plans(seeds: range, *, deadly: bool) -> Iterator[Plan]:
    """Every step with every fault, once for each seed."""
    kinds = [name for name in FAULTS if (name in DEADLY) is deadly]
    for seed, step, kind in product(seeds, STEPS, kinds):
        yield _plan(f"{step} / {kind} / {seed}", step, FAULTS[kind])


def _plan(name: str, step: str, fault: Fault | None) -> Plan:
    dice = Random(name)
    if fault is not None:
        fault = replace(
            fault,
            operation=dice.choice(_OPERATIONS),
            times=dice.choice((1, 1, 2)),
            skip=dice.choice((0, 0, 0, 1)),
        )
    (card,) = dice.choices(_CARDS, (7, 2, 1))
    return Plan(name, step, fault, card, dice.random() < 0.7, dice.random() < 0.7)
