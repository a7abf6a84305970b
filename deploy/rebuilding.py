"""A read model made anew beside the one that serves, compared with it, and taken in its place.

Nothing but events is read: what follows from a purchase is not done again. Whoever feeds the read model
takes the new one over, at a moment at which both show the same position; without a server, this does.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, closing
from pathlib import Path

from deploy.comparing import Comparison
from deploy.failing import Failed
from deploy.log_beside import Log
from deploy.parts import model_file
from deploy.places import Places
from domain.decider import AnyRecorded
from gateways.leases import Slot
from projections import generations
from projections.file import actual, checkpoint, connect, remove
from projections.held import Held
from projections.projection import Projection
from projections.read_model import ReadModel
from projections.rebuild import Rebuild
from projections.turning import fulfil, is_usable

PATIENCE = 30.0
"""Seconds that a server is given to take over the new read model."""
LOOK = 0.05
"""Seconds between two looks whether it has."""

Tell = Callable[[int, int], None]
"""How far it is, and how far it has to go, in positions."""


def slots_with(places: Places, projection: Projection) -> list[Path]:
    """The directories of all services that have such a read model, those that run and those that ran."""
    return sorted(
        each.parent for each in places.read_models.glob(f"*/{projection.name}.sqlite") if each.exists()
    )


# ── Making it ─────────────────────────────────────────────────────────────────────────────────────


async def rebuilt(log: Log, projection: Projection, slot: Path, tell: Tell) -> tuple[Path, Comparison]:
    """A new generation beside the one in ``slot``, and both compared at the position of the old one.

    Raises Failed, StoreUnavailable; then nothing is left behind.
    """
    live = model_file(slot, projection)
    new = generations.unused(live)
    rebuild = Rebuild(projection, new, log.kind)
    try:
        await _feed(rebuild, log.pages(projection.of_no_interest), _position(live), tell)
        comparison = Comparison(live, new)
        await _feed_rest(rebuild, log, comparison.position, tell)
        _refuse_gaps(projection, rebuild.finish())
    except BaseException:
        rebuild.close()
        remove(new)
        raise
    return new, comparison


def _position(live: Path) -> int:
    with closing(connect(live, read_only=True)) as connection:
        position, partial = connection.execute("SELECT position, partial FROM feed").fetchone()
    if partial:
        raise Failed(f"{live} is being made anew just now: try again when the server is ready")
    return int(position)


async def _feed_rest(rebuild: Rebuild, log: Log, until: int, tell: Tell) -> None:
    """What the old one was fed meanwhile. It never goes back, unless somebody begins it anew."""
    if until < rebuild.position:
        raise Failed("the read model is being made anew just now: try again when the server is ready")
    if until > rebuild.position:
        tail = log.facts(after=rebuild.position, stream=None, follow=False)
        await _feed(rebuild, _singly(tail), until, tell)


def _refuse_gaps(projection: Projection, held: Sequence[Held]) -> None:
    for each in held:
        raise Failed(f"{projection.name} cannot apply {each.stream} revision {each.revision}: {each.error}")


async def _feed(
    rebuild: Rebuild, pages: AsyncIterator[Sequence[AnyRecorded]], until: int, tell: Tell
) -> None:
    async with aclosing(pages) as parts:  # type: ignore[type-var]  # generators, all of them
        async for page in parts:
            rebuild.take(page, until)
            tell(min(page[-1].position, until), until)
            if page[-1].position >= until:
                break
    rebuild.save()


async def _singly(facts: AsyncIterator[AnyRecorded]) -> AsyncIterator[Sequence[AnyRecorded]]:
    async with aclosing(facts) as each:  # type: ignore[type-var]  # generators, all of them
        async for fact in each:
            yield (fact,)


def copied(new: Path, live: Path) -> Path:
    """The same for another service's directory."""
    copy = generations.unused(live)
    with closing(connect(new, read_only=True)) as source, closing(connect(copy)) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode=WAL")
    return copy


# ── Taking it ─────────────────────────────────────────────────────────────────────────────────────


class Taken:
    """NOW: it serves. WAITS: a server of another version runs, and its successor will take it."""

    NOW = "now"
    WAITS = "waits"


async def take(log: Log, projection: Projection, slot: Path, to: Path) -> str:
    """Have the service in ``slot`` go on with the generation ``to``. Raises Failed; then nothing changed."""
    live = model_file(slot, projection)
    generations.wish(live, to)
    lease = Slot(slot)
    if lease.try_take():
        try:
            await _take_here(log, projection, live)
        finally:
            lease.release()
    elif not is_usable(projection, live) and is_usable(projection, to):
        return Taken.WAITS
    else:
        await _taken_there(live)
    if actual(live) != actual(to):
        why = generations.refusal(live) or "somebody is reading it just now; try again"
        generations.forget_wish(live)
        raise Failed(f"{live} stays as it is: {why}")
    return Taken.NOW


async def _take_here(log: Log, projection: Projection, live: Path) -> None:
    """Nobody serves: do what a server would do."""
    if not is_usable(projection, live):
        checkpoint(live, "TRUNCATE")
        to = generations.wished(live)
        assert to is not None
        generations.turn(live, to)
        generations.forget_wish(live)
        return
    model = ReadModel(projection, live)
    with closing(model):
        await fulfil(model, _Beside(log), _in_thread)


class _Beside:
    """A log that is read from beside, to catch up from."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def follow(self, after: int = 0) -> AsyncIterator[Sequence[AnyRecorded]]:
        return _singly(self._log.facts(after=after, stream=None, follow=False))


async def _in_thread(work: Callable[[], None]) -> None:
    await asyncio.to_thread(work)


async def _taken_there(live: Path) -> None:
    """Wait until the server has fulfilled the wish, or refused it."""
    ends = time.monotonic() + PATIENCE
    while generations.wished(live) is not None and time.monotonic() < ends:  # noqa: ASYNC110 - a file's end
        await asyncio.sleep(LOOK)
    if generations.wished(live) is not None:
        generations.forget_wish(live)
        raise Failed(f"the server has not taken over the new {live.name} within {PATIENCE:.0f} s")
