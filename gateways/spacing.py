"""A space between calls: so that many who want to be served together are no burst for everybody else."""

from msgspec import Struct


class Spacing(Struct):
    """apart: seconds from one beginning to the next, by whatever clock the caller reads."""

    apart: float
    _next: float = 0.0

    def wait(self, now: float) -> float:
        """Seconds that who comes at ``now`` is to wait for his turn, which is his from here on."""
        begins = max(now, self._next)
        self._next = begins + self.apart
        return begins - now
