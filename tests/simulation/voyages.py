"""A scheduler some of whose messages really travel: in real time, and several at once."""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from random import Random
from typing import Any, Generic, TypeVar

from tests.simulation.scheduler import Call, Scheduler, Task
from tests.simulation.violation import Violation

T = TypeVar("T")

LONGEST = 30.0
"""Seconds of real time that a call may take, whatever goes wrong: it has a deadline of its own."""


class Voyage(Call[Any], Generic[T]):
    """A call whose ``effect`` sets out, and whose result comes when it comes."""

    __slots__ = ()

    def __init__(self, label: str, effect: "Callable[[], asyncio.Task[T]]") -> None:
        super().__init__(label, effect)

    def __await__(self) -> Generator[Any, Any, T]:
        reply: T = yield self
        return reply


class Voyages(Scheduler):
    """``landed``: called each time that the wire has gone on."""

    def __init__(
        self,
        rng: Random,
        story: list[str] | None,
        loop: asyncio.AbstractEventLoop,
        landed: Callable[[], None],
    ) -> None:
        super().__init__(rng, story)
        self._loop = loop
        self._landed = landed
        self._under_way: set[asyncio.Task[Any]] = set()
        """The dead's too."""
        self._waiting: dict[Task, asyncio.Task[Any]] = {}

    def launch(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        voyage = self._loop.create_task(work)
        self._under_way.add(voyage)
        voyage.add_done_callback(self._under_way.discard)
        voyage.add_done_callback(lambda ended: ended.exception())  # nobody may be left to hear of it
        return voyage

    def step(self) -> bool:
        """Move one task that can be moved; or, if all wait, the wire, until something has arrived."""
        self._go_on(asyncio.sleep(0))
        if super().step():
            return True
        if not self._under_way:
            return False
        first = asyncio.wait(set(self._under_way), timeout=LONGEST, return_when=asyncio.FIRST_COMPLETED)
        done, _ = self._go_on(first)
        if not done:
            raise Violation("every call of the store ends", f"{len(self._under_way)} are under way for ever")
        return True

    def drown(self, owner: object) -> None:
        super().drown(owner)
        self._waiting = {task: voyage for task, voyage in self._waiting.items() if task.owner is not owner}

    def _ready(self) -> list[Task]:
        return [task for task in super()._ready() if task not in self._waiting]

    def _arrive(self, task: Task, call: Call[Any]) -> None:
        if isinstance(call, Voyage):
            self._waiting[task] = call.effect()
        else:
            super()._arrive(task, call)

    def _go_on(self, work: Coroutine[Any, Any, Any]) -> Any:
        result = self._loop.run_until_complete(work)
        self._landed()
        for task, voyage in list(self._waiting.items()):
            if voyage.done():
                del self._waiting[task]
                assert task.call is not None
                resting = task.ready_at
                super()._arrive(task, Call(task.call.label, voyage.result))
                task.ready_at = max(resting, self.now)
        return result
