"""The world of one history: two processes, the log, the provider, the people, and what can befall them."""

from random import Random

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


class World:
    """``rng`` decides everything. ``story``: a list that is given a line for each thing that happens."""

    def __init__(self, rng: Random, parts: Parts, story: list[str] | None) -> None:
        self.rng = rng
        self.scheduler = Scheduler(rng, story)
        self.weather = Weather(rng)
        self.log = Log()
        self.deadlines = Deadlines(self.log, self.scheduler)
        self.provider = Provider(self.log, self.deadlines, self.weather, self.scheduler)
        store = SimulatedStore(self.log, self.deadlines, self.weather, self.scheduler)
        self.processes = [
            Process(number, self.log, store, self.provider, self.scheduler, parts) for number in (1, 2)
        ]
        self.people = People(rng, self.log)
        self.errands: list[Errand] = []

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
