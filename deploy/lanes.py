"""Two lanes on the event loop: who only reads goes first, and everybody else takes turns.

A loop runs what is ready in the order in which it came. A purchase is thirty steps, those of many purchases
are ready together, and who only looks at a listing waits for them all, though his own step is short. Here
each turn of the loop runs the steps that go first, then the others for a slice of time, and then looks
whether somebody has come meanwhile: a reader waits for the step that is being run, and not for those behind
it. The others lose nothing but the looking (docs/decisions/0025).
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import TypeVarTuple

import uvloop

from gateways.http.turn import GOES_FIRST

SLICE = 0.0002
"""Seconds that those who wait are given in a turn; about as long as one of their steps takes."""
LATELY = 1.0
"""Seconds after which a reader is forgotten. While nobody reads nobody is waited for, and all have their turn
together: a crowd at one ticket is answered a tenth faster so."""

Args = TypeVarTuple("Args")


class Step(asyncio.Handle):
    """A callback that waits in a lane for its turn."""

    __slots__ = ()

    def take(self) -> None:
        """Call back, unless that was cancelled. What it raises goes to the loop's exception handler."""
        if not self._cancelled:
            self._run()


class Lanes:
    """Steps that are ready, in two queues: those that go first, and the others."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._first: deque[Step] = deque()
        self._others: deque[Step] = deque()
        self._last_read = float("-inf")

    def __bool__(self) -> bool:
        return bool(self._first or self._others)

    def join(self, step: Step, *, first: bool) -> None:
        """Wait behind those who came before in the same lane."""
        (self._first if first else self._others).append(step)

    def turn(self) -> None:
        """Take the steps that go first, then as many of the others as their time allows, and at least one.

        Steps that join meanwhile wait for the next turn.
        """
        began = self._clock()
        if self._first:
            self._last_read = began
            for _ in range(len(self._first)):
                self._first.popleft().take()
        ends = self._end_of_turn(began)
        for _ in range(len(self._others)):
            self._others.popleft().take()
            if self._clock() >= ends:
                return

    def _end_of_turn(self, began: float) -> float:
        """A slice from now; or as long as those who went first took, who could starve the others else."""
        now = self._clock()
        if now - self._last_read > LATELY:
            return float("inf")
        return now + max(SLICE, now - began)


class LanedLoop(uvloop.Loop):
    """uvloop, whose ready callbacks wait in two lanes.

    What uvloop itself calls (arrived bytes, timers, signals, other threads) goes before both, as that is
    short and mostly makes a step ready. Order is kept within a lane only, and ``stop`` does not wait for all
    that is ready: what is left is called when the loop runs again.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lanes = Lanes()
        self._context = Context()
        self._turn_is_due = False

    def call_soon(
        self, callback: Callable[[*Args], object], *args: *Args, context: Context | None = None
    ) -> asyncio.Handle:
        """As of any loop; raises RuntimeError when it is closed."""
        if context is None:
            context = copy_context()
        step = Step(callback, args, self, context)
        if not self._turn_is_due:
            self._await_turn()
        self._lanes.join(step, first=context.get(GOES_FIRST, False))
        return step

    def close(self) -> None:
        """As of any loop: what has not been called by now never is."""
        super().close()
        self._turn_is_due = False  # first: what is dropped may call back, and has to hear that it is too late
        self._lanes = Lanes()

    def _await_turn(self) -> None:
        super().call_soon(self._turn, context=self._context)
        self._turn_is_due = True

    def _turn(self) -> None:
        self._turn_is_due = False
        try:
            self._lanes.turn()
        finally:  # a step that ends the process must not end the loop that has to clean up
            if self._lanes and not self._turn_is_due:
                self._await_turn()
