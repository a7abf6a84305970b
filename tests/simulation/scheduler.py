"""Chance and virtual time: coroutines moved by hand, one message at a time.

The code under test awaits nothing but its ports. Each call of a port is a ``Call``: a message that
reaches the outside when the scheduler lets it, and whose answer comes back when the scheduler lets it.
So anything may happen between any read and any append, and a seed repeats all of it exactly.
"""

from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Generic, TypeVar

from processmanager.ports import OutcomeUnknown, PaymentsUnavailable, StoreUnavailable, WrongRevision

R = TypeVar("R")

BEGINNING = datetime(2026, 11, 22, tzinfo=UTC)
_ANSWERS = (WrongRevision, StoreUnavailable, OutcomeUnknown, PaymentsUnavailable)
"""What a port may raise. Anything else is a fault of the simulation or of the code under test."""


class Call(Generic[R]):
    """One call of a port. ``effect`` is what it does outside; ``there`` and ``back`` are milliseconds."""

    __slots__ = ("back", "effect", "label", "there")

    def __init__(self, label: str, effect: Callable[[], R], there: int = 0, back: int = 0) -> None:
        self.label = label
        self.effect = effect
        self.there = there
        self.back = back

    def __await__(self) -> Generator[Any, Any, R]:
        reply: R = yield self
        return reply


class Task:
    """A coroutine on its way, and the message that it waits for."""

    __slots__ = ("arrived", "call", "coroutine", "error", "name", "owner", "ready_at", "reply")

    def __init__(self, name: str, owner: object, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.name = name
        self.owner = owner
        self.coroutine = coroutine
        self.call: Call[Any] | None = None
        self.arrived = False
        self.reply: Any = None
        self.error: BaseException | None = None
        self.ready_at = 0


class Scheduler:
    """Moves tasks and time. ``now`` is in milliseconds from the beginning."""

    def __init__(self, rng: Random, story: list[str] | None = None) -> None:
        self.rng = rng
        self.now = 0
        self.steps = 0
        self.tasks: list[Task] = []
        self.adrift: list[Call[Any]] = []
        """Messages whose sender has died: they may still arrive."""
        self.ashore = 0
        self.suspensions = 0
        self._story = story

    # ── Time ──────────────────────────────────────────────────────────────────────────────────────

    def advance(self, to: int) -> None:
        self.now = max(self.now, to)

    def tell(self, line: str) -> None:
        """Add a line to the story, if anybody wants to hear it."""
        if self._story is not None:
            self._story.append(f"{moment(self.now)}  {line}")

    # ── Tasks ─────────────────────────────────────────────────────────────────────────────────────

    def spawn(self, name: str, owner: object, coroutine: Coroutine[Any, Any, Any]) -> None:
        task = Task(name, owner, coroutine)
        task.ready_at = self.now
        self.tasks.append(task)
        self.tell(f"{name} begins")

    def step(self) -> bool:
        """Move one task that can be moved, any; False if all of them wait for time to pass."""
        ready = self._ready()
        if not ready:
            return False
        self.steps += 1
        task = ready[int(self.rng.random() * len(ready))]
        if task.call is None or task.arrived:
            self._resume(task)
        else:
            self._arrive(task, task.call)
        return True

    def _ready(self) -> list[Task]:
        return [task for task in self.tasks if task.ready_at <= self.now]

    def suspend(self, owner: object, pause: int) -> None:
        """Leave every task of ``owner`` where it is for a while."""
        self.suspensions += 1
        self.tell(f"{owner} stops for {pause} ms")
        for task in self.tasks:
            if task.owner is owner:
                task.ready_at = max(task.ready_at, self.now + pause)

    def drown(self, owner: object) -> None:
        """Drop every task of ``owner`` wherever it is. What was on its way may still arrive, or not."""
        for task in [task for task in self.tasks if task.owner is owner]:
            self.tasks.remove(task)
            if task.call is not None and not task.arrived and self.rng.random() < 0.5:
                self.adrift.append(task.call)
            task.coroutine.close()

    def wash_ashore(self) -> None:
        """Let one message of a dead sender arrive."""
        self.ashore += 1
        call = self.adrift.pop(int(self.rng.random() * len(self.adrift)))
        with suppress(*_ANSWERS):
            call.effect()
        self.tell(f"a message of the dead arrives: {call.label}")

    def _arrive(self, task: Task, call: Call[Any]) -> None:
        try:
            task.reply = call.effect()
            if self._story is not None:
                self.tell(f"{task.name}: {call.label} → {_brief(task.reply)}")
        except _ANSWERS as error:
            task.error = error
            self.tell(f"{task.name}: {call.label} → {type(error).__name__}: {error}")
        task.arrived = True
        task.ready_at = self.now + call.back

    def _resume(self, task: Task) -> None:
        error, task.error = task.error, None
        try:
            call = task.coroutine.throw(error) if error else task.coroutine.send(task.reply)
        except StopIteration:
            self.tasks.remove(task)
            return
        task.call, task.arrived, task.reply = call, False, None
        task.ready_at = self.now + call.there


class VirtualClock:
    """The Clock port over virtual time. ``skew``: how many milliseconds this process is ahead."""

    def __init__(self, scheduler: Scheduler, skew: int) -> None:
        self._scheduler = scheduler
        self._skew = skew

    def now(self) -> datetime:
        return instant(self._scheduler.now + self._skew)


def instant(now: int) -> datetime:
    return BEGINNING + timedelta(milliseconds=now)


def milliseconds(at: datetime) -> int:
    """The virtual time of a moment, rounded up: at it, the moment has come."""
    return -((BEGINNING - at) // timedelta(milliseconds=1))


def moment(now: int) -> str:
    return f"{now // 60_000:4d}:{now % 60_000 / 1000:06.3f}"


def _brief(reply: Any) -> str:
    if isinstance(reply, list):
        return ", ".join(type(fact.event).__name__ for fact in reply) or "nothing"
    return str(reply)
