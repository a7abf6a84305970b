"""Whatever is asked in whatever order, by two processes and with repeats, the money comes out right."""

import asyncio
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from domain.money import Money
from gateways.cards import UnknownAttempt, too_early
from gateways.payments import CardSimulator
from processmanager.ports import (
    Answer,
    Attempt,
    IsAuthorized,
    IsCaptured,
    IsDeclined,
    IsRefunded,
    IsUnknown,
    IsVoided,
    NeedsAction,
    PaymentsUnavailable,
)

TOKENS = ["tok_visa", "tok_lostAnswer", "tok_threeDSecure2Required", "tok_chargeDeclined"]
ATTEMPTS = [
    Attempt(f"p{number}", f"o{number % 3}", Money(100 + number, "usd"), TOKENS[number % len(TOKENS)])
    for number in range(8)
]

Fate = type[Answer] | None
MAY_FOLLOW: dict[Fate, set[Fate]] = {
    None: {NeedsAction, IsAuthorized, IsDeclined, IsVoided},
    NeedsAction: {IsAuthorized, IsDeclined, IsVoided},
    IsAuthorized: {IsCaptured, IsVoided},
    IsCaptured: {IsRefunded},
    IsDeclined: set(),
    IsVoided: set(),
    IsRefunded: set(),
}
"""Every step that an attempt may ever take. Written out, so that the rules are held against something."""

a_bank = st.integers(0, 1)
an_attempt = st.sampled_from(ATTEMPTS)
an_operation = st.sampled_from(["authorize", "authorize", "capture", "void", "refund"])
a_key = st.sampled_from(["a", "b"])


class Purchases(RuleBasedStateMachine):
    """Two simulators on one file, as two worker processes have them."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.directory = tempfile.TemporaryDirectory()
        self.banks = [self.open(), self.open()]
        self.fates: dict[str, Fate] = {attempt.id: None for attempt in ATTEMPTS}
        self.answers: dict[str, Answer] = {}

    def open(self) -> CardSimulator:
        async def on_the_loop() -> CardSimulator:
            return CardSimulator.open(Path(self.directory.name) / "cards.sqlite")

        return self.runner.run(on_the_loop())

    def teardown(self) -> None:
        for bank in self.banks:
            self.runner.run(bank.close())
        self.runner.close()
        self.directory.cleanup()

    async def ask(self, bank: CardSimulator, operation: str, attempt: Attempt, key: str) -> None:
        """Ask, and hold what comes back against what the same key brought before."""
        key = f"{attempt.id}:{operation}:{key}"
        call: Any = getattr(bank, operation)
        try:
            answer: Answer = await call(attempt, key)
        except UnknownAttempt:
            assert operation in {"capture", "refund"}
            return
        except PaymentsUnavailable:
            assert attempt.method == "tok_lostAnswer"
            assert operation == "authorize"
            return
        if not too_early(operation, answer):  # type: ignore[arg-type]  # one of the four
            assert self.answers.setdefault(key, answer) == answer

    async def truth(self, attempt: Attempt) -> Fate:
        answers = [await bank.look(attempt) for bank in self.banks]
        assert answers[0] == answers[1]
        return None if isinstance(answers[0], IsUnknown) else type(answers[0])

    @rule(bank=a_bank, operation=an_operation, attempt=an_attempt, key=a_key)
    def one_call(self, bank: int, operation: str, attempt: Attempt, key: str) -> None:
        self.runner.run(self.ask(self.banks[bank], operation, attempt, key))
        after = self.runner.run(self.truth(attempt))
        before, self.fates[attempt.id] = self.fates[attempt.id], after
        assert after == before or after in MAY_FOLLOW[before]

    @rule(calls=st.lists(st.tuples(a_bank, an_operation, an_attempt, a_key), min_size=2, max_size=6))
    def calls_at_once(self, calls: list[tuple[int, str, Attempt, str]]) -> None:
        asked = [(bank, (operation, attempt, key)) for bank, operation, attempt, key in calls]

        async def all_of_them() -> None:
            await asyncio.gather(*(self.ask(self.banks[bank], *rest) for bank, rest in asked))

        self.runner.run(all_of_them())
        for attempt in ATTEMPTS:
            after = self.runner.run(self.truth(attempt))
            before, self.fates[attempt.id] = self.fates[attempt.id], after
            # Several steps may have been taken, each of them a legal one.
            assert after in reachable(before)

    @rule(bank=a_bank, attempt=an_attempt, ok=st.booleans())
    def the_owner_decides(self, bank: int, attempt: Attempt, ok: bool) -> None:
        before = self.fates[attempt.id]
        if before is None:
            return
        after = type(self.runner.run(self.banks[bank].confirm(attempt.id, ok)))
        self.fates[attempt.id] = after
        assert after == before or (before is NeedsAction and after is (IsAuthorized if ok else IsDeclined))

    @rule(bank=a_bank)
    def a_process_starts_anew(self, bank: int) -> None:
        self.runner.run(self.banks[bank].close())
        self.banks[bank] = self.open()

    @invariant()
    def money_moved_as_the_answers_say(self) -> None:
        moved = Counter((entry.kind, entry.attempt) for entry in self.banks[0].entries())
        assert all(count == 1 for count in moved.values())
        for attempt in ATTEMPTS:
            fate = self.fates[attempt.id]
            assert (("capture", attempt.id) in moved) == (fate in {IsCaptured, IsRefunded})
            assert (("refund", attempt.id) in moved) == (fate is IsRefunded)

    @invariant()
    def each_order_has_paid_for_what_was_captured_and_not_refunded(self) -> None:
        for order in {attempt.order for attempt in ATTEMPTS}:
            captured = [
                attempt.amount.amount
                for attempt in ATTEMPTS
                if attempt.order == order and self.fates[attempt.id] is IsCaptured
            ]
            balance = self.banks[1].balance(order)
            assert (balance.amount if balance else 0) == sum(captured)


def reachable(fate: Fate) -> set[Fate]:
    found = {fate}
    for following in MAY_FOLLOW[fate]:
        found |= reachable(following)
    return found


TestPurchases = Purchases.TestCase
TestPurchases.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
