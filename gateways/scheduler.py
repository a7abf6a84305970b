"""Waking the watchdog when the next deadline comes, with APScheduler.

It only ever wakes: deadlines are facts in the log, so what the scheduler has in memory may be lost at
any time. APScheduler drops a job that is a second late unless told otherwise, and runs plain functions
in threads; both are dealt with here. It also trusts the wall clock, which may be set back: then the
watchdog's own second, counted by the monotonic clock, finds what is due.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import (  # type: ignore[import-untyped]  # ships no types
    AsyncIOScheduler,
)
from apscheduler.triggers.base import BaseTrigger  # type: ignore[import-untyped]
from apscheduler.triggers.date import DateTrigger  # type: ignore[import-untyped]

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
        beat: timedelta = BEAT,
    ) -> None:
        self._wake = wake
        self._next_due = next_due
        self._beat = beat
        self._scheduler: AsyncIOScheduler | None = None
        self._armed: datetime | None = None

    def start(self) -> None:
        """Begin, on the running event loop."""
        self._scheduler = AsyncIOScheduler(
            timezone=UTC,
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        self._scheduler.add_job(self._on_beat, _Every(self._beat), id="beat", next_run_time=datetime.now(UTC))
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


class _Every(BaseTrigger):  # type: ignore[misc]  # ships no types
    """Again and again, counted from now: after a week's sleep one beat is made up for, not a million."""

    def __init__(self, interval: timedelta) -> None:
        self._interval = interval

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        return now + self._interval
