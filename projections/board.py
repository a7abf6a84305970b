"""The board: what the process that feeds the read models tells the processes that only read them.

How far each read model is to be seen, and how all is, in a little memory that they share through a
file. A position moves without a commit when nothing of interest happened, so the read models' own files
could not say it; and looking here costs no question in SQL.
"""

import mmap
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from zlib import crc32

LAYOUT = 1
SIZE = 16384
TEXT_AT = 1024
STALE = 2.0
"""Seconds without a sign of life after which whoever feeds counts as dead or stuck."""
LOOK_AGAIN = 0.1
"""Seconds between two looks whether a silent board has been replaced by another."""

# Words of eight bytes, each written in one piece. All times are of the machine's monotonic clock, in ns.
_WHOSE, _BEAT, _EDITION, _LENGTH, _MODELS = range(5)


def _whose(names: Sequence[str]) -> int:
    """Equal for processes that mean the same by each word."""
    return crc32(f"{LAYOUT} {' '.join(names)}".encode())


def _map(path: Path, how: int) -> mmap.mmap:
    handle = os.open(path, how | os.O_CLOEXEC, 0o600)
    try:
        if how & os.O_CREAT:
            os.ftruncate(handle, SIZE)
        writes = mmap.PROT_WRITE if how & os.O_RDWR else 0
        return mmap.mmap(handle, SIZE, prot=mmap.PROT_READ | writes)
    finally:
        os.close(handle)


class Writer:
    """The board as one process writes it. ``names``: the read models."""

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        """Raises OSError."""
        self._places = {name: _MODELS + 2 * number for number, name in enumerate(names)}
        self._page = memoryview(_map(path, os.O_RDWR | os.O_CREAT))
        self._words = self._page.cast("q")
        self._words[_WHOSE] = 0
        for place in range(_BEAT, _MODELS + 2 * len(names)):
            self._words[place] = 0
        self._words[_WHOSE] = _whose(names)

    def show(self, name: str, position: int, age: int) -> None:
        """All events up to ``position`` are in the file of ``name``; ``age``: as ``ReadModel.age``."""
        place = self._places[name]
        self._words[place] = position
        self._words[place + 1] = time.monotonic_ns() - age * 10**9

    def shown(self) -> int:
        """Up to where all of them are to be seen."""
        return min(self._words[place] for place in self._places.values())

    def beat(self, words: bytes) -> None:
        """Give a sign of life, and say how all is."""
        words = words[: SIZE - TEXT_AT]
        self._words[_EDITION] += 1  # odd: not to be read
        self._page[TEXT_AT : TEXT_AT + len(words)] = words
        self._words[_LENGTH] = len(words)
        self._words[_EDITION] += 1
        self._words[_BEAT] = time.monotonic_ns()


class Board:
    """The board as others read it. Nothing here raises: a board that is not there says nothing."""

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self._path = path
        self._whose = _whose(names)
        self._places = {name: _MODELS + 2 * number for number, name in enumerate(names)}
        self._page = memoryview(bytes(SIZE))
        self._words = self._page.cast("q")
        self._look_at = 0.0

    def position(self, name: str) -> int:
        """Up to where ``name`` is to be seen; 0 if nobody says so."""
        return self._current()[self._places[name]]

    def age(self, name: str) -> int:
        """Whole seconds since ``name`` was last known to show the whole log; 0 if nobody knows."""
        since = self._current()[self._places[name] + 1]
        return max(0, time.monotonic_ns() - since) // 10**9 if since else 0

    def silence(self) -> float | None:
        """Seconds since the last sign of life; None if there was none."""
        beat = self._current()[_BEAT]
        return (time.monotonic_ns() - beat) / 1e9 if beat else None

    def said(self) -> bytes:
        """What was said with the last sign of life."""
        words = self._current()
        for _ in range(100):
            edition = words[_EDITION]
            text = bytes(self._page[TEXT_AT : TEXT_AT + words[_LENGTH]])
            if edition == words[_EDITION] and edition % 2 == 0:
                return text
        return b""

    def _current(self) -> memoryview:
        """The words, of another file if the one that we know has fallen silent."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_AGAIN
            if time.monotonic_ns() - self._words[_BEAT] > STALE * 1e9 or self._words[_WHOSE] != self._whose:
                self._open()
        return self._words

    def _open(self) -> None:
        page = memoryview(bytes(SIZE))
        with suppress(OSError, ValueError):
            found = memoryview(_map(self._path, os.O_RDONLY))
            if found.cast("q")[_WHOSE] == self._whose:
                page = found
        self._page, self._words = page, page.cast("q")
