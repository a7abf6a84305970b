"""Two replays side by side: the policy as it was, which must give the recorded history, and another one."""

from collections.abc import Iterable

from msgspec import Struct

from domain.decider import AnyRecorded
from domain.order import OrderCompleted
from gateways.spill import Spill
from processmanager.what_if import Change, Tally, Told, WhatIf


class Compared(Struct, frozen=True):
    """differs: the first position at which the policy as it was did not give what is recorded; None if all is
    the same. won, lost: orders that were completed only otherwise, and only as it was."""

    events: int
    position: int
    differs: int | None
    recorded: Tally
    otherwise: Tally
    won: int
    lost: int


class Comparing:
    """Both replays keep what they must of each stream on disk, and of the sales only those that differ."""

    def __init__(self, change: Change) -> None:
        self._as_it_was = WhatIf(Change(), Spill)
        self._otherwise = WhatIf(change, Spill)
        self._events = self._position = 0
        self._differs: int | None = None
        self._won: set[str] = set()
        self._lost: set[str] = set()

    def take(self, page: Iterable[AnyRecorded]) -> None:
        """The next facts of the log."""
        for fact in page:
            self._events += 1
            self._position = fact.position
            again = list(self._as_it_was.take(fact))
            if self._differs is None and again != [Told(fact.stream, fact.event)]:
                self._differs = fact.position
            for told in again:
                _sold(told, self._lost, self._won)
            for told in self._otherwise.take(fact):
                _sold(told, self._won, self._lost)

    def compared(self) -> Compared:
        """What has come of it so far."""
        return Compared(
            self._events,
            self._position,
            self._differs,
            self._as_it_was.tally,
            self._otherwise.tally,
            len(self._won),
            len(self._lost),
        )


def _sold(told: Told, only_here: set[str], only_there: set[str]) -> None:
    """A sale that both histories have is none that differs."""
    if isinstance(told.event, OrderCompleted):
        if told.stream in only_there:
            only_there.remove(told.stream)
        else:
            only_here.add(told.stream)
