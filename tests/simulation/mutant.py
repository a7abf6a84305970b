"""A deliberate defect in the real code, and the ways to put one in."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
from typing import Any, TypeAlias
from unittest.mock import patch

from msgspec import Struct
from msgspec.structs import replace

from domain.decider import AnyDecider
from processmanager import pump, purchase
from processmanager.purchase import Ask, Purchase, Step, Wait
from tests.simulation.process import Parts

Slip: TypeAlias = tuple[object, str, Any]
"""Whose attribute, which, and what it becomes."""


class Mutant(Struct, frozen=True):
    """``parts``: what processes are made of. ``slips``: what becomes of the code.

    caught_by: the promises that may be broken first.
    """

    name: str
    caught_by: tuple[str, ...]
    parts: Parts = Parts()
    slips: tuple[Slip, ...] = ()

    @contextmanager
    def made(self) -> Iterator[Parts]:
        """Within, the defect is in the code."""
        patches = [patch.object(*slip) for slip in self.slips]
        for each in patches:
            each.start()
        try:
            yield self.parts
        finally:
            for each in patches:
                each.stop()


# ── Ways to slip ──────────────────────────────────────────────────────────────────────────────────


def in_step(slip: Callable[[Step, Purchase, datetime], Step]) -> Slip:
    """Another next step than the right one."""
    right = purchase.next_step

    def wrong(bought: Purchase, now: datetime, late: timedelta | None = None) -> Step:
        return slip(right(bought, now, late), bought, now)

    return pump, "next_step", wrong


def in_decision(module: Any, slip: Callable[[Any, Any, Any], Any]) -> Slip:
    """Another decision of an aggregate: ``slip`` gets the command, the state and the right decision."""
    name = module.__name__.rpartition(".")[2]
    right: AnyDecider = getattr(module, name)
    wrong = replace(right, decide=lambda command, state: slip(command, state, right.decide(command, state)))
    return module, name, wrong


def in_key(slip: Callable[[Ask], str]) -> Slip:
    return Ask, "key", property(slip)


def never(verb: str) -> Slip:
    """A call to the provider that is forgotten."""
    return in_step(lambda step, *_: Wait() if isinstance(step, Ask) and step.verb == verb else step)


_fresh = count()
_right_key = Ask.key.fget  # type: ignore[attr-defined]


def fresh(*verbs: str) -> Slip:
    """A key that is new at each repeat."""
    return in_key(lambda ask: f"{_right_key(ask)}:{next(_fresh)}" if ask.verb in verbs else _right_key(ask))
