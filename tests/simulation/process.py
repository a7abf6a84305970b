"""One process of the house: a desk with its memory, a pump, a watchdog with its agenda. It can die."""

from collections.abc import Callable

from msgspec import Struct

from gateways.agenda import ProjectedAgenda
from processmanager.desk import Cause, Desk, TooManyConflicts
from processmanager.marketplace import Marketplace, Policy
from processmanager.patience import Patience
from processmanager.ports import (
    Agenda,
    Due,
    EventStore,
    OutcomeUnknown,
    Payments,
    PaymentsUnavailable,
    StoreUnavailable,
)
from processmanager.pump import Pump, RefundCameToNothing, StepFailed
from processmanager.purchase import Purchase
from processmanager.watchdog import Watchdog
from projections.agenda import AgendaTable
from projections.read_model import ReadModel
from tests.simulation.log import Log
from tests.simulation.read_models import empty_agenda, forget
from tests.simulation.scheduler import Scheduler, VirtualClock
from tests.simulation.violation import Violation

SKEWS = (0, 0, 0, -2_000, -3, 3, 2_000)
"""Milliseconds by which the clock of a process may be off."""


STEP_FAILS = "a step fails only by a fault outside"
TROUBLE = (StoreUnavailable, OutcomeUnknown, PaymentsUnavailable, TooManyConflicts, RefundCameToNothing)
"""What may go wrong without anybody's fault."""


class WatchedPump(Pump):
    """The real pump; whatever fails in it without a fault outside is a defect, not a step to repeat."""

    async def pump(
        self,
        order_id: str,
        cause: Cause,
        *,
        ticket_id: str | None = None,
        current: bool = True,
        asking: bool = True,
    ) -> Purchase:
        try:
            return await super().pump(order_id, cause, ticket_id=ticket_id, current=current, asking=asking)
        except StepFailed as failure:
            if not isinstance(failure.error, TROUBLE):
                raise Violation(STEP_FAILS, repr(failure)) from failure
            raise


class Parts(Struct, frozen=True):
    """What a process is made of: the real code, unless a test puts a defect in."""

    desk: type[Desk] = Desk
    pump: type[Pump] = WatchedPump
    marketplace: type[Marketplace] = Marketplace
    watchdog: type[Watchdog] = Watchdog
    patience: type[Patience] = Patience
    agenda: Callable[[ReadModel], Agenda] = lambda model: ProjectedAgenda(AgendaTable(model))
    store: Callable[[EventStore], EventStore] = lambda store: store
    payments: Callable[[Payments], Payments] = lambda payments: payments


class Process:
    def __init__(
        self, number: int, log: Log, store: EventStore, payments: Payments, scheduler: Scheduler, parts: Parts
    ) -> None:
        self.name = f"process {number}"
        self._log = log
        self._store = parts.store(store)
        self._payments = parts.payments(payments)
        self._scheduler = scheduler
        self._parts = parts
        self.model = empty_agenda()
        self.start()

    def __str__(self) -> str:
        return self.name

    def start(self) -> None:
        """With an empty memory; the read models are on disk, or were lost with it."""
        rng, parts = self._scheduler.rng, self._parts
        if rng.random() < 0.2:
            forget(self.model)
        self.agenda = parts.agenda(self.model)
        self.clock = VirtualClock(self._scheduler, rng.choice(SKEWS))
        self.desk = parts.desk(self._store, self.clock, memory=rng.choice((2, 50)))
        # Not every process need have been told of a new policy yet.
        policy = Policy(late_sales=rng.random() < 0.7)
        self.pump = parts.pump(self.desk, self._payments, self.clock, policy.late)
        self.marketplace = parts.marketplace(self.desk, self.pump, self.clock, policy)
        self.watchdog = parts.watchdog(self.agenda, self.pump, self.desk, self.clock, parts.patience())
        self.in_hand: set[tuple[str, bool]] = set()

    def crash(self) -> None:
        """Die where it stands, and start again."""
        self._scheduler.tell(f"{self.name} dies")
        self._scheduler.drown(self)
        self.start()

    def feed(self, most: int = 10_000) -> None:
        """Let the agenda hear of what the log has to tell, or some of it."""
        position = self.model.position
        self.model.feed(self._log.facts[position : position + most])

    def watch(self, most: int = 10_000) -> None:
        """Begin to look after what is due."""
        # All of it at once, as the agenda has it now: looking after one may change what is due.
        for due in list(self.watchdog.due())[:most]:
            matter = (due.order, due.has_ended(self.clock.now()))
            if matter not in self.in_hand:
                self.in_hand.add(matter)
                self._scheduler.spawn(f"{self.name} watches {due.order}", self, self._attend(due, matter))

    async def _attend(self, due: Due, matter: tuple[str, bool]) -> None:
        try:
            await self.watchdog.attend(due)
        except TROUBLE as error:
            self._scheduler.tell(f"{self.name} could not park {due.order}: {error}")
        finally:
            self.in_hand.discard(matter)
