"""Two replays side by side: the policy as it was, which must give the recorded history, and another one."""

from collections.abc import Iterable

from msgspec import Struct

from domain.decider import AnyRecorded
from processmanager.what_if import Change, Tally, Told, WhatIf


class Compared(Struct, frozen=True):
    """differs: the first position at which the policy as it was did not give what is recorded; None if all is
    the same. won, lost: orders that were completed only otherwise, and only as it was."""

    events: int
    position: int
    differs: int | None
    recorded: Tally
    otherwise: Tally

    @property
    def won(self) -> set[str]:
        return self.otherwise.sold.keys() - self.recorded.sold.keys()

    @property
    def lost(self) -> set[str]:
        return self.recorded.sold.keys() - self.otherwise.sold.keys()


class Comparing:
    def __init__(self, change: Change) -> None:
        self._as_it_was = WhatIf(Change())
        self._otherwise = WhatIf(change)
        self._events = self._position = 0
        self._differs: int | None = None

    def take(self, page: Iterable[AnyRecorded]) -> None:
        """The next facts of the log."""
        for fact in page:
            self._events += 1
            self._position = fact.position
            again = list(self._as_it_was.take(fact))
            if self._differs is None and again != [Told(fact.stream, fact.event)]:
                self._differs = fact.position
            for _ in self._otherwise.take(fact):
                pass

    def compared(self) -> Compared:
        """What has come of it so far."""
        return Compared(
            self._events, self._position, self._differs, self._as_it_was.tally, self._otherwise.tally
        )
