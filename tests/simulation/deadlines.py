"""The moments at which something ends, as the log tells them: what time and people aim at."""

from domain.order import PaymentFailed, PaymentStarted
from domain.ticket import TicketReleased, TicketReserved, TicketSold
from tests.simulation.log import Log
from tests.simulation.scheduler import Scheduler, milliseconds

NEAR = 6
"""How many milliseconds before or after a deadline counts as aiming at it."""
NOTICE = 5_000
"""How long whoever took a ticket or began to pay is given to go on, before others do."""
NEVER = 10**12


class Deadlines:
    """``open``: the orders that hold a ticket, and until when at most.

    hanging: a message has just begun to hang until this moment.
    """

    def __init__(self, log: Log, scheduler: Scheduler) -> None:
        self._log = log
        self._scheduler = scheduler
        self._read = 0
        self._ends: dict[str, int] = {}
        self.open: dict[str, int] = {}
        self.hanging: int | None = None

    def ahead(self) -> list[int]:
        """Those that are still to come, or have passed only just now."""
        self._catch_up()
        return [at for at in self.open.values() if at > self._scheduler.now - NEAR]

    def overdue(self, by: int) -> list[str]:
        """The orders that still hold a ticket ``by`` milliseconds after the end."""
        self._catch_up()
        return [order_id for order_id, at in self.open.items() if at + by < self._scheduler.now]

    def aim(self) -> int:
        """When a slow bank decides: soon, about when a hold ends, well after it, or never."""
        rng = self._scheduler.rng
        chance = rng.random()
        if chance < 0.3:
            return self._scheduler.now + int(rng.random() * 20_000)
        if chance < 0.7 and (ahead := self.ahead()):
            return rng.choice(ahead) + rng.randint(-NEAR, NEAR)
        if chance < 0.85:
            return self._scheduler.now + int(rng.random() * 3_600_000)
        return NEVER

    def _catch_up(self) -> None:
        for fact in self._log.facts[self._read :]:
            match fact.event:
                case TicketReserved(order_id, expires_at=at):
                    # Who was stopped between asking and writing takes a ticket whose time is over already.
                    late = milliseconds(fact.metadata.at) + NOTICE
                    self._ends[order_id] = self.open[order_id] = max(milliseconds(at), late)
                case PaymentStarted(grace_until=at) if fact.key in self.open:
                    late = milliseconds(fact.metadata.at) + NOTICE
                    self.open[fact.key] = max(self._ends[fact.key], milliseconds(at), late)
                case PaymentFailed() if fact.key in self.open:
                    self.open[fact.key] = self._ends[fact.key]
                case TicketReleased(order_id) | TicketSold(order_id):
                    self.open.pop(order_id, None)
        self._read = self._log.head
