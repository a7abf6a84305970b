"""Hints that something has become of a payment: heard from outside, or asked for each minute.

A hint is never believed. It leads to a look at the payment, and what the provider then says is recorded.
So hints may come twice, late, in any order or not at all: with none, the same facts are found by asking.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta
from logging import getLogger
from typing import Protocol, runtime_checkable

from msgspec import Struct

from processmanager.desk import Cause, TooManyConflicts
from processmanager.ports import Clock, OutcomeUnknown, PaymentsUnavailable, StoreUnavailable
from processmanager.pump import Pump, StepFailed

log = getLogger("admitone.hints")

ACTOR = "provider"
AT_ONCE = 16
"""How many payments are looked at together because of hints."""
MOST = 1_000
"""How many hints may wait. More are let go: who asks each minute finds what they were about."""
PAUSES = (0.0, 1.0, 5.0, 25.0)
"""Seconds before each try of a hint; then it is left to who asks."""
EACH = 60.0
"""Seconds between two questions for news."""
LOOK_BACK = timedelta(days=3)
"""How far the first question goes back: as long as a provider tries to deliver its webhooks."""
OVERLAP = timedelta(minutes=5)
"""How far each further question goes back behind the one before, for clocks that differ."""
REMEMBERED = 10_000

TROUBLE = (PaymentsUnavailable, StepFailed, StoreUnavailable, OutcomeUnknown, TooManyConflicts)


class Hint(Struct, frozen=True):
    """id: the provider's name of the news. reference: its name of the attempt. payment: ours, if told."""

    id: str
    reference: str
    payment: str = ""


@runtime_checkable
class News(Protocol):
    """A provider that can be asked what it has had to tell. Raises PaymentsUnavailable."""

    async def payment_of(self, reference: str) -> str | None:
        """Our name of the attempt that the provider calls ``reference``; None if it is not one of ours."""
        ...

    async def returning(self, reference: str, secret: str) -> str | None:
        """As ``payment_of``, but None too if ``secret`` is not the one that the buyer was given for it."""
        ...

    async def news(self, since: datetime) -> Sequence[Hint]:
        """What can happen to an attempt that is at rest, and did since then, oldest first."""
        ...


class Hints:
    """Follows up what was heard from outside, beside the requests. ``close`` ends it."""

    def __init__(self, pump: Pump, news: News) -> None:
        self._pump = pump
        self._news = news
        self._hands = asyncio.Semaphore(AT_ONCE)
        self._followed: set[asyncio.Task[None]] = set()

    def heed(self, hint: Hint) -> None:
        """Look at what it is about, soon. Returns at once."""
        if len(self._followed) >= MOST:
            log.warning("too many hints at once: %s is left to the next question for news", hint.id)
            return
        task = asyncio.create_task(self._follow(hint))
        self._followed.add(task)
        task.add_done_callback(self._followed.discard)

    async def look(self, hint: Hint) -> None:
        """Look at what it is about, now. Raises TROUBLE."""
        payment = hint.payment or await self._news.payment_of(hint.reference)
        if payment:
            cause = Cause(correlation=hint.id, causation=f"hint:{hint.id}", actor=ACTOR)
            await self._pump.hear_of(payment, cause)

    async def returned(self, reference: str, secret: str) -> str | None:
        """A buyer has come back from his bank: our name of the attempt, which is looked at first.

        None if the secret is not its own. Raises PaymentsUnavailable.
        """
        payment = await self._news.returning(reference, secret)
        if payment is not None:
            try:
                await self.look(Hint(f"return:{reference}", reference, payment))
            except TROUBLE as trouble:
                log.info("the return of %s could not be followed up yet: %s", reference, trouble)
        return payment

    async def settled(self) -> None:
        """Wait until all hints so far have been followed up, or left."""
        while self._followed:
            await asyncio.wait(set(self._followed))

    async def close(self) -> None:
        for task in list(self._followed):
            task.cancel()
        await asyncio.gather(*self._followed, return_exceptions=True)

    async def _follow(self, hint: Hint) -> None:
        for pause in PAUSES:
            await asyncio.sleep(pause)
            try:
                async with self._hands:
                    await self.look(hint)
            except TROUBLE as trouble:
                log.info("hint %s could not be followed up yet: %s", hint.id, trouble)
            except Exception:
                log.exception("following up hint %s failed", hint.id)
                return
            else:
                return
        log.warning("hint %s is left to the next question for news", hint.id)


class Reconciler:
    """Asks the provider for its news each minute, and looks at every payment that they are about."""

    def __init__(self, hints: Hints, news: News, clock: Clock) -> None:
        self._hints = hints
        self._news = news
        self._clock = clock
        self._since = clock.now() - LOOK_BACK
        self._done: OrderedDict[str, None] = OrderedDict()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.once()
            await asyncio.sleep(EACH)

    async def once(self) -> None:
        """One question. What could not be looked at is asked for again by the next one."""
        asked = self._clock.now()
        try:
            left = [hint for hint in await self._news.news(self._since) if not await self._looked_at(hint)]
        except PaymentsUnavailable as trouble:
            log.warning("the payment provider could not be asked for its news: %s", trouble)
            return
        if not left:
            self._since = asked - OVERLAP

    async def _looked_at(self, hint: Hint) -> bool:
        if hint.id not in self._done:
            try:
                await self._hints.look(hint)
            except TROUBLE as trouble:
                log.info("news %s could not be looked at yet: %s", hint.id, trouble)
                return False
            self._done[hint.id] = None
            if len(self._done) > REMEMBERED:
                self._done.popitem(last=False)
        return True
