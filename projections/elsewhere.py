"""A read model that another process feeds: read here, while that process lives and while it does not."""

import asyncio
import os
import sqlite3
from pathlib import Path
from typing import Any

from projections.board import Board
from projections.file import Unusable, is_files_fault
from projections.outside import Outside
from projections.projection import Projection
from projections.waiting import Waiters

LOOK = 0.002
"""Seconds between two looks at the board while somebody waits."""


class Away(Exception):
    """There is no file that could be read, or none yet. It is made again by whoever feeds it."""


class Elsewhere:
    """Asked and awaited like a ``ReadModel``. Its file may be made anew at any time."""

    def __init__(self, projection: Projection, path: Path, board: Board) -> None:
        self.projection = projection
        self._path = path
        self._board = board
        self._outside: Outside | None = None
        self._file: tuple[int, int] | None = None
        self._waiters = Waiters()
        self._watching: asyncio.Task[None] | None = None

    @property
    def position(self) -> int:
        """All events up to here are to be seen, but for streams that are held back."""
        return self._board.position(self.projection.name)

    def age(self) -> int:
        """Whole seconds since this was last known to show the whole log."""
        return self._board.age(self.projection.name)

    async def wait(self, position: int, timeout: float) -> bool:  # noqa: ASYNC109 - the wait has an outcome
        """True as soon as all events up to ``position`` are to be seen; False after ``timeout`` seconds."""
        if self.position >= position:
            return True
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch(), name=f"{self.projection.name}-watch")
        return await self._waiters.wait(position, timeout)

    async def _watch(self) -> None:
        """One look for all who wait, as long as somebody does."""
        while len(self._waiters):
            self._waiters.reached(self.position)
            await asyncio.sleep(LOOK)

    def rows(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        """What a question in SQL finds. Raises Away."""
        try:
            return self._open().rows(sql, *params)
        except (OSError, Unusable) as error:
            self._forget()
            raise Away(f"{self._path}: {error}") from error
        except sqlite3.Error as error:
            self._forget()
            if is_files_fault(error):
                raise Away(f"{self._path}: {error}") from error
            raise

    def _open(self) -> Outside:
        """The file that stands there now: one that was deleted can be read for ever."""
        found = os.stat(self._path)
        if self._outside is None or self._file != (found.st_dev, found.st_ino):
            self._forget()
            self._outside = Outside(self.projection, self._path)
            self._file = (found.st_dev, found.st_ino)
        return self._outside

    def _forget(self) -> None:
        if self._outside is not None:
            self._outside.close()
            self._outside = None

    def close(self) -> None:
        """Let go of the file. No call may follow."""
        if self._watching is not None:
            self._watching.cancel()
        self._forget()
