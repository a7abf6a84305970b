"""The card simulator's books behind the ``ProviderBooks`` port, read beside whoever writes them."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from domain.money import Money
from gateways.card_ledger import CardLedger
from processmanager.ports import (
    Answer,
    Contested,
    IsAuthorized,
    IsCaptured,
    IsDeclined,
    IsRefunded,
    IsVoided,
    Returned,
)
from projections.provider_books import BooksUnavailable, GivenBack, Held, Line, Questioned

T = TypeVar("T")

PAGE = 100
_PREFIX = "pi_"
"""What an attempt's name at the simulator has before ours."""


class CardBooks:
    """Satisfies ``ProviderBooks`` on the simulator's ledger, which does not keep times."""

    def __init__(self, path: Path) -> None:
        """A ledger that is not there is an empty one, and is not made. Raises LedgerDamaged."""
        self._ledger = CardLedger(path) if path.is_file() else None

    async def close(self) -> None:
        if self._ledger is not None:
            self._ledger.close()

    async def pages(
        self, since: datetime | None, until: datetime, most: int
    ) -> AsyncIterator[Sequence[Line]]:
        """As the port has it; whenever they were made."""
        after = ""
        for _ in range(most):
            found = self._asked(partial(CardLedger.page, after=after, size=PAGE))
            if not found:
                return
            yield [line for row in found for line in _lines(*row)]
            after = found[-1][0]
        raise BooksUnavailable(f"the card ledger has more than {most * PAGE} attempts")

    async def find(self, reference: str) -> Held | None:
        row = self._asked(lambda ledger: ledger.entry_of(reference.removeprefix(_PREFIX)))
        lines = () if row is None else _lines(*row)
        return next((line for line in lines if isinstance(line, Held)), None)

    def _asked(self, question: Callable[[CardLedger], T]) -> T | None:
        try:
            return None if self._ledger is None else question(self._ledger)
        except sqlite3.Error as error:
            raise BooksUnavailable(f"the card ledger cannot be read: {error}") from error


def _lines(attempt: str, order: str, amount: Money, method: str, answer: Answer) -> list[Line]:
    reference = f"{_PREFIX}{attempt}"
    match answer:
        case IsCaptured(_, returned, contested):
            since = [*(_returned(reference, each) for each in returned)]
            return [
                Held(reference, attempt, order, amount, "taken", amount, method=method),
                *since,
                *(_contested(reference, each) for each in contested),
            ]
        case IsRefunded(refund):
            held = Held(reference, attempt, order, amount, "taken", amount, method=method)
            return [held, GivenBack(refund, reference, amount, "done")]
        case IsAuthorized():
            return [Held(reference, attempt, order, amount, "authorized", method=method)]
        case IsDeclined() | IsVoided():
            return [Held(reference, attempt, order, amount, "over", method=method)]
        case _:
            return [Held(reference, attempt, order, amount, "open", method=method)]


def _returned(of: str, refund: Returned) -> Line:
    return GivenBack(refund.reference, of, refund.amount, refund.standing)


def _contested(of: str, dispute: Contested) -> Line:
    return Questioned(dispute.reference, of, dispute.standing)
