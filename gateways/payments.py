"""The card simulator: a payment provider that needs no network and no account.

It stands behind the ``Payments`` port and behaves as a provider does: it keeps its own ledger, takes
its time, declines, asks the card's owner, and loses an answer on the way, each by a test token.

Calls that come together share one transaction, as in the embedded store: the rows are written on the
event loop, one commit in a thread makes them durable, and then each caller is answered.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from logging import getLogger
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct

from domain.money import Money
from gateways.card_ledger import CardLedger, Entry, Told
from gateways.cards import Card, Operation, UnknownAttempt, card_of
from gateways.embedded_thread import LoopThread
from processmanager.ports import (
    Answer,
    Attempt,
    Confirmation,
    KeyReused,
    NeedsAction,
    PaymentsUnavailable,
)

log = getLogger("admitone.payments")

T = TypeVar("T")

DEADLINE = 8.0
"""Seconds after which a call that has no answer fails. What it asked for may still happen."""
TOGETHER = 64
"""The most calls in one transaction: some milliseconds of the event loop's time."""
LOCK_POLL = 0.001
"""Seconds between two looks whether another process has finished writing."""


class _Waiting(Struct, eq=False):
    work: Callable[[], Any]
    answer: asyncio.Future[Any]


class CardSimulator:
    """A provider of test cards on one file. Belongs to the event loop that it was made on.

    Other processes may share the file.

    Each call raises PaymentsUnavailable, UnknownAttempt (a kind of it) where there is nothing to act on,
    and KeyReused when a key or an attempt's id comes again with other facts.
    """

    def __init__(self, writer: CardLedger, reader: CardLedger) -> None:
        self._writer = writer
        self._reader = reader  # so that looking never waits for a commit
        self._committer = LoopThread("card-ledger")
        self._waiting: list[_Waiting] = []
        self._writing: asyncio.Task[None] | None = None
        self._thinking: dict[str, float] = {}
        self._closed = False

    @classmethod
    def open(cls, path: Path) -> "CardSimulator":
        """The simulator on the ledger at ``path``, made if it is missing. Raises LedgerDamaged."""
        return cls(CardLedger(path), CardLedger(path))

    # ── The port ──────────────────────────────────────────────────────────────────────────────────

    async def authorize(self, attempt: Attempt, key: str) -> Answer:
        card = card_of(attempt.method)
        told = await self._call("authorize", attempt, key, self._delay(card, attempt, key))
        if card.loses_answer and not told.repeated:
            raise PaymentsUnavailable("the provider's answer got lost")
        return told.answer

    async def look(self, attempt: Attempt) -> Answer:
        return self._read(lambda ledger: ledger.look(attempt.id))

    async def capture(self, attempt: Attempt, key: str) -> Answer:
        return (await self._call("capture", attempt, key)).answer

    async def void(self, attempt: Attempt, key: str) -> Answer:
        return (await self._call("void", attempt, key)).answer

    async def refund(self, attempt: Attempt, key: str) -> Answer:
        return (await self._call("refund", attempt, key)).answer

    async def confirmation(self, attempt: Attempt) -> Confirmation | None:
        """The name under which its owner confirms it here; there is no bank to go to."""
        answer = await self.look(attempt)
        return Confirmation(answer.action) if isinstance(answer, NeedsAction) else None

    # ── Beside the port ───────────────────────────────────────────────────────────────────────────

    async def confirm(self, attempt_id: str, ok: bool) -> Answer:
        """What the card's owner does at his bank: confirm the payment, or fail to."""
        return await self._write(lambda: self._writer.confirm(attempt_id, ok))

    def entries(self) -> Iterator[Entry]:
        """All money that moved, oldest first, to be held against the log."""
        return self._read(lambda ledger: ledger.entries())

    def balance(self, order: str) -> Money | None:
        """Captured minus refunded for an order; None if no money ever moved for it."""
        return self._read(lambda ledger: ledger.balance(order))

    async def close(self) -> None:
        """Finish what was begun, refuse what comes later, and let go of the file."""
        self._closed = True
        if self._writing is not None:
            await self._writing
        self._committer.stop()
        self._writer.close()
        self._reader.close()

    # ── How it is done ────────────────────────────────────────────────────────────────────────────

    async def _call(self, operation: Operation, attempt: Attempt, key: str, delay: float = 0.0) -> Told:
        def work() -> Told:
            self._thinking.pop(key, None)
            return self._writer.call(operation, attempt, key)

        return await self._write(work, delay)

    def _delay(self, card: Card, attempt: Attempt, key: str) -> float:
        """How long the bank still thinks. A repeat joins the wait that was begun under its key."""
        if not card.seconds or self._read(lambda ledger: ledger.answered("authorize", attempt, key)):
            return 0.0
        now = asyncio.get_running_loop().time()
        return max(0.0, self._thinking.setdefault(key, now + card.seconds) - now)

    def _read(self, question: Callable[[CardLedger], T]) -> T:
        try:
            return question(self._reader)
        except sqlite3.Error as error:
            raise PaymentsUnavailable(f"the card ledger cannot be read: {error}") from error

    async def _write(self, work: Callable[[], T], delay: float = 0.0) -> T:
        """Have ``work`` done in a transaction, ``delay`` seconds from now.

        It is done also if the caller gives up waiting: who hangs up does not stop a bank.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(work, loop.create_future())
        if delay:
            loop.call_later(delay, self._enqueue, waiting)
        else:
            self._enqueue(waiting)
        try:
            async with asyncio.timeout(DEADLINE):
                answer: T = await waiting.answer
                return answer
        except TimeoutError:
            raise PaymentsUnavailable(f"the card ledger did not answer within {DEADLINE:g} s") from None

    def _enqueue(self, waiting: _Waiting) -> None:
        if self._closed:
            _fail(waiting, PaymentsUnavailable("the provider is closed"))
            return
        self._waiting.append(waiting)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                together, self._waiting = self._waiting[:TOGETHER], self._waiting[TOGETHER:]
                await self._write_together(together)
        finally:
            self._writing = None

    async def _write_together(self, together: list[_Waiting]) -> None:
        try:
            await self._begin()
            settle = [_done(waiting) for waiting in together]
            await self._committer.call(self._writer.commit)
        except Exception as error:
            # Whatever went wrong, all of them must hear of it; a repeat under the same key settles it.
            self._writer.rollback()
            log.warning("the card ledger cannot be written: %s", error)
            for waiting in together:
                _fail(waiting, PaymentsUnavailable(f"the card ledger cannot be written: {error}"))
        else:
            for answer in settle:
                answer()

    async def _begin(self) -> None:
        async with asyncio.timeout(DEADLINE):
            while not self._writer.begin():  # noqa: ASYNC110 -- another process can set no event here
                await asyncio.sleep(LOCK_POLL)


def _done(waiting: _Waiting) -> Callable[[], None]:
    """Do the work; what comes back answers the caller, and is to be called once the work is durable."""
    try:
        result = waiting.work()
    except (KeyReused, UnknownAttempt) as refusal:
        return partial(_fail, waiting, refusal)
    return partial(_answer, waiting, result)


def _answer(waiting: _Waiting, result: Any) -> None:
    if not waiting.answer.done():
        waiting.answer.set_result(result)


def _fail(waiting: _Waiting, error: Exception) -> None:
    if not waiting.answer.done():
        waiting.answer.set_exception(error)
