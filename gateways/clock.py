"""The deciding clock: it follows the wall clock, but neither goes back nor leaps.

It runs on the monotonic clock, which knows no jumps, and learns from the wall clock what time that
is. A wall clock that leaps ahead would end holds early and one that is set back would keep them for
ever, so a leap either way is not believed until it has lasted: a clock that was put right and a
machine that slept heal by themselves, a glitch passes unnoticed.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from logging import getLogger

log = getLogger("admitone.clock")

SECOND = 1_000_000_000
LEAP = 5 * SECOND
"""A difference beyond this is a leap; anything less is a clock being kept right."""
PROBATION = 60 * SECOND
"""How long a leap must have lasted to be believed."""
STEADY = 1 * SECOND
"""How much a leap may waver meanwhile and still count as the same."""
SLOWING = 500
"""Where the wall clock is behind, this one loses one part in so many until they agree. Going back is
impossible and standing still would hold up expiry: so a hold of a quarter of an hour ends 1.8 s late."""


class SystemClock:
    """Satisfies the Clock port. May be asked from any thread.

    wall, monotonic: nanoseconds, since 1970 and since whenever.
    """

    def __init__(
        self,
        wall: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._last = monotonic()
        self._offset = wall() - self._last
        # A leap of the wall clock: how far off it is, since when, and whether it is believed by now.
        self._leap: int | None = None
        self._since = 0
        self._believed = False

    def now(self) -> datetime:
        """The deciding time, in UTC, to the microsecond. Never goes back."""
        with self._lock:
            # In this order: a thread that is held up in between sees the wall behind, which does no harm.
            wall = self._wall()
            elapsed = self._monotonic()
            gap = wall - elapsed - self._offset
            if -LEAP <= gap <= LEAP:
                self._leap = None
                self._follow(gap, elapsed)
            elif self._believe(gap, elapsed):
                self._follow(gap, elapsed)
            self._last = elapsed
            return datetime.fromtimestamp((elapsed + self._offset) / SECOND, UTC)

    def health(self) -> str | None:
        """None, or one line on a leap of the wall clock that is not believed yet.

        Something to look into, but no reason to stop serving.
        """
        self.now()
        leap = self._leap
        if leap is None or self._believed:
            return None
        return f"the wall clock leapt by {leap / SECOND:+.1f} s; time goes on without it until it has lasted"

    def _follow(self, gap: int, elapsed: int) -> None:
        """Take up at once what the wall clock is ahead, and little by little what it is behind."""
        self._offset += max(gap, (self._last - elapsed) // SLOWING)

    def _believe(self, gap: int, elapsed: int) -> bool:
        """Whether a leap has lasted long enough to be believed."""
        if self._leap is None:
            log.error("the wall clock leapt by %+.1f s; time goes on without it", gap / SECOND)
        if self._leap is None or abs(gap - self._leap) > STEADY:
            self._since, self._believed = elapsed, False
        self._leap = gap
        if not self._believed and elapsed - self._since >= PROBATION:
            log.warning("the wall clock has stayed %+.1f s off and is believed", gap / SECOND)
            self._believed = True
        return self._believed
