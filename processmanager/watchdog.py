"""The watchdog: finds purchases that are due or were left lying, and pumps them.

It knows from the log, through the agenda, which purchases want a look; it never holds a timer that
could be lost. Whoever wakes it (a scheduler, an operator, its own impatience) only saves waiting.
"""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from logging import getLogger
from typing import TypeAlias

from domain import payment
from domain.order import AwaitingPayment
from domain.parking import ParkPurchase, RetryPurchase, SkipPurchase, parking
from processmanager.desk import Cause, Desk, TooManyConflicts
from processmanager.patience import Deference, Patience
from processmanager.ports import Agenda, Clock, Due, OutcomeUnknown, StoreUnavailable
from processmanager.pump import Pump, StepFailed
from processmanager.purchase import Purchase, ends

log = getLogger("admitone.watchdog")

_Matter: TypeAlias = tuple[str, bool]

ACTOR = "watchdog"
PAGE = 200
HANDS = 16
"""How many purchases are pumped at once: few enough that a hundred thousand holds that end together
leave requests their turn on the event loop."""
MONEY_HANDS = 64
"""How many more may wait for the payment provider at once. Those that find no hand free are looked at in
the next round, so a provider that hangs delays nobody who does not need it."""
ROUND = 2_000
"""After so many the agenda is read from its head again, so nothing that fell due meanwhile is left behind."""
SETTLING = timedelta(seconds=1)
"""How long after a look the agenda is given to hear of it."""
POLL = timedelta(seconds=15)
"""How often an attempt that waits for somebody outside is looked at."""
ADOPTED = timedelta(hours=1)
"""How long a purchase that waits for somebody outside is ours: longer than payments may outlast a hold."""
RECONCILE = timedelta(seconds=60)
"""How often the provider is asked about what it has taken up and takes its time over."""
TAKING_OVER = timedelta(seconds=5)
"""How far whoever takes over looks ahead: as long as the agenda leaves what was just begun to who began it.
So he finds all that was begun before he came, and nothing that others begin afterwards."""
FAR = timedelta(days=1)
"""A parked purchase is looked at once when its deadline comes, and then left to its operator."""


class Watchdog:
    def __init__(
        self,
        agenda: Agenda,
        pump: Pump,
        desk: Desk,
        clock: Clock,
        patience: Patience,
        deference: Deference | None = None,
    ) -> None:
        """deference: what is left to others, where purchases are shared by signals."""
        self._agenda = agenda
        self._pump = pump
        self._desk = desk
        self._clock = clock
        self._patience = patience
        self._deference = deference
        self._woken = asyncio.Event()
        self._in_hand: set[_Matter] = set()
        self._hands = asyncio.Semaphore(HANDS)
        self._money_hands = asyncio.Semaphore(MONEY_HANDS)
        self._store_is_away = False
        self._passed_over = False

    def wake(self) -> None:
        """Look at the agenda now instead of within a second."""
        self._woken.set()

    async def run(self, *, first_look_ahead: timedelta = TAKING_OVER) -> None:
        """Watch until cancelled.

        first_look_ahead: whoever takes over looks at once at what would fall due in this time, so that what
        a dead process left in the middle is taken up without delay: pumping early does nothing that is not
        due. That is over when the agenda has heard of all, and all that it had was taken up.
        """
        horizon = self._clock.now() + first_look_ahead
        taken_over = False
        async with asyncio.TaskGroup() as group:
            while True:
                self._woken.clear()
                whole = self._agenda.whole()
                ahead = timedelta(0) if taken_over else max(horizon - self._clock.now(), timedelta(0))
                more = await self._sweep(group, ahead)
                taken_over = taken_over or (whole and not self._passed_over)
                if not more:
                    await self._doze()

    async def _doze(self) -> None:
        """Until woken, or a second by the monotonic clock: a wall clock that jumps cannot stop the watch."""
        # Not wait_for: up to Python 3.11 it swallows a cancellation that comes together with the waking.
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self._woken.wait()

    async def _sweep(self, group: asyncio.TaskGroup, ahead: timedelta) -> bool:
        """Begin to look after what is due; True if there was more than one round takes."""
        self._store_is_away = self._passed_over = False
        begun = 0
        for due in self.due(ahead):
            waits = due.money and not due.has_ended(self._clock.now())
            hands = self._money_hands if waits else self._hands
            if waits and hands.locked():
                self._passed_over = True
                continue
            await hands.acquire()
            if self._store_is_away or begun == ROUND:
                hands.release()
                self._passed_over = True
                return not self._store_is_away
            begun += 1
            matter = _matter(due, self._clock.now())
            self._in_hand.add(matter)
            group.create_task(self._attend_in_hand(due, matter, hands))
        return False

    async def _attend_in_hand(self, due: Due, matter: _Matter, hands: asyncio.Semaphore) -> None:
        try:
            await self.attend(due)
        except Exception:
            log.exception("looking after order %s failed", due.order)
        finally:
            self._in_hand.discard(matter)
            hands.release()

    def due(self, ahead: timedelta = timedelta(0)) -> Iterator[Due]:
        """What wants a look now and is neither in hand nor to be left alone, longest due first."""
        last: Due | None = None
        found: set[str] = set()
        while page := self._agenda.due(self._clock.now() + ahead, PAGE, last):
            now = self._clock.now()
            for item in page:
                found.add(item.order)
                if not self._leaves_alone(item, now):
                    yield item
            last = page[-1]
        if self._deference is not None:
            self._deference.forget_all_but(found)

    def _leaves_alone(self, due: Due, now: datetime) -> bool:
        if _matter(due, now) in self._in_hand or self._patience.left_alone(_name(due), now):
            return True
        return self._deference is not None and self._deference.left_to_others(due, now)

    def adopt(self, order_id: str) -> None:
        """Look after a shared purchase from here on: it waits for somebody outside."""
        if self._deference is not None:
            now = self._clock.now()
            self._deference.is_ours(order_id, now + ADOPTED, now)

    async def attend(self, due: Due) -> None:
        """Pump one purchase; after a failure leave it alone for a while, and in the end park it.

        The end of a hold waits for nobody: what the provider is to be asked then, is left for the next look.
        """
        cause = Cause(correlation=due.order, causation=f"{ACTOR}:{due.order}", actor=ACTOR)
        asking = not due.has_ended(self._clock.now())
        try:
            purchase = await self._pump.pump(due.order, cause, ticket_id=due.ticket, asking=asking)
        except StepFailed as failure:
            await self._failed(due, failure.step, failure.error, cause, ends(failure.purchase))
        except Exception as error:
            await self._failed(due, "load", error, cause)
        else:
            now = self._clock.now()
            # What was left to be asked is asked soon, and only then left to the provider's pace.
            again = _look_again(purchase, now) if asking else now + SETTLING
            self._patience.rest(_name(due), again, now)

    async def _failed(
        self, due: Due, step: str, error: Exception, cause: Cause, end: datetime | None = None
    ) -> None:
        now = self._clock.now()
        if isinstance(error, StoreUnavailable | OutcomeUnknown | TooManyConflicts):
            # Not this purchase's fault, so not counted as its failure.
            self._store_is_away |= not isinstance(error, TooManyConflicts)
            self._patience.rest(_name(due), now + SETTLING, now)
            return
        log.warning("order %s: %s failed: %s", due.order, step, error)
        if due.parked:
            self._patience.rest(_name(due), now + FAR, now)
        elif tries := self._patience.failed(_name(due), now, end):
            log.error("order %s is parked after %d tries: %s: %s", due.order, tries, step, error)
            await self._desk.execute(
                parking, due.order, ParkPurchase(step, f"{type(error).__name__}: {error}", tries), cause
            )
            self._patience.rest(_name(due), now + SETTLING, now)


def _matter(due: Due, now: datetime) -> _Matter:
    """What is in hand: the end of a hold is a matter of its own, and need not wait for the rest of it."""
    return due.order, due.has_ended(now)


def _name(due: Due) -> str:
    """Under which name a purchase is left alone: what was parked, by whomever, starts afresh afterwards."""
    return f"{due.order} {due.set_aside} {due.parked}"


def _look_again(purchase: Purchase, now: datetime) -> datetime:
    """When a purchase that could not be moved further now is looked at next."""
    soon = now + SETTLING
    end = ends(purchase)
    if end is None:
        # A refund that the provider works on may take days; so may an attempt that it cannot end yet.
        paid = purchase.payment
        on_its_way = isinstance(paid, payment.Pending | payment.ActionRequired) or (
            isinstance(paid, payment.Refunding) and paid.refund
        )
        return now + RECONCILE if on_its_way else soon
    return max(end, now) if isinstance(purchase.order, AwaitingPayment) else min(now + POLL, max(end, soon))


async def retry_parked(desk: Desk, order_id: str, operator: str) -> None:
    """An operator's word to try a parked purchase again. Nothing happens if it is not parked."""
    await desk.execute(parking, order_id, RetryPurchase(operator), _by(operator, order_id, "retry"))


async def skip_parked(desk: Desk, order_id: str, operator: str, reason: str) -> None:
    """An operator's word to leave a parked purchase as it is. Raises Refused without a reason."""
    await desk.execute(parking, order_id, SkipPurchase(operator, reason), _by(operator, order_id, "skip"))


def _by(operator: str, order_id: str, what: str) -> Cause:
    return Cause(correlation=order_id, causation=f"{what}:{order_id}", actor=operator)
