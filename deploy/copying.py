"""A whole log from one store into another: in order, as bytes, taken up again where it ended, and compared.

How far a copy is, is to be seen in the target itself: its last event stands somewhere in the source, and
everything before it was written before it. So there is nothing beside the log that could disagree with it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing
from itertools import zip_longest

from msgspec import Struct

from gateways.damage import StoreDamaged
from gateways.raw_log import CannotHold, RawEvent, RawLog
from gateways.spill import Spill
from processmanager.ports import StoreUnavailable, WrongRevision

PAUSES = (0.5, 1, 2, 4, 8)
"""Seconds between attempts to go on after a store was away, while it moves nothing."""

Tell = Callable[[str, int, int], None]
"""What is being done, how many events of it are done, and of how many."""


class CannotCopy(Exception):
    """The two stores do not allow it. Says in one line why, and what to do."""


class Copied(Struct, frozen=True):
    """moved: events that this run brought. events, streams: of the whole log, compared and found equal.

    hidden: streams of which the source no longer shows everything, and why. since: whether the source has
    grown while it was copied.
    """

    moved: int
    events: int
    streams: int
    hidden: dict[str, str]
    since: bool


async def copy(source: RawLog, target: RawLog, tell: Tell, *, stays: bool = True) -> Copied:
    """Bring ``target`` up to where ``source`` is now.

    stays: what was copied stays if this fails, so that waiting for a store that is away is worth it.
    Nothing is written before all that is to be written has been looked at.
    Raises CannotCopy, StoreDamaged, StoreUnavailable.
    """
    end = await source.last()
    if end is None:
        if await target.last() is not None:
            raise CannotCopy(f"{source} is empty, and {target} is not")
        return Copied(0, 0, 0, {}, since=False)
    after = await _place(source, target)
    moved = await _survey(source, target, after, end, tell)
    pauses = PAUSES if stays else ()
    await _move(source, target, after, end, pauses, lambda done: tell("Copying", done, moved))
    events, streams = await _compare(source, target, end, tell)
    newest = await source.last()
    hidden = source.hidden
    return Copied(moved, events, streams, hidden, since=newest is not None and newest.id != end.id)


async def _place(source: RawLog, target: RawLog) -> int:
    """The position in the source up to which the target has it. Raises CannotCopy for another log."""
    last = await target.last()
    if last is None:
        return 0
    found = await source.at(last.stream, last.revision)
    if found is None or not found.is_same(last):
        raise CannotCopy(
            f"{target} holds something else: its last event, {last}, is not in {source}. "
            "Copy into an empty one"
        )
    return found.position


async def _survey(source: RawLog, target: RawLog, after: int, end: RawEvent, tell: Tell) -> int:
    """How many events there are to move. Raises CannotCopy if one of them could not be."""
    count = 0
    gapless = Gapless(source, whole=not after)
    async with aclosing(source.pages(after, end.position)) as pages:  # type: ignore[type-var]  # a generator
        async for page in pages:
            gapless.check(page)
            try:
                for event in page:
                    target.check(event)
            except CannotHold as error:
                raise CannotCopy(str(error)) from None
            count += len(page)
            tell("Reading", count, 0)
    return count


class Gapless:
    """Sees that each event follows on the one before it in its stream."""

    def __init__(self, source: RawLog, *, whole: bool) -> None:
        """whole: the source is read from its start, so each stream must begin at its beginning."""
        self._source = source
        self._whole = whole
        self._revisions = Spill[int]()

    def check(self, events: Sequence[RawEvent]) -> None:
        """Raises CannotCopy unless each follows."""
        for event in events:
            before = self._before(event)
            if event.revision != before + 1:
                raise CannotCopy(
                    f"{self._source} is not whole: revisions {before + 1} to {event.revision - 1} of "
                    f"{event.stream} are gone, and no store takes a stream with a gap"
                )
            self._revisions.put(event.stream, event.revision)

    def _before(self, event: RawEvent) -> int:
        if event.revision == 0:
            return -1
        known = self._revisions.get(event.stream)
        if known is not None:
            return known
        return -1 if self._whole else event.revision - 1


async def _move(
    source: RawLog,
    target: RawLog,
    after: int,
    end: RawEvent,
    patience: Sequence[float],
    done: Callable[[int], None],
) -> None:
    """Write what is behind ``after``; go on where it ended when a store is away for a while.

    patience: the pauses; without any, the first trouble is the end.
    """
    pauses, furthest, moved = iter(patience), after, 0
    while after < end.position:
        try:
            async with aclosing(source.pages(after, end.position)) as pages:  # type: ignore[type-var]  # a generator
                async for page in pages:
                    await target.append(page)
                    moved += sum(event.position > furthest for event in page)
                    furthest = max(furthest, page[-1].position)
                    done(moved)
            await target.settle()
        except StoreDamaged:
            raise
        except (StoreUnavailable, WrongRevision) as error:
            if not patience:
                raise
            # What was on its way may be there or not: the target tells, also if it holds something else.
            before, after = after, await _place_again(source, target, error, pauses)
            if after > before:
                pauses = iter(patience)
        else:
            return


async def _place_again(source: RawLog, target: RawLog, error: Exception, pauses: Iterator[float]) -> int:
    """As ``_place``, once the stores are there again. Raises StoreUnavailable when they stay away."""
    for pause in pauses:
        await asyncio.sleep(pause)
        try:
            return await _place(source, target)
        except StoreUnavailable as still:
            error = still
    raise StoreUnavailable(f"{error}. What was copied stays: the same command goes on from there")


async def _compare(source: RawLog, target: RawLog, end: RawEvent, tell: Tell) -> tuple[int, int]:
    """How many events and streams there are. Raises CannotCopy unless both logs are the same."""
    last = await target.last()
    events = streams = 0
    copies = _Taken(target.pages(0, last.position if last else 0))
    async with aclosing(source.pages(0, end.position)) as originals, aclosing(copies):  # type: ignore[type-var]  # a generator
        async for page in originals:
            for original, copied in zip_longest(page, await copies.next(len(page))):
                if copied is None or not original.is_same(copied):
                    raise CannotCopy(f"{target} is not the same log: {_difference(original, copied)}")
                streams += original.revision == 0
            events += len(page)
            tell("Comparing", events, 0)
        for more in await copies.next(1):
            raise CannotCopy(f"{target} holds more than was copied: {more}, written by somebody else")
    if target.hidden:
        stream, why = next(iter(target.hidden.items()))
        raise CannotCopy(f"{target} does not show all of {stream}: {why}")
    return events, streams


def _difference(original: RawEvent, copied: RawEvent | None) -> str:
    if copied is None:
        return f"{original} is missing"
    if (original.stream, original.revision) != (copied.stream, copied.revision):
        return f"where {original} should be there is {copied}"
    parts = ("id", "type", "data", "metadata")
    unequal = [part for part in parts if getattr(original, part) != getattr(copied, part)]
    return f"{original} differs in its {' and '.join(unequal)}"


class _Taken:
    """The events of a log, so many at a time as are asked for."""

    def __init__(self, pages: AsyncIterator[Sequence[RawEvent]]) -> None:
        self._pages = pages
        self._ahead: list[RawEvent] = []

    async def next(self, count: int) -> Sequence[RawEvent]:
        """Fewer than ``count`` only at the end."""
        while len(self._ahead) < count and (page := await anext(self._pages, None)) is not None:
            self._ahead += page
        taken, self._ahead = self._ahead[:count], self._ahead[count:]
        return taken

    async def aclose(self) -> None:
        await self._pages.aclose()  # type: ignore[attr-defined]  # a generator
