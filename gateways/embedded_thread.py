"""One thread for what blocks, nearer to the event loop than an executor is.

A round trip costs the loop a third of what ``run_in_executor`` does, which counts because every commit
makes one. The thread is a daemon: a commit that hangs with the disk does not keep the process alive.
"""

import asyncio
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")

_Job: TypeAlias = tuple[Callable[..., Any], tuple[Any, ...], "asyncio.Future[Any]"]


class LoopThread:
    """Does one call after the other, and answers on the event loop that it was made on."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        Thread(target=self._run, name=name, daemon=True).start()

    def call(self, work: Callable[..., T], *args: Any) -> "asyncio.Future[T]":
        """The future result of ``work(*args)``, or what it raised."""
        answer: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put((work, args, answer))
        return answer

    def stop(self) -> None:
        """End the thread once it has done what it was given."""
        self._jobs.put(None)

    def _run(self) -> None:
        while job := self._jobs.get():
            work, args, answer = job
            result, failure = None, None
            try:
                result = work(*args)
            except Exception as error:
                failure = error
            try:
                self._loop.call_soon_threadsafe(_settle, answer, result, failure)
            except RuntimeError:  # the loop is closed, so nobody waits for anything any more
                return


def _settle(answer: "asyncio.Future[Any]", result: Any, error: Exception | None) -> None:
    if answer.done():
        return
    if error is None:
        answer.set_result(result)
    else:
        answer.set_exception(error)
