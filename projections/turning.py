"""Going on with another file of the same read model, while it serves: caught up first, then taken at once."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any, Protocol

from domain.decider import AnyRecorded
from projections import generations
from projections.file import Unusable, actual
from projections.outside import Outside
from projections.projection import Projection
from projections.read_model import ReadModel

log = logging.getLogger("admitone.projections")


class Followable(Protocol):
    """The log, to catch up from."""

    def follow(self, after: int = 0) -> AsyncIterator[Sequence[AnyRecorded]]: ...


InThread = Callable[[Callable[[], None]], Coroutine[Any, Any, None]]


async def fulfil(model: ReadModel, store: Followable, in_thread: InThread) -> None:
    """If another generation is wished for, go on with it; the model must not be fed meanwhile.

    A wish that cannot be fulfilled is refused with a reason. Nobody who reads notices: the other file shows
    the same position when it is taken.
    """
    if not isinstance(model.path, Path) or (to := generations.wished(model.path)) is None:
        return
    try:
        await _go_on_with(to, model, model.path, store, in_thread)
    except (Unusable, sqlite3.Error, OSError) as error:
        log.warning("%s stays as it is: %s", model.projection.name, error)
        generations.refuse(model.path, f"{type(error).__name__}: {error}")


async def _go_on_with(to: Path, model: ReadModel, live: Path, store: Followable, in_thread: InThread) -> None:
    Outside(model.projection, to).close()  # opened for writing, a file of no use would be made anew
    model.save_all()
    other = model.another(to)
    try:
        if other.partial:
            await in_thread(other.resume_upkeep)
        await _catch_up(other, model.position, store)
        if other.position != model.position:
            return  # it has more than this one: later, when this has it too
        await in_thread(model.begin_log_anew)
        if model.unchecked_bytes() and generations.is_plain(live):
            return  # somebody is reading just now: the plain file does not have everything yet
        generations.turn(live, to)
        model.exchange(other)
        generations.forget_wish(live)
        log.info("%s goes on with %s", model.projection.name, actual(live).name)
    finally:
        other.close()


async def _catch_up(other: ReadModel, until: int, store: Followable) -> None:
    if other.position >= until:
        return
    batches = store.follow(other.position)
    async with aclosing(batches) as following:  # type: ignore[type-var]  # both stores' are generators
        async for batch in following:
            other.stage([fact for fact in batch if fact.position <= until])
            if batch[-1].position >= until:
                break
            await asyncio.sleep(0)
    other.save_all()


def adopt(projection: Projection, live: Path) -> None:
    """Before ``live`` is opened: take a generation that was made for this version and waits for it.

    Nobody may be feeding. Raises OSError, sqlite3.Error.
    """
    to = generations.wished(live)
    if to is None or not is_usable(projection, to):
        return
    if is_usable(projection, live):
        return  # it is caught up first, and then taken
    generations.turn(live, to)
    generations.forget_wish(live)


def is_usable(projection: Projection, path: Path) -> bool:
    """Whether the file at ``path`` was written by this very projection."""
    with suppress(Unusable, sqlite3.Error, OSError):
        Outside(projection, path).close()
        return True
    return False
