"""A log in memory: what every event store does, with nothing between the caller and the truth."""

from collections.abc import Sequence
from uuid import UUID

from domain.decider import AnyProposed, AnyRecorded, Recorded
from processmanager.ports import WrongRevision
from tests.simulation.violation import Violation

ONE_EVENT = "an event id stands for one event"


class Log:
    """All events in the order of their positions, which count from 1, and each stream by itself."""

    def __init__(self) -> None:
        self.facts: list[AnyRecorded] = []
        self.streams: dict[str, list[AnyRecorded]] = {}
        self.repeats = 0
        self.conflicts = 0

    @property
    def head(self) -> int:
        """The position of the last event; 0 if there is none."""
        return len(self.facts)

    def read(self, stream: str, after: int = -1) -> list[AnyRecorded]:
        return self.streams.get(stream, [])[after + 1 :]

    def append(self, stream: str, events: Sequence[AnyProposed], expected: int) -> int:
        """As the port has it. Raises WrongRevision."""
        facts = self.streams.get(stream, [])
        standing = facts[expected + 1 : expected + 1 + len(events)]
        if standing and _ids(standing) == _ids(events):
            self.repeats += 1
            if [fact.event for fact in standing] != [proposed.event for proposed in events]:
                raise Violation(ONE_EVENT, f"{events} have the ids of {standing}")
            return standing[-1].position
        if len(facts) - 1 != expected:
            self.conflicts += 1
            raise WrongRevision(f"{stream} is at {len(facts) - 1}, expected {expected}")
        for proposed in events:
            fact = Recorded(
                stream, len(facts), len(self.facts) + 1, proposed.id, proposed.event, proposed.metadata
            )
            facts.append(fact)
            self.facts.append(fact)
        if facts:
            self.streams[stream] = facts
        return facts[-1].position if facts else 0


def _ids(events: Sequence[AnyProposed] | Sequence[AnyRecorded]) -> list[UUID]:
    return [event.id for event in events]
