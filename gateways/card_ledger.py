"""What the card simulator remembers: attempts, the answer to every key, and the money that moved.

One SQLite file, shared by all processes of a data directory. It is the provider's own ledger, apart
from the log, so that the two can be held against each other. A key's answer is kept for ever.
"""

import sqlite3
from collections.abc import Iterator
from logging import getLogger
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from domain.money import Money
from gateways.card_file import is_busy, open_file
from gateways.cards import Operation, UnknownAttempt, after, confirmed, printable, too_early
from processmanager.ports import (
    Answer,
    Attempt,
    IsAuthorized,
    IsCaptured,
    IsDeclined,
    IsRefunded,
    IsUnknown,
    IsVoided,
    KeyReused,
    NeedsAction,
)

log = getLogger("admitone.payments")

_STATES: dict[str, type[Answer]] = {  # what may be kept of an attempt
    "needs_action": NeedsAction,
    "authorized": IsAuthorized,
    "declined": IsDeclined,
    "captured": IsCaptured,
    "voided": IsVoided,
    "refunded": IsRefunded,
}
_NAMES = {answer: name for name, answer in _STATES.items()}


class Told(Struct, frozen=True):
    """An answer, and whether the key under which it was asked was used before."""

    answer: Answer
    repeated: bool


class Entry(Struct, frozen=True):
    """Money that moved. ``number`` rises in the order of the movements."""

    number: int
    kind: Literal["capture", "refund"]
    attempt: str
    order: str
    amount: Money


Kept: TypeAlias = tuple[str, str, Money, str, Answer]
"""An attempt: its id, its order, how much it is about, the card, and what is true of it."""
_KEPT = 'SELECT id, "order", amount, currency, method, state, facts FROM attempts'


class CardLedger:
    """The ledger on one connection. Calls that write belong between ``begin`` and ``commit``.

    Raises sqlite3.Error when the file fails, and LedgerDamaged when it cannot be opened.
    """

    def __init__(self, path: Path | str) -> None:
        self._db = open_file(path)

    def begin(self) -> bool:
        """Begin to write. False if another process is writing just now."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if is_busy(error):
                return False
            raise
        return True

    def commit(self) -> None:
        """Make it durable. Takes as long as the disk does."""
        self._db.execute("COMMIT")

    def rollback(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def call(self, operation: Operation, attempt: Attempt, key: str) -> Told:
        """Do ``operation`` once, and give the same answer whenever ``key`` comes again.

        Raises KeyReused, and UnknownAttempt; neither leaves a trace.
        """
        answer = self.answered(operation, attempt, key)
        if answer is not None:
            return Told(answer, repeated=True)
        before = self._known(attempt)
        answer = after(operation, attempt, before)
        if answer != before:
            self._put(attempt, before, answer)
        if not too_early(operation, answer):
            self._db.execute(
                "INSERT INTO calls VALUES (?, ?, ?, ?, ?)", (key, operation, attempt.id, *_to_row(answer))
            )
        return Told(answer, repeated=False)

    def answered(self, operation: Operation, attempt: Attempt, key: str) -> Answer | None:
        """What was answered to ``key`` before. Raises KeyReused if it stood for another call."""
        row = self._db.execute(
            "SELECT operation, attempt, state, facts FROM calls WHERE key = ?", (key,)
        ).fetchone()
        if row is None:
            return None
        if row[:2] != (operation, attempt.id):
            raise _reused(f"Key {key} stood for {row[0]} of {row[1]}, not for {operation} of {attempt.id}")
        self._known(attempt)
        return _from_row(*row[2:])

    def confirm(self, attempt: str, ok: bool) -> Answer:
        """The card's owner confirms the payment, or fails to. Raises UnknownAttempt."""
        before = self.look(attempt)
        if isinstance(before, IsUnknown):
            raise UnknownAttempt(f"the provider knows of no attempt {attempt}")
        answer = confirmed(before, ok)
        if answer != before:
            self._move(attempt, answer)
        return answer

    def look(self, attempt: str) -> Answer:
        """What is true of the attempt now."""
        row = self._db.execute("SELECT state, facts FROM attempts WHERE id = ?", (attempt,)).fetchone()
        return IsUnknown() if row is None else _from_row(*row)

    def page(self, after: str, size: int) -> list[Kept]:
        """The next attempts behind ``after``, by their ids."""
        asked = f"{_KEPT} WHERE id > ? ORDER BY id LIMIT ?"
        return [_kept(*row) for row in self._db.execute(asked, (after, size)).fetchall()]

    def entry_of(self, attempt: str) -> Kept | None:
        """One attempt as it is kept."""
        row = self._db.execute(f"{_KEPT} WHERE id = ?", (attempt,)).fetchone()
        return None if row is None else _kept(*row)

    def entries(self) -> Iterator[Entry]:
        """All movements of money, oldest first."""
        rows = self._db.execute(
            'SELECT number, kind, attempt, "order", amount, currency FROM entries ORDER BY number'
        )
        for number, kind, attempt, order, amount, currency in rows:
            yield Entry(number, kind, attempt, order, Money(amount, currency))

    def balance(self, order: str) -> Money | None:
        """Captured minus refunded for an order. None if no money ever moved for it."""
        total: Money | None = None
        rows = self._db.execute('SELECT kind, amount, currency FROM entries WHERE "order" = ?', (order,))
        for kind, amount, currency in rows:
            moved = Money(amount if kind == "capture" else -amount, currency)
            total = moved if total is None else total + moved
        return total

    def damage(self) -> str | None:
        """What SQLite finds wrong with the file; None if nothing. Reads all of it."""
        try:
            found: str = self._db.execute("PRAGMA integrity_check(1)").fetchone()[0]
        except sqlite3.DatabaseError as error:
            return str(error)
        return None if found == "ok" else found

    def close(self) -> None:
        self._db.close()

    def _known(self, attempt: Attempt) -> Answer | None:
        """What is true of the attempt; None if it was never seen. Raises KeyReused if its facts differ."""
        row = self._db.execute(
            'SELECT "order", amount, currency, method, state, facts FROM attempts WHERE id = ?', (attempt.id,)
        ).fetchone()
        if row is None:
            return None
        if row[:4] != _facts(attempt):
            raise _reused(f"Attempt {attempt.id} was known with another order, amount or card")
        return _from_row(*row[4:])

    def _put(self, attempt: Attempt, before: Answer | None, answer: Answer) -> None:
        if before is None:
            self._db.execute(
                "INSERT INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?)",
                (attempt.id, *_facts(attempt), *_to_row(answer)),
            )
        else:
            self._move(attempt.id, answer)
        order, _, currency, _ = _facts(attempt)
        for kind, refund, amount in _movements(attempt, before, answer):
            self._db.execute(
                'INSERT INTO entries (kind, attempt, "order", amount, currency, refund) '
                "VALUES (?, ?, ?, ?, ?, ?)",
                (kind, attempt.id, order, amount.amount, currency, refund),
            )

    def _move(self, attempt: str, answer: Answer) -> None:
        self._db.execute("UPDATE attempts SET state = ?, facts = ? WHERE id = ?", (*_to_row(answer), attempt))


def _reused(message: str) -> KeyReused:
    log.error("%s", message)
    return KeyReused(message)


def _kept(key: str, order: str, amount: int, currency: str, method: str, state: str, facts: str) -> Kept:
    return key, order, Money(amount, currency), method, _from_row(state, facts)


def _facts(attempt: Attempt) -> tuple[str, int, str, str]:
    return attempt.order, attempt.amount.amount, attempt.amount.currency, printable(attempt.method)


def _movements(
    attempt: Attempt, before: Answer | None, after: Answer
) -> Iterator[tuple[Literal["capture", "refund"], str, Money]]:
    """The money that moved between two answers: of what kind, under which refund's name, how much."""
    match before, after:
        case IsCaptured(returned=known), IsCaptured(returned=returned):
            for each in returned[len(known) :]:
                if each.standing == "done":
                    yield "refund", each.reference, each.amount
        case IsCaptured(), IsRefunded(reference):
            yield "refund", reference, attempt.amount
        case _, IsCaptured():
            yield "capture", "", attempt.amount


def _to_row(answer: Answer) -> tuple[str, str]:
    return _NAMES[type(answer)], msgspec.json.encode(answer).decode()


def _from_row(state: str, facts: str) -> Answer:
    answer: Answer = msgspec.json.decode(facts, type=_STATES[state])
    return answer
