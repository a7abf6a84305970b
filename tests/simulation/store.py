"""The EventStore port over the log in memory, by way of a network that loses and delays messages."""

from collections.abc import AsyncIterator, Sequence

from domain.decider import AnyProposed, AnyRecorded
from processmanager.ports import OutcomeUnknown, StoreUnavailable
from tests.simulation.deadlines import NEAR, Deadlines
from tests.simulation.log import Log
from tests.simulation.scheduler import Call, Scheduler
from tests.simulation.weather import Weather

SLOW = 45_000
"""Milliseconds that a message to the store, or its answer, may hang without a reason."""


class SimulatedStore:
    def __init__(self, log: Log, deadlines: Deadlines, weather: Weather, scheduler: Scheduler) -> None:
        self._log = log
        self._deadlines = deadlines
        self._weather = weather
        self._scheduler = scheduler

    async def read(self, stream: str, after: int = -1) -> Sequence[AnyRecorded]:
        return await Call(
            f"read {stream} after {after}", lambda: self._read(stream, after), self._delay(), self._delay()
        )

    async def append(self, stream: str, events: Sequence[AnyProposed], expected: int) -> int:
        return await Call(
            f"append to {stream} at {expected}: {', '.join(type(each.event).__name__ for each in events)}",
            lambda: self._append(stream, events, expected),
            self._until_a_deadline(),
            self._delay(),
        )

    def follow(self, after: int = 0) -> AsyncIterator[Sequence[AnyRecorded]]:
        raise NotImplementedError("here the history feeds the read models")

    def _read(self, stream: str, after: int) -> list[AnyRecorded]:
        if self._weather.strikes("store down"):
            raise StoreUnavailable("the store is down")
        return self._log.read(stream, after)

    def _append(self, stream: str, events: Sequence[AnyProposed], expected: int) -> int:
        if self._weather.strikes("store down"):
            raise StoreUnavailable("the store is down")
        if self._weather.strikes("append lost"):
            raise OutcomeUnknown("nothing was written")
        position = self._log.append(stream, events, expected)
        if self._weather.strikes("append answer lost"):
            raise OutcomeUnknown("it was written")
        return position

    def _delay(self) -> int:
        """Mostly none; or a message hangs for a while."""
        return int(self._scheduler.rng.random() * SLOW) if self._weather.strikes("store slow") else 0

    def _until_a_deadline(self) -> int:
        """Or it hangs just until a hold ends, and others have done something about it."""
        ahead = self._deadlines.ahead()
        if not ahead or not self._weather.strikes("append hangs"):
            return self._delay()
        rng = self._scheduler.rng
        self._deadlines.hanging = end = rng.choice(ahead)
        return max(0, end + rng.randint(-NEAR, 4_000) - self._scheduler.now)
