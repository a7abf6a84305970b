"""Faults on demand. A test sets them over the control API; each strikes some calls of some operation."""

import asyncio
from fnmatch import fnmatchcase
from typing import Literal

from msgspec import Struct

Action = Literal[
    "lose_request",
    "lose_reply",
    "error",
    "slow",
    "slow_reply",
    "hold",
    "hold_reply",
    "die_before",
    "die_after",
]


class Fault(Struct, kw_only=True):
    """One fault that waits for its calls.

    operation: such as ``payment_intents.capture``; ``*`` and ``?`` stand for anything.
    contains: only calls whose path, key or body has this text, such as an order's id.
    action: ``lose_request``: cut the line, nothing is done. ``lose_reply``: do it, then cut the line.
      ``error``: answer ``status``; a 500 is kept under the key, a 409 or 429 is not. ``slow``: wait for
      ``seconds`` before doing it, ``slow_reply`` after it; ``hold`` and ``hold_reply``: until the faults
      are cleared. ``die_before``, ``die_after``: SIGKILL itself
      before the call is done, or between the commit and the answer.
    done: with a 500, whether the call is done nevertheless.
    reset: whether a cut line is reset, instead of closed without an answer.
    skip: how many calls it lets pass first; times: how many it strikes, None: all.
    """

    operation: str = "*"
    action: Action
    contains: str = ""
    status: int = 500
    code: str | None = None
    done: bool = False
    reset: bool = False
    seconds: float = 0.0
    retry_after: int | None = None
    skip: int = 0
    times: int | None = 1
    struck: int = 0

    def strikes(self, operation: str, text: str) -> bool:
        """Whether it is this call's turn. Counts, so it must be asked once a call."""
        if self.times is not None and self.struck >= self.times:
            return False
        if not fnmatchcase(operation, self.operation) or self.contains not in text:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.struck += 1
        return True


class Faults:
    """The faults that are set. At most one strikes a call: the first that was set."""

    def __init__(self) -> None:
        self.all: list[Fault] = []
        self._cleared = asyncio.Event()

    def add(self, fault: Fault) -> None:
        self.all.append(fault)

    def clear(self) -> None:
        """None strikes any more, and what they hold goes on."""
        self.all.clear()
        self._cleared.set()
        self._cleared = asyncio.Event()

    async def hold(self) -> None:
        """Wait until they are cleared."""
        await self._cleared.wait()

    def strike(self, operation: str, text: str) -> Fault | None:
        return next((fault for fault in self.all if fault.strikes(operation, text)), None)
