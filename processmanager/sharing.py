"""Purchases shared between processes: a signal is answered only when what became of it stands in the log.

Each process is given some of the log's facts (the ``Signals`` port) and leaves each a little time to be
followed up by whoever wrote it. What is then still open is pumped. A purchase whose step fails is kept
for a while, ever longer, and given back to be given out again, to this process or another; after the last
try it is parked, as a fact and in the store. Nothing else waits for it meanwhile.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from datetime import datetime, timedelta
from logging import getLogger

from domain import payment
from domain.decider import Unreadable
from domain.order import Paying
from domain.parking import Parked, ParkPurchase, Skipped, parking
from processmanager.desk import Cause, Desk, TooManyConflicts, UnreadableStream
from processmanager.errand import Errand
from processmanager.meaning import SETTLING, Closes, OfPayment, Opens, OrdersOfPayments, meaning
from processmanager.ports import Clock, OutcomeUnknown, Signal, Signals, StoreUnavailable
from processmanager.pump import Pump, StepFailed
from processmanager.purchase import Purchase, ends

log = getLogger("admitone.sharing")

ACTOR = "process manager"
HANDS, MONEY_HANDS = 16, 64
"""How many purchases are pumped at once, and how many more that may have to wait for the provider."""
TOGETHER = 0.05
"""Seconds to wait for what is given out again together, so that it is looked at once."""
STORE_AWAY = 1.0
"""Seconds after which a purchase is looked at again that failed for no fault of its own."""
KEPT = 0.8
"""The part of the time that a signal may be kept which is used for leaving a failing purchase alone."""


class Sharing:
    """Takes what the store gives this process, and answers for it.

    delays: how long a failing purchase is left alone before each further try.
    adopt: told of a purchase that waits for somebody outside, so that it is looked at now and then.
    """

    def __init__(
        self,
        signals: Signals,
        pump: Pump,
        desk: Desk,
        clock: Clock,
        delays: tuple[timedelta, ...],
        adopt: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._signals = signals
        self._pump = pump
        self._desk = desk
        self._clock = clock
        self._delays = delays or (SETTLING,)
        self._adopt = adopt
        self._errands: dict[str, Errand] = {}
        self._payments = OrdersOfPayments()
        self._hands = {False: asyncio.Semaphore(HANDS), True: asyncio.Semaphore(MONEY_HANDS)}

    async def run(self) -> None:
        """Until cancelled."""
        try:
            async with asyncio.TaskGroup() as group, aclosing(self._signals.signals()) as signals:  # type: ignore[type-var]  # a generator
                async for signal in signals:
                    try:
                        await self._take(signal, group)
                    except Exception:
                        # Unanswered, it is given out again when its time is over.
                        log.exception("%s could not be taken in", signal.fact.stream)
        finally:
            for errand in self._errands.values():
                errand.still()

    # ── Taking signals in ─────────────────────────────────────────────────────────────────────────

    async def _take(self, signal: Signal, group: asyncio.TaskGroup) -> None:
        fact = signal.fact
        if isinstance(fact.event, Unreadable):
            await self._cannot_read(signal, fact.event.reason)
            return
        self._payments.heed(fact)
        match meaning(fact):
            case Closes(order_id):
                await self._close(order_id, fact.position)
                await signal.done()
            case None:
                await signal.done()
            case _ if fact.metadata.actor == ACTOR:
                # Whoever wrote it goes on with the purchase, and has the signal for that still to answer.
                await signal.done()
            case Opens() as opens:
                self._open(signal, opens, group)
            case OfPayment(payment_id):
                await self._take_of_payment(signal, payment_id, group)

    async def _take_of_payment(self, signal: Signal, payment_id: str, group: asyncio.TaskGroup) -> None:
        order_id = self._payments.get(payment_id)
        if order_id is None:
            try:
                paid = await self._desk.recall(payment.payment, payment_id)
            except UnreadableStream as error:
                await self._cannot_read(signal, str(error))
                return
            except StoreUnavailable as error:
                # Unanswered, it is given out again when its time is over.
                log.warning("payment %s cannot be looked up now: %s", payment_id, error)
                return
            if isinstance(paid.state, payment.Unrequested):
                await self._cannot_read(signal, "its payment was never requested")
                return
            order_id = paid.state.request.order
        self._open(signal, Opens(order_id, SETTLING), group)

    async def _cannot_read(self, signal: Signal, reason: str) -> None:
        """A newer version may be able to, so an operator can have it given out again."""
        fact = signal.fact
        log.error("%s revision %d is set aside: %s", fact.stream, fact.revision, reason)
        await signal.park()

    def _open(self, signal: Signal, opens: Opens, group: asyncio.TaskGroup) -> None:
        errand = self._errands.setdefault(opens.order, Errand(opens.order))
        due = asyncio.get_running_loop().time() + self._settling(signal, opens)
        errand.add(signal, opens, due)
        if not errand.looking and (errand.timer is None or due < errand.timer.when()):
            self._set(errand, due, group)

    def _settling(self, signal: Signal, opens: Opens) -> float:
        """Seconds until somebody should look. Whoever wrote what is given out again has had his time."""
        if signal.tries:
            return TOGETHER
        had = self._clock.now() - signal.fact.metadata.at
        return min(max(opens.settling - had, timedelta(0)), opens.settling).total_seconds()

    async def _close(self, order_id: str, position: int) -> None:
        """All that was open before ``position`` has been followed up."""
        errand = self._errands.get(order_id)
        if errand is None:
            return
        closed = [signal for signal in errand.signals if signal.fact.position < position]
        errand.remove(closed)
        if not errand.signals and not errand.looking:
            self._drop(errand)
        for signal in closed:
            await signal.done()

    # ── Looking after purchases ───────────────────────────────────────────────────────────────────

    def _set(self, errand: Errand, when: float, group: asyncio.TaskGroup, *, returning: bool = False) -> None:
        """Look after it, or give it back, at a time of the event loop."""
        errand.still()
        errand.returning = returning
        errand.timer = asyncio.get_running_loop().call_at(when, self._ring, errand, group)

    def _ring(self, errand: Errand, group: asyncio.TaskGroup) -> None:
        errand.timer = None
        errand.looking = True
        group.create_task(self._return(errand) if errand.returning else self._look(errand, group))

    def _drop(self, errand: Errand) -> None:
        errand.still()
        self._errands.pop(errand.order, None)

    async def _return(self, errand: Errand) -> None:
        self._drop(errand)
        for signal in errand.current():
            await signal.again()

    async def _look(self, errand: Errand, group: asyncio.TaskGroup) -> None:
        try:
            async with self._hands[errand.money]:
                seen = errand.current()
                pause = await self._attend(errand, seen) if seen else None
                if pause is None:
                    errand.remove(seen)
        except (StoreUnavailable, OutcomeUnknown, TooManyConflicts):
            pause = STORE_AWAY, False
        except Exception:
            log.exception("looking after order %s failed", errand.order)
            pause = self._pause(0, None), True
        errand.looking = False
        if not errand.current():
            self._drop(errand)
        elif pause is not None:
            self._set(errand, asyncio.get_running_loop().time() + pause[0], group, returning=pause[1])
        else:
            self._set(errand, min(errand.signals.values()), group)

    async def _attend(self, errand: Errand, seen: list[Signal]) -> tuple[float, bool] | None:
        """Pump it, and answer; or how many seconds to wait, and whether to give it back after them."""
        cause = Cause(errand.order, f"{ACTOR}:{errand.order}", ACTOR)
        if any(signal.was_parked for signal in seen) and await self._is_left_to_its_operator(errand, seen):
            return None
        try:
            purchase = await self._pump.pump(errand.order, cause, ticket_id=errand.ticket)
        except StepFailed as failure:
            return await self._failed(
                errand, seen, failure.step, failure.error, ends(failure.purchase), cause
            )
        except Exception as error:
            return await self._failed(errand, seen, "load", error, None, cause)
        log.info("order %s was not followed up in time; now it is %s", errand.order, _stands(purchase))
        if isinstance(purchase.order, Paying):
            self._adopt(errand.order)
        for signal in seen:
            await signal.done()
        return None

    # ── When it fails ─────────────────────────────────────────────────────────────────────────────

    async def _failed(
        self,
        errand: Errand,
        seen: list[Signal],
        step: str,
        error: Exception,
        end: datetime | None,
        cause: Cause,
    ) -> tuple[float, bool] | None:
        if isinstance(error, StoreUnavailable | OutcomeUnknown | TooManyConflicts):
            return STORE_AWAY, False
        log.warning("order %s: %s failed: %s", errand.order, step, error)
        if await self._is_left_to_its_operator(errand, seen):
            return None
        tries = max(signal.tries for signal in seen)
        if tries < self._signals.limit:
            return self._pause(tries, end), True
        log.error("order %s is parked after %d tries: %s: %s", errand.order, tries + 1, step, error)
        command = ParkPurchase(step, f"{type(error).__name__}: {error}", tries + 1)
        await self._desk.execute(parking, errand.order, command, cause)
        for signal in seen:
            await signal.park()
        return None

    async def _is_left_to_its_operator(self, errand: Errand, seen: list[Signal]) -> bool:
        """Whether it is parked or skipped; then its signals are set aside (again), or done with."""
        stands = (await self._desk.load(parking, errand.order)).state
        for signal in seen:
            if isinstance(stands, Parked):
                await signal.park()
            elif isinstance(stands, Skipped):
                await signal.done()
        return isinstance(stands, Parked | Skipped)

    def _pause(self, tries: int, end: datetime | None) -> float:
        """How long a failing purchase is left alone: not beyond the end of its hold."""
        now = self._clock.now()
        pause = self._delays[min(tries, len(self._delays) - 1)]
        if end is not None and end > now:
            pause = min(pause, end - now)
        return min(pause.total_seconds(), KEPT * self._signals.keep)


def _stands(purchase: Purchase) -> str:
    return type(purchase.order).__name__
