"""The double's time: the machine's, moved by what a test has asked for."""

import time

DAY = 24 * 60 * 60


class Clock:
    """``ahead``: seconds by which it is ahead of the machine's clock."""

    def __init__(self, ahead: float = 0.0) -> None:
        self.ahead = ahead

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time() + self.ahead

    def stamp(self) -> int:
        """The time as objects carry it: whole seconds since 1970."""
        return int(self.now())
