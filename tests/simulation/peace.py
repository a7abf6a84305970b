"""A time of peace: faults end, time passes, and all must come to rest."""

from collections import Counter
from contextlib import suppress
from datetime import datetime

from domain.decider import Refused
from processmanager.watchdog import retry_parked, skip_parked
from tests.simulation.process import Process
from tests.simulation.scheduler import milliseconds
from tests.simulation.violation import Violation
from tests.simulation.world import SECOND, World

MANY = 6_000
"""In so many steps all must have come to rest after the last fault."""
LOOKS = 120
"""And the watchdogs must have looked so often at most."""
PUNCTUAL = 4_000
"""Milliseconds after its end that a hold may stand while a process runs: two for clocks that differ."""
LOOKS_LATE = 8
"""How often the watchdogs may find such a hold: a cancelled order has a moment to let go of its ticket."""

IN_TIME = "every hold ends in time"
AT_REST = "everything comes to rest"


class Peace:
    def __init__(self, world: World) -> None:
        self._world = world
        self._rng = world.rng
        self._scheduler = world.scheduler
        self._deadlines = world.deadlines
        self._since = world.scheduler.steps

    def outage(self) -> None:
        """The provider is gone for longer than anybody's patience: purchases are parked, holds still end."""
        if self._rng.random() < 0.6 and (ahead := self._deadlines.ahead()):
            # Often so shortly before a hold ends that the end comes while its purchase is left alone.
            self._scheduler.advance(self._rng.choice(ahead) - int(self._rng.random() * 200 * SECOND))
        self._world.weather.provider_goes_away()
        self._since = self._scheduler.steps
        self._watch_over(self._rng.choice((10, 40, 80)))

    def run(self) -> None:
        """Faults end and time passes: all must come to rest, without an operator but for what was parked."""
        self._world.weather.clear_up()
        self._since = self._scheduler.steps
        while self._scheduler.adrift:
            self._scheduler.wash_ashore()
        self._come_to_rest()
        for an_operator in (_skip, _retry):
            for order_id in [key for key in self._world.log.streams if key.startswith("parking-")]:
                process = self._world.any_process()
                word = an_operator(process, order_id.removeprefix("parking-"))
                self._scheduler.spawn(f"an operator: {an_operator.__name__} {order_id}", process, word)
            self._come_to_rest()

    def _come_to_rest(self) -> None:
        if not self._watch_over(LOOKS):
            raise Violation(AT_REST, f"after {LOOKS} looks still due: {self._due()}")

    def _watch_over(self, looks: int) -> bool:
        """Look after what is due while time passes; True if there is nothing left to wait for."""
        looks_late: Counter[str] = Counter()
        while looks > 0:
            self.move_what_can_be_moved()
            for process in self._world.processes:
                process.feed()
            if not self._scheduler.tasks and not self._due():
                return True
            for process in self._world.processes:
                process.watch()
            self.move_what_can_be_moved()
            # Whoever still waits for a message from the time of chaos may hold its purchase up.
            late = [] if self._scheduler.tasks else self._deadlines.overdue(PUNCTUAL)
            looks_late = Counter({order_id: looks_late[order_id] + 1 for order_id in late})
            if max(looks_late.values(), default=0) > LOOKS_LATE:
                raise Violation(IN_TIME, f"{late} hold a ticket for too long")
            looks -= not self._scheduler.tasks  # a message that still hangs is waited for
            self._let_time_pass(hurry=bool(late))
        return False

    def move_what_can_be_moved(self) -> None:
        while self._scheduler.step():
            if self._scheduler.steps - self._since > MANY:
                busy = ", ".join(task.name for task in self._scheduler.tasks)
                raise Violation(AT_REST, f"still busy after {MANY} steps: {busy}")

    def _let_time_pass(self, *, hurry: bool) -> None:
        """Until something can be moved or falls due; what is due already is being left alone for a while."""
        now = self._scheduler.now
        due = [milliseconds(at) + SECOND for at in self._due()]
        moments = [*due, *(at + SECOND for at in self._deadlines.open.values())]
        moments += [task.ready_at for task in self._scheduler.tasks]
        if hurry:
            moments.append(now + SECOND)
        elif any(at <= now for at in due):
            moments.append(now + self._rng.choice((2, 5, 10, 20, 40, 80)) * SECOND)
        self._scheduler.advance(min(at for at in moments if at > now))

    def _due(self) -> list[datetime]:
        return [at for process in self._world.processes if (at := process.agenda.next_due()) is not None]


async def _skip(process: Process, order_id: str) -> None:
    with suppress(Refused):  # it is no longer parked
        await skip_parked(process.desk, order_id, "olga", "the provider is gone")


async def _retry(process: Process, order_id: str) -> None:
    await retry_parked(process.desk, order_id, "olga")
