"""Where log lines go: those that can wait go out together, those that tell of trouble at once.

A write for each line is a system call for each request, and wakes whoever reads the log as often.
"""

import asyncio
import atexit
from contextlib import suppress
from threading import Lock
from time import monotonic
from typing import BinaryIO

WAIT = 0.05
"""Seconds that a line waits at most while an event loop runs; without one it does not wait."""

MOST_WAITING = 500
"""Lines. One more, and all are written."""


class Lines:
    """Writes lines to ``out`` in the order in which they came. May be called from any thread."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._lock = Lock()
        self._waiting: list[bytes] = []
        self._due = 0.0
        atexit.register(self.flush)

    def soon(self, line: bytes) -> None:
        """Write a line within WAIT seconds."""
        with self._lock:
            self._waiting.append(line)
            count, now = len(self._waiting), monotonic()
            if count == 1:
                self._due = now + WAIT
        if (count == 1 and not self._set_timer()) or count >= MOST_WAITING or now > self._due:
            self.flush()

    def now(self, line: bytes) -> None:
        """Write a line, and all that wait before it."""
        with self._lock:
            self._waiting.append(line)
        self.flush()

    def flush(self) -> None:
        """Write what waits. Where that cannot be written nobody can be told, and work goes on."""
        with self._lock, suppress(OSError, ValueError):
            lines, self._waiting = self._waiting, []
            if lines:
                self._out.write(b"\n".join((*lines, b"")))
                self._out.flush()

    def _set_timer(self) -> bool:
        try:
            asyncio.get_running_loop().call_later(WAIT, self.flush)
        except RuntimeError:  # no loop, or it is over
            return False
        return True
