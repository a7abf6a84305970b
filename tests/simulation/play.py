"""Plays one history, or many on all cores, and says what came of them."""

import logging
import os
import traceback
from collections import Counter
from collections.abc import Iterator
from multiprocessing import get_context

from msgspec import Struct, field

from tests.simulation.checkers import check
from tests.simulation.history import History
from tests.simulation.paths import walked
from tests.simulation.process import Parts
from tests.simulation.violation import Violation
from tests.simulation.words import Words
from tests.simulation.world import Outside

UNEXPECTED = "nothing unexpected is raised"
BATCH = 50
"""Histories that one core plays between two reports."""


class Failure(Struct, frozen=True):
    seed: str
    invariant: str
    what: str
    option: str = ""

    def __str__(self) -> str:
        return f"{self.invariant}: {self.what}\n\nreplay it with: {replay_command(self.seed)}{self.option}"


class Played(Struct):
    """What came of some histories."""

    histories: int = 0
    steps: int = 0
    facts: int = 0
    paths: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = []

    def add(self, other: "Played") -> None:
        self.histories += other.histories
        self.steps += other.steps
        self.facts += other.facts
        self.paths += other.paths
        self.failures += other.failures


def seed_of(run: int, number: int) -> str:
    """The seed of a history: its run, and its number there."""
    return f"{run}/{number}"


def replay_command(seed: str) -> str:
    return f".venv/bin/python -m tests.simulation --replay {seed}"


def play(
    seed: str,
    parts: Parts | None = None,
    story: list[str] | None = None,
    outside: type[Outside] = Outside,
) -> Played:
    """One history from beginning to end, with everything checked. ``outside``: what it is played on."""
    history = History(seed, parts, story, outside)
    played = Played(histories=1)
    try:
        history.play()
        words = check(history)
        played.paths = Counter(walked(history, words))
    except Violation as violation:
        deeper = _first_wrong_word(history) or violation
        played.failures = [Failure(seed, deeper.invariant, deeper.what, outside.option)]
    except Exception:
        played.failures = [Failure(seed, UNEXPECTED, traceback.format_exc(), outside.option)]
    finally:
        history.close()
    played.steps, played.facts = history.scheduler.steps, history.log.head
    return played


def _first_wrong_word(history: History) -> Violation | None:
    """What does not come to rest, or comes too late, often began with an event that should not stand."""
    try:
        Words().read(history.log.facts)
    except Violation as violation:
        return violation
    return None


def play_range(
    run: int, first: int, count: int, parts: Parts | None = None, outside: type[Outside] = Outside
) -> Played:
    """``count`` histories of ``run`` from number ``first`` on, up to the first that fails."""
    total = Played()
    for number in range(first, first + count):
        total.add(play(seed_of(run, number), parts, outside=outside))
        if total.failures:
            break
    return total


def play_all(run: int, count: int, workers: int, outside: type[Outside] = Outside) -> Iterator[Played]:
    """``count`` histories on ``workers`` cores, reported in batches as they are done."""
    jobs = [(run, first, min(BATCH, count - first), outside) for first in range(0, count, BATCH)]
    with get_context("spawn").Pool(workers, initializer=quiet) as pool:
        yield from pool.imap_unordered(_job, jobs)


def _job(job: tuple[int, int, int, type[Outside]]) -> Played:
    run, first, count, outside = job
    return play_range(run, first, count, outside=outside)


def quiet() -> None:
    """What goes wrong here is meant to: the house's own complaints would only be in the way."""
    logging.getLogger("admitone").setLevel(logging.CRITICAL + 1)


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
