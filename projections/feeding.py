"""One read model as the follower sees it: fed in parts, set aside when its file is in trouble.

What takes long or waits for a disk runs in the follower's own thread; rows are written on the event
loop, because sqlite3 hands the interpreter over at every row and two threads would fight for it.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from domain.decider import AnyRecorded
from projections.origin import Origin
from projections.read_model import ReadModel
from projections.turning import Followable, fulfil

log = logging.getLogger("admitone.projections")

InThread: TypeAlias = Callable[[Callable[[], None]], Coroutine[Any, Any, None]]
Read: TypeAlias = Callable[[str, int], Awaitable[Sequence[AnyRecorded]]]

CHUNK = 250
"""Events between two turns of the event loop: a few milliseconds."""
SAVE_EVERY = 8_000
"""Events after which what was staged is saved, if a second has not passed before: a page that is written
often is saved once."""
SAVE_HERE = 500
"""So many are saved without a thread: that takes a millisecond."""
CHECKPOINT_AT = 32 * 2**20
"""Bytes of the write-ahead log."""
MANY = 50_000
"""Events ahead, below which indexes are better kept up than made anew."""
RETRIES_AT_ONCE = 20
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds between two attempts to use a file that is in trouble."""


class Backoff:
    """How long to leave something alone after it failed again: from 0.1 s, doubling, to 5 s."""

    def __init__(self) -> None:
        self._pause = FIRST_PAUSE

    def next(self) -> float:
        pause, self._pause = self._pause, min(self._pause * 2, LONGEST_PAUSE)
        return pause

    def reset(self) -> None:
        self._pause = FIRST_PAUSE


class Feeding:
    """caught_up: it has shown the whole log since it was opened. trouble: why it is set aside, or None."""

    def __init__(self, model: ReadModel, in_thread: InThread) -> None:
        self.model = model
        self.caught_up = False
        self.trouble: str | None = None
        self._in_thread = in_thread
        self._staged = 0
        self._backoff = Backoff()
        self._retry_at = 0.0
        self._first_pass: asyncio.Future[None] | None = None

    @property
    def name(self) -> str:
        return self.model.projection.name

    async def claim(self, origin: Origin | None) -> None:
        """Begin anew if the model was made from another log."""
        if origin is not None and not await origin.claim(self.model):
            log.warning("read model %s was made from another log, and is rebuilt from this one", self.name)
            self.model.start_over()
            self.caught_up = False

    def begin(self, head: int) -> None:
        """Get ready for the log up to ``head``."""
        behind = head - self.model.position
        if behind > max(MANY, self.model.position) and not self.model.partial:
            self.model.leave_upkeep()

    async def stage(self, batch: Sequence[AnyRecorded]) -> None:
        """Take ``batch`` in, giving the event loop its turns, and save when it is time."""
        held = self.model.held
        if batch[-1].position <= self.model.position:
            return
        for start in range(0, len(batch), CHUNK):
            self.model.stage(batch[start : start + CHUNK])
            if len(batch) > CHUNK:
                await asyncio.sleep(0)
        self._staged += len(batch)
        if self._staged >= SAVE_EVERY or self.model.held != held:
            await self.save()

    async def save(self) -> None:
        """Make last what was staged."""
        if self.model.saved != self.model.position:
            await self._in_thread(self.model.save_all)
            self._backoff.reset()
        self._staged = 0

    async def save_for_others(self, _: None) -> None:
        """Make what was staged to be seen from other processes: a commit that waits for no disk."""
        if self._staged > SAVE_HERE:
            await self.save()
        else:
            self.model.save()
            self._staged = 0

    async def look_whether_whole(self, head: int) -> None:
        """``head``: how far the log goes now."""
        if self.model.position >= head:
            if self.model.partial:
                await self._in_thread(self.model.resume_upkeep)
            self.caught_up = True
            self.model.is_whole()

    # ── Once a second ─────────────────────────────────────────────────────────────────────────────

    async def tend(self, read: Read) -> None:
        """Save, do as operators say, try held streams again when it is time, keep the file in shape."""
        self.model.check_place()
        await self.save()
        self.model.heed_operators()
        now = self.model.now()
        due = [held for held in self.model.held if held.retry_at is not None and held.retry_at <= now]
        for held in due[:RETRIES_AT_ONCE]:
            try:
                events = await read(held.stream, held.resume_after)
            except Exception as error:  # not the model's fault: soon again
                log.warning("%s: %s cannot be read again now: %s", self.name, held.stream, error)
                break
            self.model.retry(held, events)
        await self.shorten()

    async def turn(self, store: Followable) -> None:
        """Go on with another file that was made beside this one, if somebody wishes so."""
        if self._first_pass is None:
            await fulfil(self.model, store, self._in_thread)

    async def shorten(self) -> None:
        """Move the write-ahead log into the file when it has grown long.

        A first pass does most of it beside the feed; a second, which is short, lets the log begin anew.
        """
        if self._first_pass is None:
            if self.model.unchecked_bytes() >= CHECKPOINT_AT:
                self._first_pass = asyncio.ensure_future(self._in_thread(self.model.checkpoint))
        elif self._first_pass.done():
            first_pass, self._first_pass = self._first_pass, None
            first_pass.result()
            await self._in_thread(self.model.begin_log_anew)

    async def end(self, _: None = None) -> None:
        """Save, and let nothing run on."""
        if self._first_pass is not None:
            await asyncio.wait({self._first_pass})
        if self.trouble is None:
            await self.save()

    # ── In trouble ────────────────────────────────────────────────────────────────────────────────

    def fail(self, error: Exception) -> None:
        """Set the model aside for a while; the others go on."""
        with suppress(Exception):  # reopening it begins anew in any case
            self.model.abandon()
        self.trouble = f"{type(error).__name__}: {error}"
        self._retry_at = time.monotonic() + self._backoff.next()
        log.error("read model %s is set aside: %s", self.name, self.trouble)

    def heal(self) -> bool:
        """Try to use the file again, when it is time. True if that worked."""
        if time.monotonic() < self._retry_at:
            return False
        try:
            self.model.reopen()
        except Exception as error:
            self.fail(error)
            return False
        self.trouble, self.caught_up, self._staged = None, False, 0
        return True
