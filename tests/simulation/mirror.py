"""The double's log as the simulation's: decoded, and with positions that count from 1."""

from msgspec.structs import replace

from domain.decider import AnyRecorded, Recorded
from domain.deciders import DECIDERS
from gateways.codec import Codec
from tests.eventstoredb import log as doubles
from tests.simulation.log import Log
from tests.simulation.violation import Violation

IN_LOG = "what the store says is in its log"
_CATEGORIES = {decider.category for decider in DECIDERS}


class Mirror(Log):
    """Up to date whenever ``catch_up`` was called last."""

    def __init__(self, source: doubles.Log) -> None:
        super().__init__()
        self._source = source
        self._codec = Codec()
        self._read = 0
        self._places: dict[int, int] = {}

    def catch_up(self) -> None:
        """Take over what was written since."""
        new = self._source.records[self._read :]
        self._read += len(new)
        for record in new:
            if record.stream.partition("-")[0] in _CATEGORIES:
                event, metadata = self._codec.decode(record.type, record.event.data, record.event.metadata)
                place = len(self.facts) + 1
                fact = Recorded(record.stream, record.revision, place, record.id, event, metadata)
                self._places[record.position] = place
                self.facts.append(fact)
                self.streams.setdefault(fact.stream, []).append(fact)

    def place(self, position: int) -> int:
        """Which event of ours stands at a position of the store's. Raises Violation if none does."""
        self.catch_up()
        try:
            return self._places[position]
        except KeyError:
            raise Violation(IN_LOG, f"nothing stands at position {position}") from None

    def placed(self, fact: AnyRecorded) -> AnyRecorded:
        """What the store gave, with its place as position. Raises Violation if it is not what is there."""
        there = replace(fact, position=self.place(fact.position))
        if there != self.facts[there.position - 1]:
            raise Violation(IN_LOG, f"{there} was given for {self.facts[there.position - 1]}")
        return there
