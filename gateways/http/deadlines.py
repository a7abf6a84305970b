"""Ends requests that take too long. One timer serves them all: a timer for each would cost 11 µs."""

import asyncio
from typing import Any


class Deadlines:
    """seconds: how long a request may take; it is ended at most a tenth later than that."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        # In the order of their beginning. None: was ended.
        self._began: dict[asyncio.Task[Any], float | None] = {}
        self._watching = False

    def begin(self) -> asyncio.Task[Any]:
        """The task that runs this has begun a request."""
        task = asyncio.current_task()
        assert task is not None
        loop = task.get_loop()
        self._began[task] = loop.time()
        if not self._watching:
            self._watching = True
            loop.call_later(self._seconds / 10, self._watch, loop)
        return task

    def is_late(self, task: asyncio.Task[Any]) -> bool:
        """Whether its cancellation was ours."""
        return self._began[task] is None

    def end(self, task: asyncio.Task[Any]) -> None:
        del self._began[task]

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        for task, began in [*self._began.items()]:
            if began is not None:
                if loop.time() - began < self._seconds:
                    break
                self._began[task] = None
                task.cancel()
        self._watching = bool(self._began)
        if self._watching:
            loop.call_later(self._seconds / 10, self._watch, loop)
