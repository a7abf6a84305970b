"""A figure: what was measured, how it compares with its floor in the same run, and what was wanted."""

from pathlib import Path

from msgspec import Struct


class Figure(Struct, frozen=True, kw_only=True):
    """value: in ``unit``. share: the value as a part of the floor's, which ``floor`` names.

    wanted: the least share or value that is asked for, or with ``at_most`` the largest value.
    """

    name: str
    value: float
    unit: str
    share: float | None = None
    floor: str = ""
    wanted: float | None = None
    at_most: bool = False
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the figure is what was wanted; None if nothing was."""
        if self.wanted is None:
            return None
        compared = self.value if self.share is None else self.share
        return compared <= self.wanted if self.at_most else compared >= self.wanted


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def megabytes() -> int:
    """The most that this process has had resident. (What getrusage says begins with its parent's.)"""
    (line,) = (
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")
    )
    return int(line.split()[1]) // 1024
