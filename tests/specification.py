"""given / when / then: what a decider owes, told in the words of the business.

    given(ticket, LISTED, HELD).when(SellTicket("o1")).then(TicketSold("o1"))
    given(ticket, LISTED).when(EditTicket("bob", ...)).then_refused("not_owner")

``given`` takes the facts so far, ``when`` one command, and ``then`` the facts that must follow, all
of them and no other.
"""

from typing import Any, Generic, TypeVar

from msgspec import Struct

from domain.decider import Decider, Refused

C = TypeVar("C")
S = TypeVar("S")
E = TypeVar("E")


class Given(Struct, Generic[C, S, E], frozen=True):
    """An aggregate to which something has happened."""

    decider: Decider[C, S, E]
    state: S

    def when(self, command: C) -> "Outcome":
        return Outcome(command, self.decider.decide(command, self.state))


class Outcome(Struct, frozen=True):
    """What a command led to."""

    command: Any
    decision: tuple[Any, ...] | Refused

    def then(self, *events: Any) -> None:
        """Exactly these facts follow."""
        assert self.decision == events, self._but(f"{events}")

    def then_nothing(self) -> None:
        """All is already as the command wants it."""
        assert self.decision == (), self._but("no events")

    def then_refused(self, why: Refused | str) -> None:
        """A rule forbids it. ``why``: the rule, or its code when the words do not matter."""
        refused = self.decision if isinstance(self.decision, Refused) else None
        said = refused.code if refused and isinstance(why, str) else refused
        assert said == why, self._but(f"a refusal: {why!r}")

    def _but(self, expected: str) -> str:
        return f"\n{self.command}\n  should lead to {expected}\n  but led to     {self.decision}"


def given(decider: Decider[C, S, E], *events: E) -> Given[C, S, E]:
    """The aggregate of ``decider`` after ``events``."""
    return Given(decider, decider.fold(decider.initial, events))
