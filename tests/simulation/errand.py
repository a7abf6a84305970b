"""An errand: one command that a person gives to a process, its answer, and whether the answer was true.

An answer is judged against the log between the moment that the command was given and the moment that
it was answered: what was true at no time in between was a lie, and what is older is stale.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from domain import order, payment, ticket
from domain.decider import AnyDecider, Refused
from processmanager.desk import Cause, Done
from processmanager.marketplace import Paid
from processmanager.pump import StepFailed
from tests.simulation.log import Log
from tests.simulation.process import TROUBLE, Process
from tests.simulation.provider import Provider
from tests.simulation.violation import Violation

# Taken before any test puts a defect into the domain: the checkers judge by the true rules.
TICKET, ORDER, PAYMENT = ticket.ticket, order.order, payment.payment

IN_LOG = "an answer is in the log"
NOT_STALE = "an answer is not older than its question"
JUSTIFIED = "a refusal is justified"


class Errand:
    """``where``: the stream that may refuse; ``command``: what is asked of it; ``told``: the stream that
    the answer is about. ``once``: it is never asked again. ``same``: asked again, it has the same cause.
    """

    def __init__(
        self,
        what: str,
        where: tuple[AnyDecider, str],
        command: Callable[[Process], Any],
        ask: Callable[[Process, Cause], Awaitable[Any]],
        *,
        told: tuple[AnyDecider, str] | None = None,
        once: bool = False,
        same: bool = False,
    ) -> None:
        self.what = what
        self.once = once
        self._where = where
        self._told = told or where
        self._command = command
        self._ask = ask
        self._same = same
        self._tries = 0
        self.unanswered = False
        self.refusal = ""

    async def run(self, process: Process, log: Log, provider: Provider) -> None:
        """Ask once. Whoever gets no answer may ask again."""
        self._tries += 1
        causation = self.what if self._same else f"{self.what}, try {self._tries}"
        cause = Cause(correlation=self.what, causation=causation, actor="somebody")
        since, told_since = _revision(self._where, log), _revision(self._told, log)
        command = self._command(process)
        self.unanswered = True  # also if the process dies
        try:
            answer = await self._ask(process, cause)
        except Refused as refused:
            self.unanswered, self.refusal = False, refused.code
            self._must_be_right(refused, command, since, log)
            if not self._same:
                _nothing_written(cause, log)
        except (StepFailed, *TROUBLE):
            pass
        else:
            self.unanswered = False
            self._must_be_true(answer, told_since, log, provider)

    # ── Is it so? ─────────────────────────────────────────────────────────────────────────────────

    def _must_be_true(self, answer: Any, since: int, log: Log, provider: Provider) -> None:
        if answer.position > log.head:
            raise Violation(IN_LOG, f"{self.what} was answered with {answer}, which is not")
        if isinstance(answer, Paid):
            self._payment_must_be_true(answer, since, log, provider)
        else:
            self._facts_must_stand(answer, since, log)

    def _facts_must_stand(self, done: Done[Any], since: int, log: Log) -> None:
        decider, key = self._told
        facts = log.read(decider.stream(key))
        events = tuple(fact.event for fact in facts[: done.revision + 1])
        if done.revision >= len(facts) or decider.fold(decider.initial, events) != done.state:
            raise Violation(IN_LOG, f"{self.what} was answered with {done}, which is not")
        if done.events and events[-len(done.events) :] != done.events:
            raise Violation(IN_LOG, f"{self.what} claims to have written {done.events}")
        # Whoever repeats what he wrote is told again what he was told then.
        if not done.events and done.revision < since:
            raise Violation(NOT_STALE, f"{self.what} was answered from revision {done.revision}, not {since}")

    def _payment_must_be_true(self, paid: Paid, since: int, log: Log, provider: Provider) -> None:
        if paid.order not in _states(self._told, since, log):
            raise Violation(NOT_STALE, f"{self.what} says the order is {paid.order}, which it was not")
        if paid.payment not in _states((PAYMENT, paid.payment_id), -1, log):
            raise Violation(IN_LOG, f"{self.what} says {paid.payment}")
        account = provider.accounts.get(paid.payment_id)
        if isinstance(paid.payment, payment.Captured) and (account is None or not account.captured):
            raise Violation(IN_LOG, f"{self.what} says the money was taken, which it was not")

    def _must_be_right(self, refused: Refused, command: Any, since: int, log: Log) -> None:
        decider, _ = self._where
        for state in _states(self._where, since, log):
            decision = decider.decide(command, state)
            if isinstance(decision, Refused) and decision.code == refused.code:
                return
        raise Violation(JUSTIFIED, f"{self.what} was refused with {refused!r}, at no time rightly")


def _revision(where: tuple[AnyDecider, str], log: Log) -> int:
    decider, key = where
    return len(log.read(decider.stream(key))) - 1


def _states(where: tuple[AnyDecider, str], since: int, log: Log) -> list[Any]:
    """All states that the aggregate has had, from revision ``since`` on."""
    decider, key = where
    state = decider.initial
    states = [state]
    for fact in log.read(decider.stream(key)):
        state = decider.evolve(state, fact.event)
        states.append(state)
    return states[since + 1 :]


def _nothing_written(cause: Cause, log: Log) -> None:
    written = [fact for fact in log.facts if fact.metadata.causation == cause.causation]
    if written:
        raise Violation("a refused command leaves nothing in the log", f"{cause.causation} wrote {written}")
