"""The watchdog is woken at deadlines, whatever the event loop did meanwhile.

With APScheduler itself and real time, a second or less of it in each test.
"""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from apscheduler.schedulers.asyncio import AsyncIOScheduler  # type: ignore[import-untyped]

from gateways.clock import SystemClock
from gateways.scheduler import Waker, _Every
from processmanager.ports import Clock

NEVER = timedelta(hours=1)
"""A beat that does not come within a test, so that a wake can only be a deadline's."""
PROMPT = 0.3
"""Seconds within which a wake is due on a busy machine."""


class Watch:
    """Stands for the watchdog and its agenda: hears its wakes, and knows one deadline."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.due: datetime | None = None
        self.threads: set[int] = set()
        self.wakes: asyncio.Queue[float] = asyncio.Queue()
        self._due_at = 0.0

    def wake(self) -> None:
        self.wakes.put_nowait(time.monotonic())
        self.threads.add(threading.get_ident())

    def due_in(self, seconds: float) -> None:
        self.due = self.clock.now() + timedelta(seconds=seconds)
        self._due_at = time.monotonic() + seconds

    async def woken(self) -> float:
        """Wait for the next wake; gives how many seconds after the deadline it came."""
        return await asyncio.wait_for(self.wakes.get(), 3.0) - self._due_at


@asynccontextmanager
async def waker(watch: Watch, beat: timedelta = NEVER) -> AsyncIterator[Waker]:
    """A running waker whose first beat, which comes at once, has passed."""
    running = Waker(watch.wake, lambda: watch.due, beat)
    running.start()
    await watch.woken()
    try:
        yield running
    finally:
        running.stop()


def on_time(late: float) -> bool:
    """A fiftieth of a second before is the two clocks' rounding; what is late may be a busy machine."""
    return -0.02 <= late <= PROMPT


async def test_the_next_deadline_wakes_the_watchdog_on_the_event_loop_and_not_before_it() -> None:
    watch = Watch(SystemClock())
    async with waker(watch) as running:
        watch.due_in(0.3)
        running.rearm()
        assert on_time(await watch.woken())
    assert watch.threads == {threading.get_ident()}


async def test_a_deadline_that_passed_while_nobody_ran_wakes_at_start() -> None:
    watch = Watch(SystemClock())
    watch.due_in(-3600)
    async with waker(watch):
        # The first wake was the beat that comes at once; this one is the deadline's own.
        await watch.woken()


async def test_a_deadline_that_passes_while_the_event_loop_is_blocked_wakes_afterwards() -> None:
    watch = Watch(SystemClock())
    async with waker(watch) as running:
        watch.due_in(0.1)
        running.rearm()
        await asyncio.sleep(0)
        # Longer than the second after which APScheduler drops a late job unless it is told not to.
        time.sleep(1.4)  # noqa: ASYNC251 -- blocking the loop is the fault under test
        await watch.woken()


async def test_a_waker_with_nothing_to_do_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    look = AsyncIOScheduler._process_jobs

    def counted(scheduler: AsyncIOScheduler) -> float | None:
        looks.append(time.monotonic())
        wait: float | None = look(scheduler)
        return wait

    monkeypatch.setattr(AsyncIOScheduler, "_process_jobs", counted)
    watch = Watch(SystemClock())
    async with waker(watch, beat=timedelta(seconds=0.2)) as running:
        watch.due_in(900)
        running.rearm()
        for _ in range(4):
            await watch.woken()
    # Some looks for each beat, as APScheduler rounds; not thousands.
    assert len(looks) < 40


async def test_a_deadline_that_comes_nearer_is_aimed_at_instead() -> None:
    watch = Watch(SystemClock())
    async with waker(watch) as running:
        watch.due_in(900)
        running.rearm()
        watch.due_in(0.2)
        running.rearm()
        assert on_time(await watch.woken())


async def test_the_beat_finds_a_deadline_that_nobody_told_of() -> None:
    watch = Watch(SystemClock())
    async with waker(watch, beat=timedelta(seconds=0.5)):
        watch.due_in(0.6)
        while (late := await watch.woken()) < -0.02:
            pass
        # The beat behind the deadline would have come 0.4 s after it.
        assert on_time(late)


async def test_a_deadline_that_is_not_helped_by_its_wake_does_not_keep_the_watchdog_running() -> None:
    watch = Watch(SystemClock())
    watch.due_in(-1)
    async with waker(watch) as running:
        await watch.woken()
        for _ in range(20):
            running.rearm()
            await asyncio.sleep(0.01)
    assert watch.wakes.empty()


def test_after_a_long_sleep_there_is_one_beat_to_make_up_for() -> None:
    now = datetime.now(UTC)
    beats = _Every(timedelta(seconds=0.5))
    assert beats.get_next_fire_time(now - timedelta(days=30), now) == now + timedelta(seconds=0.5)


async def test_an_agenda_that_fails_once_does_not_end_the_waking() -> None:
    watch = Watch(SystemClock())
    failures = [OSError("the read model is away")]

    def next_due() -> datetime | None:
        if failures:
            raise failures.pop()
        return watch.due

    running = Waker(watch.wake, next_due, beat=timedelta(seconds=0.05))
    running.start()
    try:
        for _ in range(3):
            await watch.woken()
    finally:
        running.stop()
    assert failures == []


async def test_once_stopped_it_wakes_nobody_and_may_be_told_of_deadlines_in_vain() -> None:
    watch = Watch(SystemClock())
    async with waker(watch, beat=timedelta(seconds=0.05)) as running:
        await watch.woken()
        running.stop()
        watch.due_in(0.05)
        running.rearm()
        await asyncio.sleep(0.2)
        assert watch.wakes.empty()
