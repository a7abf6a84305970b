"""Lists as they were: which position a time means, and a list's rows at a position, for whoever asks.

What takes long runs in a thread of its own. All of one list is kept in memory for a while and moved from
position to position, by one asker at a time; the few rows of one owner are made for each who asks.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from projections.elsewhere import Away
from projections.file import Unusable, is_files_fault
from projections.glimpse import Glimpse, file_at
from projections.outside import Outside, Readable
from projections.projection import Projection, micros, moment
from projections.temporal import Kept

T = TypeVar("T")

PATIENCE = 2.0
"""Seconds to wait until what is asked for has been remembered."""
LOOK = 0.02
"""Seconds between two looks whether it has."""
MOST = 16
"""Askers for the whole of a list who may wait for one another."""
IDLE = 300.0
"""Seconds after which a whole list that nobody asks for is let go of."""

_AFTER = "SELECT position FROM moment WHERE at > ? ORDER BY at LIMIT 1"
_FIRST = "SELECT at FROM moment ORDER BY position LIMIT 1"
_TIME = "SELECT at FROM moment WHERE position <= ? ORDER BY position DESC LIMIT 1"


class NotThere(Exception):
    """Nothing had been recorded by that time."""


class Past:
    """reaches: whether the log goes as far as a position."""

    def __init__(self, temporal: Projection, path: Path, reaches: Callable[[int], Awaitable[bool]]) -> None:
        self._temporal = temporal
        self._path = path
        self._reaches = reaches
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="past")
        self._whole: dict[str, Glimpse] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        self._waiting = 0
        self._expiries: dict[str, asyncio.TimerHandle] = {}

    def close(self) -> None:
        """Let go of everything. No call may follow."""
        for name in [*self._whole]:
            self._let_go(name)
        self._threads.shutdown(wait=True, cancel_futures=True)

    # ── Times ─────────────────────────────────────────────────────────────────────────────────────

    async def position_at(self, at: datetime) -> int:
        """The last position before the first fact that was recorded after ``at``. Raises NotThere, Away."""
        ends = asyncio.get_running_loop().time() + PATIENCE
        while True:
            position = self._settled(at)
            if position is not None:
                return position
            with self._looking() as outside:
                position = outside.position
            if not await self._reaches(position + 1):
                return self._all_by(at, position)
            if asyncio.get_running_loop().time() >= ends:
                raise Away("what happened last has not been remembered yet")
            await asyncio.sleep(LOOK)

    def _settled(self, at: datetime) -> int | None:
        """The position, if something is known that was recorded later."""
        with self._looking() as outside:
            first = outside.rows(_FIRST)
            if first and micros(at) < first[0][0]:
                raise NotThere
            found = outside.rows(_AFTER, micros(at))
        return found[0][0] - 1 if found else None

    def _all_by(self, at: datetime, position: int) -> int:
        if position == 0:
            raise NotThere
        settled = self._settled(at)  # something may have been recorded since the first look
        return position if settled is None else settled

    async def time_at(self, position: int) -> datetime:
        """The latest time that anything up to ``position`` was recorded at. Raises NotThere, Away."""
        await self._remembered(position)
        with self._looking() as outside:
            found = outside.rows(_TIME, position)
        if not found:
            raise NotThere
        return moment(found[0][0])

    # ── Lists ─────────────────────────────────────────────────────────────────────────────────────

    @asynccontextmanager
    async def of_owner(self, kept: Kept, owner: str, position: int) -> AsyncIterator[Readable]:
        """What was ``owner``'s at ``position``, for as long as the block lasts. Raises Away."""
        await self._remembered(position)
        with _away(self._path), closing(Glimpse(self._temporal, kept, self._path)) as glimpse:
            await self._in_thread(glimpse, partial(glimpse.fill, position, owner))
            yield glimpse

    @asynccontextmanager
    async def whole(self, kept: Kept, position: int) -> AsyncIterator[Readable]:
        """All that there was at ``position``, for as long as the block lasts. Raises Away."""
        await self._remembered(position)
        if self._waiting >= MOST:
            raise Away("too many ask for the past at once")
        name = kept.table
        self._waiting += 1
        try:
            async with self._turns.setdefault(name, asyncio.Lock()):
                with _away(self._path):
                    glimpse = self._glimpse(kept)
                    await self._in_thread(glimpse, partial(glimpse.move, position))
                    yield glimpse
                self._forget_later(name)
        finally:
            self._waiting -= 1

    async def _remembered(self, position: int) -> None:
        """Wait until everything up to ``position`` is. Raises Away when that takes too long."""
        ends = asyncio.get_running_loop().time() + PATIENCE
        while True:
            with self._looking() as outside:
                reached = outside.position
            if reached >= position:
                return
            if asyncio.get_running_loop().time() >= ends:
                raise Away(f"what happened behind position {reached} has not been remembered yet")
            await asyncio.sleep(LOOK)

    def _glimpse(self, kept: Kept) -> Glimpse:
        """The one that is kept, unless the file has been made anew since."""
        found = self._whole.get(kept.table)
        if found is not None and found.file != file_at(self._path):
            self._let_go(kept.table)
            found = None
        if found is None:
            found = self._whole[kept.table] = Glimpse(self._temporal, kept, self._path)
        return found

    def _forget_later(self, name: str) -> None:
        if (expiry := self._expiries.pop(name, None)) is not None:
            expiry.cancel()
        self._expiries[name] = asyncio.get_running_loop().call_later(IDLE, self._expire, name)

    def _expire(self, name: str) -> None:
        if self._turns[name].locked():
            self._forget_later(name)
        else:
            self._let_go(name)

    def _let_go(self, name: str) -> None:
        if (expiry := self._expiries.pop(name, None)) is not None:
            expiry.cancel()
        if (glimpse := self._whole.pop(name, None)) is not None:
            glimpse.close()

    # ── How ───────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def _looking(self) -> Iterator[Outside]:
        with _away(self._path), closing(Outside(self._temporal, self._path)) as outside:
            yield outside

    async def _in_thread(self, glimpse: Glimpse, work: Callable[[], T]) -> T:
        """Run ``work`` in a thread, which has the connection until it ends; cancelled, it ends soon."""
        done = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            glimpse.interrupt()
            await asyncio.wait({done})
            glimpse.position = None
            raise


@contextmanager
def _away(path: Path) -> Iterator[None]:
    """Raises Away for whatever keeps the file from being read."""
    try:
        yield
    except (OSError, Unusable) as error:
        raise Away(f"{path}: {error}") from error
    except sqlite3.Error as error:
        if is_files_fault(error):
            raise Away(f"{path}: {error}") from error
        raise
