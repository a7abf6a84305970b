"""Waking the watchdog when the next deadline comes, with APScheduler.

It only ever wakes: deadlines are facts in the log, so what the scheduler has in memory may be lost at
any time. Three habits of APScheduler would lose wakes, and are dealt with here: it drops a job that
is a second late, it runs plain functions in threads, and it trusts the wall clock.
"""

from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo

from apscheduler.schedulers.asyncio import (  # type: ignore[import-untyped]  # ships no types
    AsyncIOScheduler,
)
from apscheduler.triggers.base import BaseTrigger  # type: ignore[import-untyped]
from apscheduler.triggers.date import DateTrigger  # type: ignore[import-untyped]

from processmanager.ports import Clock

BEAT = timedelta(seconds=0.5)
"""What the wakes at deadlines miss is found by the beat, so that expiry is within a second either way."""


class Waker:
    """Calls ``wake`` on the event loop at each deadline that ``next_due`` names, and at every beat.

    The beat finds deadlines that have come nearer since, and brings back one whose wake led to nothing.
    """

    def __init__(
        self,
        wake: Callable[[], None],
        next_due: Callable[[], datetime | None],
        clock: Clock,
        beat: timedelta = BEAT,
    ) -> None:
        self._wake = wake
        self._next_due = next_due
        self._clock = clock
        self._beat = beat
        self._scheduler: AsyncIOScheduler | None = None
        self._armed: datetime | None = None

    def start(self) -> None:
        """Begin, on the running event loop."""
        self._scheduler = AsyncIOScheduler(
            timezone=_DecidingTime(self._clock),
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        at_once = self._clock.now()
        self._scheduler.add_job(self._on_beat, _Every(self._beat), id="beat", next_run_time=at_once)
        self._scheduler.start()

    def stop(self) -> None:
        """Wake nobody any more. Does nothing if it was not started."""
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=False)
            self._scheduler = None

    def rearm(self) -> None:
        """Aim at the next deadline, if it is another one than before.

        A deadline that has had its wake and still stands is left to the beat, so that a purchase which
        cannot be helped now does not keep the watchdog running in circles.
        """
        due = self._next_due()
        if self._scheduler is None or due is None or due == self._armed:
            return
        self._armed = due
        self._scheduler.add_job(self._on_deadline, DateTrigger(due), id="deadline", replace_existing=True)

    # Coroutines, for APScheduler would run plain functions in threads.

    async def _on_deadline(self) -> None:
        self._wake()

    async def _on_beat(self) -> None:
        self._wake()
        self.rearm()


class _DecidingTime(tzinfo):
    """UTC by the deciding clock. APScheduler asks its time zone what time it is, so here it is told.

    So a wall clock that is set back does not put off what is due, nor does one that leaps bring it forward.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def fromutc(self, _: datetime) -> datetime:
        return self._clock.now()

    def utcoffset(self, _: datetime | None) -> timedelta:
        return timedelta(0)

    def dst(self, _: datetime | None) -> timedelta:
        return timedelta(0)

    def tzname(self, _: datetime | None) -> str:
        return "UTC by the deciding clock"


class _Every(BaseTrigger):  # type: ignore[misc]  # ships no types
    """Again and again, counted from now: after a week's sleep one beat is made up for, not a million."""

    def __init__(self, interval: timedelta) -> None:
        self._interval = interval

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        return now + self._interval
