"""The world of one history: two processes, the log, the provider, the people, and what can befall them."""

from random import Random

from processmanager.ports import EventStore
from tests.simulation.deadlines import Deadlines
from tests.simulation.errand import Errand
from tests.simulation.log import Log
from tests.simulation.people import People
from tests.simulation.process import Parts, Process
from tests.simulation.provider import Provider
from tests.simulation.read_models import put_back
from tests.simulation.scheduler import Scheduler
from tests.simulation.store import SimulatedStore
from tests.simulation.weather import Weather

SECOND = 1_000
"""In milliseconds of virtual time."""


class Outside:
    """What a history is played on: a log in memory, and a network to it that is played as well.

    scheduler: moves messages and time. weather: what goes wrong. log: all that was written, as it is now.
    """

    option = ""
    """What ``python -m tests.simulation`` must be told to play on this."""

    def __init__(self, rng: Random, story: list[str] | None) -> None:
        self.scheduler = Scheduler(rng, story)
        self.weather = Weather(rng)
        self.log = Log()

    def store(self, process: int, deadlines: Deadlines) -> EventStore:
        """The log, as that process reaches it."""
        return SimulatedStore(self.log, deadlines, self.weather, self.scheduler)

    def heard(self, process: int) -> Log:
        """The log, as far as that process has been told of it. Its read models are fed from this."""
        return self.log

    def close(self) -> None:
        """Let go of it."""


class World:
    """``rng`` decides everything. ``story``: a list that is given a line for each thing that happens."""

    def __init__(self, rng: Random, parts: Parts, story: list[str] | None, outside: type[Outside]) -> None:
        self.rng = rng
        self._outside = outside(rng, story)
        self.scheduler, self.weather = self._outside.scheduler, self._outside.weather
        self.log = self._outside.log
        self.deadlines = Deadlines(self.log, self.scheduler)
        self.provider = Provider(self.log, self.deadlines, self.weather, self.scheduler)
        self.processes = [self._process(number, parts) for number in (1, 2)]
        self.people = People(rng, self.log)
        self.errands: list[Errand] = []

    def _process(self, number: int, parts: Parts) -> Process:
        heard, store = self._outside.heard(number), self._outside.store(number, self.deadlines)
        return Process(number, heard, store, self.provider, self.scheduler, parts)

    def any_process(self) -> Process:
        return self.rng.choice(self.processes)

    def send(self, errand: Errand, process: Process | None = None) -> None:
        """Somebody gives a command to a process, any if none is named."""
        process = process or self.any_process()
        self.errands.append(errand)
        self.scheduler.spawn(
            f"{process.name}: {errand.what}", process, errand.run(process, self.log, self.provider)
        )

    def close(self) -> None:
        """Let go of what was still on its way, and of the read models."""
        for process in self.processes:
            self.scheduler.drown(process)
        for process in self.processes:
            put_back(process.model)
        self._outside.close()
