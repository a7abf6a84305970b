"""A process that dies at any step of a purchase, whatever Stripe does meanwhile, costs nobody any money.

Every step between StartPayment and OrderCompleted times every fault of the provider: when all is quiet
again, captured less refunded is the price of what was sold, for each order; nothing is captured twice, set
aside for ever, or left to do. With webhooks, and without any.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from uuid import uuid4

import pytest
from msgspec import Struct

from gateways.stripe_payments import StripePayments
from processmanager.ports import Answer, Attempt, IsVoided
from tests.killing.house import House, gate
from tests.killing.plans import FAULTS, STEPS, Plan, plans
from tests.killing.wave import Wave
from tests.stripe.faults import Fault
from tests.stripe.running import running_stripe

SEEDS = int(os.environ.get("ADMITONE_TEST_DEATHS", "0"))
"""How often each step meets each fault, with webhooks and without. 0: once, with webhooks or without."""
CROWD, DEADLY_CROWD = 56, 7
"""How many purchases are on their way when the process dies."""


class Played(Struct, frozen=True):
    name: str
    plans: Sequence[Plan]
    webhooks: bool


def _waves() -> Iterator[Played]:
    for deadly, crowd in ((False, CROWD), (True, DEADLY_CROWD)):
        every = list(plans(range(max(1, SEEDS)), deadly=deadly))
        Random("which goes with which").shuffle(every)
        rounds = -(-len(every) // crowd)
        for number in range(rounds):
            for webhooks in (True, False) if SEEDS else (number % 2 == 0,):
                name = f"wave {number}{', Stripe dies too' * deadly}, {'with' if webhooks else 'no'} webhooks"
                yield Played(name, every[number::rounds], webhooks)


WAVES = list(_waves())


@pytest.mark.timeout(400)
@pytest.mark.parametrize("wave", WAVES, ids=lambda wave: wave.name)
async def test_whenever_the_process_dies_money_and_tickets_agree(tmp_path: Path, wave: Played) -> None:
    reached = await play(tmp_path, wave)
    # A fault may keep a purchase from coming to its step, but not most of them.
    assert len(reached) > len(wave.plans) / 2


async def play(folder: Path, wave: Played, adapter: type[StripePayments] = StripePayments) -> set[str]:
    """The plans whose step the process died at."""
    async with gate() as door:
        url = f"{door.url}/api/webhooks/stripe" if wave.webhooks else None
        async with running_stripe(folder, webhook=url) as double:
            played = Wave(House(folder / "data", double, adapter), double, wave.plans, wave.name)
            door.house = played.house
            return await played.play()


def test_every_step_is_died_at_with_every_fault() -> None:
    played = [plan.name for wave in WAVES for plan in wave.plans]
    assert len(set(played)) == max(1, SEEDS) * len(STEPS) * len(FAULTS)
    assert len(played) == len(set(played)) * (2 if SEEDS else 1)


# ── That it would be noticed ──────────────────────────────────────────────────────────────────────


LOST_REPLY = Fault(operation="payment_intents.create", action="lose_reply")
A_REPLY_IS_LOST = Plan("a reply is lost", "after PaymentAuthorized", LOST_REPLY, "tok_visa", True, True)
NOBODY_CONFIRMS = Plan(
    "nobody confirms", "after PaymentRequested", None, "pm_card_threeDSecure2Required", True, False
)


class FreshKeys(StripePayments):
    """Each call has a key of its own."""

    async def authorize(self, attempt: Attempt, key: str) -> Answer:
        return await super().authorize(attempt, f"{key}:{uuid4()}")


class VoidForgotten(StripePayments):
    async def void(self, attempt: Attempt, key: str) -> Answer:
        return IsVoided()


@pytest.mark.parametrize(
    ("plan", "careless"), [(A_REPLY_IS_LOST, FreshKeys), (NOBODY_CONFIRMS, VoidForgotten)]
)
async def test_a_careless_shop_would_be_noticed(
    tmp_path: Path, plan: Plan, careless: type[StripePayments]
) -> None:
    with pytest.raises(AssertionError):
        await play(tmp_path, Played(plan.name, [plan], webhooks=False), careless)


@pytest.mark.parametrize("plan", [A_REPLY_IS_LOST, NOBODY_CONFIRMS])
async def test_a_careful_shop_has_no_trouble_with_the_same(tmp_path: Path, plan: Plan) -> None:
    assert await play(tmp_path, Played(plan.name, [plan], webhooks=False)) == {plan.name}
