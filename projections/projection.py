"""A projection declared as data: its name, its events, its tables, and what one event does to them.

``apply`` is pure: the same event gives the same statements, whatever the time and whatever is in the
tables. A row is written from the events of one stream; where a fact needs several streams, each writes
columns of its own and the question joins them. So one stream can be held back and the others go on.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, TypeAlias

from msgspec import Struct

from domain.decider import AnyRecorded
from domain.deciders import DECIDERS

Statement: TypeAlias = tuple[str, tuple[Any, ...]]
"""SQL and its values."""

Handler: TypeAlias = Callable[[Any], Iterable[Statement]]
"""What one type of event does: from the recorded event to statements."""


LAYOUT = "2"
"""Of the tables that every read model has: see projections/file.py."""


class Projection(Struct, frozen=True):
    """name, version: who it is. A change of what ``apply`` writes is a new version, and a rebuild.

    events: the event types that it wants. apply: from one such event to statements.
    tables: the script that makes its tables. upkeep: what is kept up with every row (indexes, triggers,
    sums), one statement each; left out while most of the log is still ahead, and made at the end.
    """

    name: str
    version: int
    events: tuple[type, ...]
    tables: str
    apply: Callable[[AnyRecorded], Iterable[Statement]]
    upkeep: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Equal for two projections that may read each other's files."""
        words = [
            LAYOUT,
            self.name,
            str(self.version),
            self.tables,
            *self.upkeep,
            *(e.__name__ for e in self.events),
        ]
        return sha256("\0".join(words).encode()).hexdigest()

    def kept_up(self) -> list[tuple[str, str]]:
        """What the upkeep makes: INDEX or TRIGGER, and the name."""
        return [
            (found[1], found[2])
            for statement in self.upkeep
            if (found := re.match(r"CREATE (?:UNIQUE )?(INDEX|TRIGGER) (\w+)", statement))
        ]

    @property
    def categories(self) -> frozenset[str]:
        """The kinds of stream that its events are in."""
        wanted = set(self.events)
        return frozenset(each.category for each in DECIDERS if wanted.intersection(each.events))

    @property
    def of_no_interest(self) -> frozenset[str]:
        """The names of the event types that are known, and not its own."""
        return _KNOWN - {event.__name__ for event in self.events}


_KNOWN = frozenset(event.__name__ for decider in DECIDERS for event in decider.events)


def by_type(handlers: Mapping[type, Handler]) -> Callable[[AnyRecorded], Iterable[Statement]]:
    """An ``apply`` with one function for each event type."""

    def apply(recorded: AnyRecorded) -> Iterable[Statement]:
        return handlers[type(recorded.event)](recorded)

    return apply


# ── Times in tables ───────────────────────────────────────────────────────────────────────────────


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """A time as whole microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def moment(at: int) -> datetime:
    """The time in UTC that ``micros`` made a number of."""
    return _EPOCH + timedelta(microseconds=at)
