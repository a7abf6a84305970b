"""What runs beside the requests, by name: ended in order, and asked whether it still runs."""

import asyncio
from collections.abc import Coroutine
from logging import getLogger
from typing import Any

log = getLogger("admitone.background")


class Background:
    """Tasks that should run until they are told to end."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(_note)
        self._tasks[name] = task

    def check(self, name: str) -> str | None:
        """None while ``name`` runs, else one line that says that it does not."""
        task = self._tasks.get(name)
        return None if task is not None and not task.done() else f"the {name} does not run"

    async def end(self) -> None:
        """End all, the last begun first."""
        while self._tasks:
            _, task = self._tasks.popitem()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _note(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("the %s broke off", task.get_name(), exc_info=error)
