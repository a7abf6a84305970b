"""The follower: one process's read models, fed from one reading of the log.

It begins where the model that is furthest behind stands; the others ignore what they have. A feed that
ends or fails is begun anew, a model whose file is in trouble is set aside, and neither stops the rest.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Protocol, TypeAlias, TypeVar

from msgspec import Struct

from domain.decider import AnyRecorded
from projections.feeding import Backoff, Feeding
from projections.origin import Origin
from projections.read_model import ReadModel

log = logging.getLogger("admitone.projections")

LINGER = 0.008
"""Seconds that events are gathered while nobody waits for them: many at once cost less than each alone."""
LONGEST_LINGER = 0.05
"""The same while there is much to show: far below what a list waits for its reader's own writes."""
RESTING = 3
"""Where others share the machine, events are gathered so many times as long as the last ones took to show:
then requests have the processors, and what comes faster is shown in larger batches, which cost less."""
BEAT = 1.0
"""Seconds between two looks at what wants tending."""
MANY = 500
"""Events in a batch that is not worth lingering for more."""
MOST_GATHERED = 1_000
"""Events that are taken together."""
WAITING = 8
"""Batches that are read ahead."""

Batch: TypeAlias = Sequence[AnyRecorded]
Inbox: TypeAlias = "asyncio.Queue[Batch]"


T = TypeVar("T")


class Log(Protocol):
    """What the follower needs of the event store."""

    async def read(self, stream: str, after: int = -1) -> Batch: ...

    def follow(self, after: int = 0) -> AsyncIterator[Batch]: ...

    def head(self) -> int: ...


class Progress(Struct, frozen=True):
    """How far a read model is. behind: positions, not events. held: streams, the parked ones among them."""

    name: str
    position: int
    head: int
    caught_up: bool
    held: int
    parked: int

    @property
    def behind(self) -> int:
        return max(self.head - self.position, 0)

    @property
    def percent(self) -> int:
        """How much of the log it shows, by position."""
        return 100 if self.behind == 0 else 100 * self.position // self.head


class Follower:
    """Keeps ``models`` up with ``store``.

    linger: seconds that events are gathered. share: told each time that the files show more, for those who
    read them from other processes; without it nobody else is thought of, and files are saved at leisure.
    origin: by which a model that was made from another log is known, and made anew. current: whether the
    store's last position is known; while it is not, no model is known to show the whole log.
    """

    def __init__(
        self,
        store: Log,
        models: Sequence[ReadModel],
        *,
        linger: float = LINGER,
        share: Callable[[], None] | None = None,
        origin: Origin | None = None,
        current: Callable[[], bool] = lambda: True,
    ) -> None:
        self._store = store
        self._origin = origin
        self._current = current
        self._shortest_linger = self._linger = linger
        self._share = share
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="projections")
        self._feedings = [Feeding(model, self._in_thread) for model in models]
        self._hurry = asyncio.Event()
        self._backoff = Backoff()
        self._trouble: str | None = "it has not begun"
        self._head = 0
        for model in models:
            model.when_awaited = self._hurry.set

    # ── How it stands ─────────────────────────────────────────────────────────────────────────────

    @property
    def ready(self) -> bool:
        """Whether all models are being fed and have shown the whole log once. Held streams do not matter."""
        return self._trouble is None and all(f.caught_up and f.trouble is None for f in self._feedings)

    def has_shown_all(self, name: str) -> bool:
        """Whether the read model ``name`` has shown the whole log once since it was opened."""
        return any(feeding.caught_up for feeding in self._feedings if feeding.name == name)

    def health(self) -> str | None:
        """None, or in one line all that is wrong, streams that are held back among it."""
        words = [] if self._trouble is None else [f"the log is not followed: {self._trouble}"]
        for feeding, progress in zip(self._feedings, self.progress(), strict=True):
            if feeding.trouble is not None:
                words.append(f"{progress.name} is set aside: {feeding.trouble}")
            elif not progress.caught_up:
                words.append(f"{progress.name} shows {progress.percent} % of the log")
            if progress.held:
                words.append(f"{progress.name} holds back {progress.held} streams, {progress.parked} parked")
        return "; ".join(words) or None

    def progress(self) -> list[Progress]:
        """How far each model is, as of the last second."""
        return [
            Progress(
                name=feeding.name,
                position=feeding.model.position,
                head=max(self._head, feeding.model.position),
                caught_up=feeding.caught_up,
                held=len(feeding.model.held),
                parked=sum(held.parked for held in feeding.model.held),
            )
            for feeding in self._feedings
        ]

    # ── Following ─────────────────────────────────────────────────────────────────────────────────

    async def run(self) -> None:
        """Feed the models until cancelled. Saves them, but does not close them."""
        try:
            while True:
                try:
                    self._trouble = await self._follow()
                except Exception as error:
                    self._trouble = f"{type(error).__name__}: {error}"
                if self._trouble is not None:
                    log.warning("the log is not followed: %s", self._trouble)
                    await asyncio.sleep(self._backoff.next())
        finally:
            self._trouble = "it was stopped"
            await self._each(Feeding.end, None)
            self._threads.shutdown(wait=False)

    async def _follow(self) -> str | None:
        """Feed the healthy models. Gives why that ended; None to begin again with one that has healed."""
        head = self._look_at_head()
        await self._each(Feeding.claim, self._origin)
        for feeding in self._healthy():
            feeding.begin(head)
        after = min((feeding.model.position for feeding in self._healthy()), default=head)
        inbox: Inbox = asyncio.Queue(maxsize=WAITING)
        reading = asyncio.create_task(self._read(after, inbox), name="projections-reader")
        self._trouble = None
        try:
            return await self._feed(inbox, reading)
        finally:
            reading.cancel()
            await asyncio.wait({reading})

    async def _read(self, after: int, inbox: Inbox) -> str:
        """Put the log's batches into ``inbox``, an empty one when there will be no more, and say why."""
        batches = self._store.follow(after)
        try:
            async for batch in batches:
                if batch:
                    await inbox.put(batch)
            why = "its feed ended"
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
        finally:
            if isinstance(batches, AsyncGenerator):
                await batches.aclose()
        await inbox.put(())
        return why

    async def _feed(self, inbox: Inbox, reading: asyncio.Task[str]) -> str | None:
        loop = asyncio.get_running_loop()
        await self._look_whether_whole()
        beat = loop.time() + BEAT
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(beat):
                    batch = await inbox.get()
                if not batch:
                    return await reading
                batch = await self._gather(batch, inbox)
                began = loop.time()
                await self._each(Feeding.stage, batch)
                self._backoff.reset()
                if batch[-1].position >= self._head:
                    await self._look_whether_whole()
                self._rest_after(loop.time() - began)
            if loop.time() >= beat:
                await self._look_whether_whole()
                await self._each(Feeding.tend, self._store.read)
                await self._each(Feeding.turn, self._store)
                if self._heal():
                    return None
                beat = loop.time() + BEAT

    async def _gather(self, first: Batch, inbox: Inbox) -> Batch:
        """Events that come in dribs are taken together, after a little while unless somebody waits."""
        if len(first) < MANY and inbox.qsize() < WAITING - 1:
            self._hurry.clear()
            if not any(feeding.model.awaited for feeding in self._healthy()):
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._linger):
                        await self._hurry.wait()
        batch = [*first]
        while len(batch) < MOST_GATHERED and not inbox.empty():
            more = inbox.get_nowait()
            if not more:
                inbox.put_nowait(more)
                break
            batch += more
        return batch

    def _rest_after(self, worked: float) -> None:
        """Choose how long the next events are gathered, by how long these took."""
        if self._share is not None:
            self._linger = min(max(self._shortest_linger, RESTING * worked), LONGEST_LINGER)

    async def _look_whether_whole(self) -> None:
        if self._share is not None:
            await self._each(Feeding.save_for_others, None)
        head = self._look_at_head()
        if self._current():
            await self._each(Feeding.look_whether_whole, head)
        if self._share is not None:
            self._share()

    def _heal(self) -> bool:
        """Whether a model that was set aside can be fed again."""
        healed = [feeding for feeding in self._feedings if feeding.trouble is not None and feeding.heal()]
        return bool(healed)

    async def _each(self, work: Callable[[Feeding, T], Awaitable[None]], subject: T) -> None:
        """Do ``work`` on every healthy model; one that fails is set aside and does not stop the others."""
        for feeding in self._healthy():
            try:
                await work(feeding, subject)
            except Exception as error:
                feeding.fail(error)

    def _healthy(self) -> list[Feeding]:
        return [feeding for feeding in self._feedings if feeding.trouble is None]

    def _look_at_head(self) -> int:
        self._head = self._store.head()
        return self._head

    async def _in_thread(self, work: Callable[[], None]) -> None:
        """Run ``work`` in a thread, and see it through even when cancelled: it has the connection."""
        done = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            await asyncio.shield(done)
        except asyncio.CancelledError:
            await asyncio.wait({done})
            raise
