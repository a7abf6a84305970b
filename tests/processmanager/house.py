"""One process of the house in a test's hands: real parts on a log in memory, and a clock set by hand."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from domain.decider import AnyRecorded
from domain.money import Money
from gateways.agenda import ProjectedAgenda
from processmanager.desk import Cause, Desk
from processmanager.marketplace import Marketplace, Policy
from processmanager.patience import Patience
from processmanager.ports import Due, EventStore, Payments
from processmanager.pump import Pump
from processmanager.watchdog import Watchdog
from projections.agenda import AGENDA, AgendaTable
from projections.read_model import ReadModel
from tests.simulation.log import Log
from tests.simulation.memory_store import MemoryStore

START = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
PRICE = Money(1999, "usd")
HOLD = timedelta(minutes=15)
GRACE = timedelta(minutes=10)


class HandClock:
    """The Clock port: shows what it was set to."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time

    def forward(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)

    @property
    def seconds(self) -> float:
        """How long the test has lasted, by this clock."""
        return (self.time - START).total_seconds()


class PromptAgenda(ProjectedAgenda):
    """The real agenda, which has always heard of everything, unless it is ``deaf``."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._model = ReadModel(AGENDA, ":memory:")
        self.deaf = False
        super().__init__(AgendaTable(self._model), lambda: not self.deaf)

    def due(self, now: datetime, limit: int, after: Due | None = None) -> Sequence[Due]:
        if not self.deaf:
            self._model.feed(self._log.facts[self._model.position :])
        return super().due(now, limit, after)


class House:
    """``log`` and ``clock`` may be shared with another house."""

    def __init__(
        self,
        payments: Payments,
        *,
        store: EventStore | None = None,
        log: Log | None = None,
        clock: HandClock | None = None,
    ) -> None:
        self.log = log or Log()
        self.clock = clock or HandClock()
        self.desk = Desk(store or MemoryStore(self.log), self.clock)
        self.pump = Pump(self.desk, payments, self.clock)
        self.marketplace = Marketplace(self.desk, self.pump, self.clock, Policy(HOLD, GRACE))
        self.agenda = PromptAgenda(self.log)
        self.watchdog = Watchdog(self.agenda, self.pump, self.desk, self.clock, Patience())

    async def offer(self, ticket_id: str = "t1", seller: str = "sue") -> None:
        await self.marketplace.list_ticket(ticket_id, seller, "a seat", PRICE, cause(f"list {ticket_id}"))

    async def reserve(self, order_id: str = "o1", ticket_id: str = "t1", buyer: str = "ann") -> None:
        await self.marketplace.reserve(order_id, ticket_id, buyer, cause(f"reserve {order_id}"))

    async def look_after_what_is_due(self) -> list[str]:
        """What one round of the watchdog does, one after the other. Gives the orders."""
        looked = []
        for due in list(self.watchdog.due()):
            looked.append(due.order)
            await self.watchdog.attend(due)
        return looked

    def events(self, stream: str) -> list[str]:
        """The names of the events in a stream."""
        return [type(fact.event).__name__ for fact in self.log.read(stream)]

    def facts(self, stream: str) -> list[AnyRecorded]:
        return self.log.read(stream)


def cause(what: str, actor: str = "somebody") -> Cause:
    return Cause(correlation=what, causation=what, actor=actor)
