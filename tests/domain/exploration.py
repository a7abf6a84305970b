"""Every state that the small world leads to, and everything that can be said in each of them."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from msgspec import Struct

from domain.decider import AnyDecider, Refused
from tests.domain.strategies import all_commands

DEPTH = 7
"""Facts in a row. Beyond it only counters differ: a ticket's version goes on rising."""


class Said(Struct, frozen=True):
    """A command given in a state, what came of it, and the state after that."""

    state: Any
    command: Any
    decision: tuple[Any, ...] | Refused
    after: Any

    @property
    def events(self) -> tuple[Any, ...]:
        """The facts that it led to; none for a refusal."""
        return () if isinstance(self.decision, Refused) else self.decision

    @property
    def outcome(self) -> str:
        """The name of what came of it: ``TicketSold -> Sold``, ``nothing``, or a refusal's code."""
        if isinstance(self.decision, Refused):
            return self.decision.code
        if not self.events:
            return "nothing"
        facts = " + ".join(type(event).__name__ for event in self.events)
        return f"{facts} -> {type(self.after).__name__}"


def answer(decider: AnyDecider, state: Any, command: Any) -> Said:
    """Give ``command`` in ``state``."""
    decision = decider.decide(command, state)
    after = decider.fold(state, () if isinstance(decision, Refused) else decision)
    return Said(state, command, decision, after)


@cache
def explored(decider: AnyDecider) -> tuple[Said, ...]:
    """Everything that can be said in every state within ``DEPTH`` facts of the first one."""
    return tuple(_explore(decider))


def _explore(decider: AnyDecider) -> Iterator[Said]:
    seen = {decider.initial}
    edge = [decider.initial]
    for _ in range(DEPTH):
        found: dict[Any, None] = {}
        for state in edge:
            for command in all_commands(decider):
                said = answer(decider, state, command)
                yield said
                if said.after not in seen:
                    found[said.after] = None
        seen |= found.keys()
        edge = list(found)
