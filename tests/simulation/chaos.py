"""A time of chaos: everybody wants something, and everything that can go wrong does."""

from collections.abc import Callable
from contextlib import suppress

from domain.order import OrderCompleted
from domain.payment import RequestRefund, payment
from processmanager.desk import Cause
from processmanager.pump import StepFailed
from tests.simulation.deadlines import NEAR
from tests.simulation.process import TROUBLE, Process
from tests.simulation.words import SUPPORT
from tests.simulation.world import SECOND, World

CROWD = 10
"""How many tasks may be on their way at once."""


class Chaos:
    def __init__(self, world: World) -> None:
        self._world = world
        self._rng = world.rng
        self._scheduler = world.scheduler
        self._deadlines = world.deadlines
        self._left = world.rng.randint(4, 12)
        """How many errands there are still to run."""
        self._bustle = world.rng.choice((0.1, 0.2, 0.4))
        self._happenings, self._odds = self._moods()

    def run(self) -> None:
        self._world.weather.turn_foul()
        rng, scheduler = self._rng, self._scheduler
        last = scheduler.steps + rng.randint(60, 200)
        while scheduler.steps < last and (self._left or scheduler.tasks):
            if self._world.weather.strikes("crash"):
                self._world.any_process().crash()
            self._see_what_hangs()
            scheduler.advance(scheduler.now + int(rng.random() * 3))
            if rng.random() < self._bustle or not scheduler.step():
                scheduler.steps += 1
                rng.choices(self._happenings, self._odds)[0]()

    def _moods(self) -> tuple[list[Callable[[], None]], list[float]]:
        """What else happens, and how often: in every history differently."""
        rng = self._rng
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
        if not self._left or len(self._scheduler.tasks) >= CROWD:
            return
        if errand := self._world.people.next_errand():
            self._left -= 1
            self._world.send(errand)

    def _somebody_asks_again(self) -> None:
        """Who got no answer asks again, perhaps another process."""
        unanswered = [errand for errand in self._world.errands[-4:] if errand.unanswered and not errand.once]
        if unanswered and len(self._scheduler.tasks) < CROWD:
            self._world.send(self._rng.choice(unanswered))

    def _an_agenda_hears(self) -> None:
        self._world.any_process().feed(self._rng.choice((1, 5, 10_000)))

    def _a_watchdog_looks(self) -> None:
        """Often that of the other process at the same time."""
        first, second = self._rng.sample(self._world.processes, 2)
        for process in (first, second) if self._rng.random() < 0.5 else (first,):
            process.feed()
            process.watch(2)

    def _a_signal_comes(self) -> None:
        """A webhook, an operator, a second watchdog: somebody pumps, for no good reason."""
        if self._world.people.plans and len(self._scheduler.tasks) < CROWD:
            process = self._world.any_process()
            plan = self._rng.choice(self._world.people.plans)
            self._scheduler.spawn(
                f"{process.name}: a signal for {plan.order_id}", process, _pump(process, plan.order_id)
            )

    def _support_gives_money_back(self) -> None:
        paid = [fact for fact in self._world.log.facts if isinstance(fact.event, OrderCompleted)]
        if paid:
            process, sale = self._world.any_process(), self._rng.choice(paid)
            self._scheduler.spawn(
                f"{process.name}: support refunds {sale.key}", process, _refund(process, sale.event.payment)
            )

    def _time_passes(self) -> None:
        self._scheduler.advance(self._scheduler.now + int(self._rng.random() * 30 * SECOND))

    def _a_deadline_comes(self) -> None:
        if ahead := self._deadlines.ahead():
            self._scheduler.advance(self._rng.choice(ahead) + self._rng.randint(-NEAR, NEAR))

    def _a_process_stops(self) -> None:
        """It is suspended with all that it was doing, and goes on later as if nothing had been."""
        rng = self._rng
        self._scheduler.suspend(
            self._world.any_process(), int(rng.random() * rng.choice((1, 60, 1200)) * SECOND)
        )

    def _a_process_sleeps_through_a_deadline(self) -> None:
        """And wakes up in the midst of what the other makes of it."""
        if ahead := self._deadlines.ahead():
            asleep, awake = self._rng.sample(self._world.processes, 2)
            end = self._rng.choice(ahead) + self._about()
            self._scheduler.suspend(asleep, end - self._scheduler.now + int(self._rng.random() * 300))
            self._others_take_over(awake, end)

    def _a_hold_ends_while_messages_hang(self) -> None:
        """Those that come through find the ticket with somebody else."""
        if ahead := self._deadlines.ahead():
            self._others_take_over(self._world.any_process(), self._rng.choice(ahead) + self._about())

    def _see_what_hangs(self) -> None:
        """Before anybody else can do what a message was to do, its time is over."""
        end, self._deadlines.hanging = self._deadlines.hanging, None
        if end is not None and self._rng.random() < 0.5:
            self._others_take_over(self._world.any_process(), end + self._about())

    def _about(self) -> int:
        """Clocks differ, so for one process a hold may have ended when for the other it has not."""
        return self._rng.choice((-2, -1, 0, 1, 2)) * SECOND + self._rng.randint(0, NEAR)

    def _others_take_over(self, process: Process, end: int) -> None:
        self._scheduler.advance(end)
        process.feed()
        process.watch()
        if self._rng.random() < 0.7:
            self._move(40)
            self._world.send(self._world.people.reserve(), process)
            self._move(20)

    def _move(self, steps: int) -> None:
        """Let that happen which can, and nothing else."""
        while steps and self._scheduler.step():
            steps -= 1

    def _the_dead_speak(self) -> None:
        if self._scheduler.adrift:
            self._scheduler.wash_ashore()

    def _nothing_is_urgent(self) -> None:
        """Time passes until a message comes through, or until a hold ends before that."""
        if not self._scheduler.tasks:
            return
        until = min(task.ready_at for task in self._scheduler.tasks)
        ends = [at for at in self._deadlines.ahead() if self._scheduler.now < at < until]
        if ends and self._rng.random() < 0.7:
            self._others_take_over(self._world.any_process(), min(ends) + self._about())
        else:
            self._scheduler.advance(until)


async def _refund(process: Process, payment_id: str) -> None:
    cause = Cause(correlation="support", causation="support", actor=SUPPORT)
    with suppress(*TROUBLE):
        await process.desk.execute(payment, payment_id, RequestRefund("a disappointed buyer"), cause)


async def _pump(process: Process, order_id: str) -> None:
    cause = Cause(correlation="signal", causation="signal", actor="a signal")
    with suppress(StepFailed, *TROUBLE):
        await process.pump.pump(order_id, cause)
