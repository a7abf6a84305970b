"""A wall clock and a monotonic clock in a test's hands."""

import time
from datetime import UTC, datetime

from gateways.clock import SECOND, SystemClock

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


class World:
    """Time passes when it is told to; the wall clock can be set wrong besides."""

    def __init__(self) -> None:
        self.elapsed = 1_000 * SECOND
        self.error = 0
        self.clock = SystemClock(wall=self.wall, monotonic=lambda: self.elapsed)

    def wall(self) -> int:
        return int(NOON.timestamp()) * SECOND + self.elapsed - 1_000 * SECOND + self.error

    def set_wall(self, seconds: float) -> None:
        """Set the wall clock forward, or back if negative."""
        self.error += int(seconds * SECOND)

    def passes(self, seconds: float, *, step: float = 1.0) -> None:
        """Let time pass, with the clock being asked every ``step`` seconds."""
        end = self.elapsed + int(seconds * SECOND)
        while self.elapsed < end:
            self.elapsed = min(end, self.elapsed + int(step * SECOND))
            self.clock.now()

    def seconds(self) -> float:
        """What the deciding clock shows, in seconds after noon."""
        return (self.clock.now() - NOON).total_seconds()


class JumpyWall:
    """The machine's own clocks, with a wall clock that can be set wrong."""

    def __init__(self) -> None:
        self.error = 0

    def wall(self) -> int:
        return time.time_ns() + self.error

    def set_wall(self, seconds: float) -> None:
        self.error += int(seconds * SECOND)
