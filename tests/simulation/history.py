"""One history of the marketplace: a time of chaos, then a time of peace in which all must come to rest."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from random import Random

from domain.decider import Refused
from domain.order import OrderCompleted
from domain.payment import RequestRefund, payment
from processmanager.desk import Cause
from processmanager.pump import StepFailed
from processmanager.watchdog import retry_parked, skip_parked
from tests.simulation.deadlines import NEAR, Deadlines
from tests.simulation.errand import Errand
from tests.simulation.log import Log
from tests.simulation.people import People
from tests.simulation.process import TROUBLE, Parts, Process
from tests.simulation.provider import Provider
from tests.simulation.read_models import put_back
from tests.simulation.scheduler import Scheduler, milliseconds
from tests.simulation.store import SimulatedStore
from tests.simulation.violation import Violation
from tests.simulation.weather import Weather
from tests.simulation.words import SUPPORT

OUTAGES = 0.12
CROWD = 10
"""How many tasks may be on their way at once."""
PEACE = 6_000
"""In so many steps all must have come to rest after the last fault."""
PUNCTUAL = 4_000
"""Milliseconds after its end that a hold may stand while a process runs: two for clocks that differ."""
IN_TIME = "every hold ends in time"
AT_REST = "everything comes to rest"
LOOKS_LATE = 8
LOOKS = 120
SECOND = 1_000
DAY = 86_400 * SECOND


class History:
    """``seed`` decides everything. ``story``: a list that is given a line for each thing that happens."""

    def __init__(self, seed: str, parts: Parts | None = None, story: list[str] | None = None) -> None:
        self.seed = seed
        self.rng = rng = Random(seed)
        self.scheduler = Scheduler(rng, story)
        self.weather = Weather(rng)
        self.log = Log()
        self.deadlines = Deadlines(self.log, self.scheduler)
        self.provider = Provider(self.log, self.deadlines, self.weather, self.scheduler)
        store = SimulatedStore(self.log, self.deadlines, self.weather, self.scheduler)
        self.processes = [
            Process(number, self.log, store, self.provider, self.scheduler, parts or Parts())
            for number in (1, 2)
        ]
        self.people = People(rng, self.log)
        self.errands: list[Errand] = []
        self.left = rng.randint(4, 12)
        self.bustle = rng.choice((0.1, 0.2, 0.4))
        self.happenings, self.odds = self._moods()
        self._peace_since = self.scheduler.steps

    def play(self) -> None:
        """Raises Violation, or whatever the code under test raises that it must not."""
        self.opening()
        self.chaos()
        if self.rng.random() < OUTAGES:
            self.outage()
        self.peace()

    def opening(self) -> None:
        """The tickets are listed, before anything can go wrong."""
        for ticket_id, seller in self.people.tickets.items():
            self._send(self.people.list_ticket(ticket_id, seller))
        self._move_what_can_be_moved()

    # ── Chaos ─────────────────────────────────────────────────────────────────────────────────────

    def chaos(self) -> None:
        self.weather.turn_foul()
        rng, scheduler = self.rng, self.scheduler
        last = scheduler.steps + rng.randint(60, 200)
        while scheduler.steps < last and (self.left or scheduler.tasks):
            if self.weather.strikes("crash"):
                rng.choice(self.processes).crash()
            scheduler.advance(scheduler.now + int(rng.random() * 3))
            if rng.random() < self.bustle or not scheduler.step():
                scheduler.steps += 1
                rng.choices(self.happenings, self.odds)[0]()

    def _moods(self) -> tuple[list[Callable[[], None]], list[float]]:
        """What else happens, and how often: in every history differently."""
        rng = self.rng
        moods = {
            self._somebody_wants_something: rng.choice((25, 60)),
            self._somebody_asks_again: 12,
            self._an_agenda_hears: rng.choice((5, 20)),
            self._a_watchdog_looks: rng.choice((5, 15, 40)),
            self._a_signal_comes: rng.choice((1, 8)),
            self._support_gives_money_back: rng.choice((0, 2)),
            self._time_passes: rng.choice((0, 3)),
            self._a_deadline_comes: rng.choice((0, 0, 3, 9)),
            self._a_process_stops: rng.choice((0, 0, 3)),
            self._a_process_sleeps_through_a_deadline: rng.choice((0, 0, 2)),
            self._a_hold_ends_while_messages_hang: rng.choice((0, 2, 4)),
            self._the_dead_speak: 4,
            self._nothing_is_urgent: 10,
        }
        return list(moods), list(moods.values())

    def _somebody_wants_something(self) -> None:
        if not self.left or len(self.scheduler.tasks) >= CROWD:
            return
        if errand := self.people.next_errand():
            self.left -= 1
            self._send(errand)

    def _somebody_asks_again(self) -> None:
        """Who got no answer asks again, perhaps another process."""
        unanswered = [errand for errand in self.errands[-4:] if errand.unanswered and not errand.once]
        if unanswered and len(self.scheduler.tasks) < CROWD:
            self._send(self.rng.choice(unanswered))

    def _an_agenda_hears(self) -> None:
        self.rng.choice(self.processes).feed(self.rng.choice((1, 5, 10_000)))

    def _a_watchdog_looks(self) -> None:
        """Often that of the other process at the same time."""
        first, second = self.rng.sample(self.processes, 2)
        for process in (first, second) if self.rng.random() < 0.5 else (first,):
            process.feed()
            process.watch(2)

    def _a_signal_comes(self) -> None:
        """A webhook, an operator, a second watchdog: somebody pumps, for no good reason."""
        if self.people.plans and len(self.scheduler.tasks) < CROWD:
            process = self.rng.choice(self.processes)
            plan = self.rng.choice(self.people.plans)
            self.scheduler.spawn(
                f"{process.name}: a signal for {plan.order_id}", process, _pump(process, plan.order_id)
            )

    def _support_gives_money_back(self) -> None:
        paid = [fact for fact in self.log.facts if isinstance(fact.event, OrderCompleted)]
        if paid:
            process, sale = self.rng.choice(self.processes), self.rng.choice(paid)
            self.scheduler.spawn(
                f"{process.name}: support refunds {sale.key}", process, _refund(process, sale.event.payment)
            )

    def _time_passes(self) -> None:
        self.scheduler.advance(self.scheduler.now + int(self.rng.random() * 30 * SECOND))

    def _a_deadline_comes(self) -> None:
        if ahead := self.deadlines.ahead():
            self.scheduler.advance(self.rng.choice(ahead) + self.rng.randint(-NEAR, NEAR))

    def _a_process_stops(self) -> None:
        """It is suspended with all that it was doing, and goes on later as if nothing had been."""
        rng = self.rng
        self.scheduler.suspend(
            rng.choice(self.processes), int(rng.random() * rng.choice((1, 60, 1200)) * SECOND)
        )

    def _a_process_sleeps_through_a_deadline(self) -> None:
        """And wakes up in the midst of what the other makes of it."""
        if ahead := self.deadlines.ahead():
            asleep, awake = self.rng.sample(self.processes, 2)
            end = self.rng.choice(ahead) + self._about()
            self.scheduler.suspend(asleep, end - self.scheduler.now + int(self.rng.random() * 300))
            self._others_take_over(awake, end)

    def _a_hold_ends_while_messages_hang(self) -> None:
        """Those that come through find the ticket with somebody else."""
        if ahead := self.deadlines.ahead():
            self._others_take_over(self.rng.choice(self.processes), self.rng.choice(ahead) + self._about())

    def _about(self) -> int:
        """Clocks differ, so for one process a hold may have ended when for the other it has not."""
        return self.rng.choice((-2, -1, 0, 1, 2)) * SECOND + self.rng.randint(0, NEAR)

    def _others_take_over(self, process: Process, end: int) -> None:
        self.scheduler.advance(end)
        process.feed()
        process.watch()
        if self.rng.random() < 0.7:
            self._move(40)
            self._send(self.people.reserve(), process)
            self._move(20)

    def _move(self, steps: int) -> None:
        """Let that happen which can, and nothing else."""
        while steps and self.scheduler.step():
            steps -= 1

    def _the_dead_speak(self) -> None:
        if self.scheduler.adrift:
            self.scheduler.wash_ashore()

    def _nothing_is_urgent(self) -> None:
        """Time passes until a message comes through, or until a hold ends before that."""
        if not self.scheduler.tasks:
            return
        until = min(task.ready_at for task in self.scheduler.tasks)
        ends = [at for at in self.deadlines.ahead() if self.scheduler.now < at < until]
        if ends and self.rng.random() < 0.7:
            self._others_take_over(self.rng.choice(self.processes), min(ends) + self._about())
        else:
            self.scheduler.advance(until)

    def _send(self, errand: Errand, process: Process | None = None) -> None:
        process = process or self.rng.choice(self.processes)
        self.errands.append(errand)
        self.scheduler.spawn(
            f"{process.name}: {errand.what}", process, errand.run(process, self.log, self.provider)
        )

    # ── An outage ─────────────────────────────────────────────────────────────────────────────────

    def outage(self) -> None:
        """The provider is gone for longer than anybody's patience: purchases are parked, holds still end."""
        if self.rng.random() < 0.6 and (ahead := self.deadlines.ahead()):
            # Often so shortly before a hold ends that the end comes while its purchase is left alone.
            self.scheduler.advance(self.rng.choice(ahead) - int(self.rng.random() * 200 * SECOND))
        self.weather.provider_goes_away()
        self._peace_since = self.scheduler.steps
        self._watch_over(self.rng.choice((10, 40, 80)))

    # ── Peace ─────────────────────────────────────────────────────────────────────────────────────

    def peace(self) -> None:
        """Faults end and time passes: all must come to rest, without an operator but for what was parked."""
        self.weather.clear_up()
        self._peace_since = self.scheduler.steps
        while self.scheduler.adrift:
            self.scheduler.wash_ashore()
        self._come_to_rest()
        for an_operator in (_skip, _retry):
            for order_id in [key for key in self.log.streams if key.startswith("parking-")]:
                process = self.rng.choice(self.processes)
                word = an_operator(process, order_id.removeprefix("parking-"))
                self.scheduler.spawn(f"an operator: {an_operator.__name__} {order_id}", process, word)
            self._come_to_rest()

    def _come_to_rest(self) -> None:
        if not self._watch_over(LOOKS):
            raise Violation(AT_REST, f"after {LOOKS} looks still due: {self._due()}")

    def _watch_over(self, looks: int) -> bool:
        """Look after what is due while time passes; True if there is nothing left to wait for."""
        looks_late: Counter[str] = Counter()
        while looks > 0:
            self._move_what_can_be_moved()
            for process in self.processes:
                process.feed()
            if not self.scheduler.tasks and not self._due():
                return True
            for process in self.processes:
                process.watch()
            self._move_what_can_be_moved()
            # Whoever still waits for a message from the time of chaos may hold its purchase up.
            late = [] if self.scheduler.tasks else self.deadlines.overdue(PUNCTUAL)
            looks_late = Counter({order_id: looks_late[order_id] + 1 for order_id in late})
            if max(looks_late.values(), default=0) > LOOKS_LATE:
                raise Violation(IN_TIME, f"{late} hold a ticket for too long")
            looks -= not self.scheduler.tasks  # a message that still hangs is waited for
            self._let_time_pass(hurry=bool(late))
        return False

    def _move_what_can_be_moved(self) -> None:
        while self.scheduler.step():
            if self.scheduler.steps - self._peace_since > PEACE:
                busy = ", ".join(task.name for task in self.scheduler.tasks)
                raise Violation(AT_REST, f"still busy after {PEACE} steps: {busy}")

    def _let_time_pass(self, *, hurry: bool) -> None:
        """Until something can be moved or falls due; what is due already is being left alone for a while."""
        now = self.scheduler.now
        due = [milliseconds(at) + SECOND for at in self._due()]
        moments = [*due, *(at + SECOND for at in self.deadlines.open.values())]
        moments += [task.ready_at for task in self.scheduler.tasks]
        if hurry:
            moments.append(now + SECOND)
        elif any(at <= now for at in due):
            moments.append(now + self.rng.choice((2, 5, 10, 20, 40, 80)) * SECOND)
        self.scheduler.advance(min(at for at in moments if at > now))

    def _due(self) -> list[datetime]:
        return [at for process in self.processes if (at := process.agenda.next_due()) is not None]

    def close(self) -> None:
        """Let go of what was still on its way, and of the read models."""
        for process in self.processes:
            self.scheduler.drown(process)
        for process in self.processes:
            put_back(process.model)


async def _refund(process: Process, payment_id: str) -> None:
    cause = Cause(correlation="support", causation="support", actor=SUPPORT)
    with suppress(*TROUBLE):
        await process.desk.execute(payment, payment_id, RequestRefund("a disappointed buyer"), cause)


async def _skip(process: Process, order_id: str) -> None:
    with suppress(Refused):  # it is no longer parked
        await skip_parked(process.desk, order_id, "olga", "the provider is gone")


async def _retry(process: Process, order_id: str) -> None:
    await retry_parked(process.desk, order_id, "olga")


async def _pump(process: Process, order_id: str) -> None:
    cause = Cause(correlation="signal", causation="signal", actor="a signal")
    with suppress(StepFailed, *TROUBLE):
        await process.pump.pump(order_id, cause)
