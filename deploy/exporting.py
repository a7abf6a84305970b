"""The log and the read models into tables: chosen, cut to a span of the log, a batch at a time."""

import difflib
import tempfile
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from deploy.facts import type_of
from deploy.failing import WRONG_SETTINGS, Failed
from deploy.log_beside import Log
from deploy.parts import PROJECTIONS
from deploy.when import Span
from domain.decider import AnyRecorded
from gateways.analysis.columns import EVENTS, Columns, Row, Table, event_columns
from gateways.analysis.models import Rebuilt, tables
from gateways.codec import Codec
from projections.projection import Projection

if TYPE_CHECKING:
    from gateways.analysis.writers import Writer

Change = Callable[[Row], Row]
"""What is done to each row on its way."""

Tell = Callable[[int], None]
"""Told the position that was reached."""


async def pages(
    log: Log, span: Span, tell: Tell = lambda _: None
) -> AsyncGenerator[Sequence[AnyRecorded], None]:
    """The log within ``span``. Raises StoreUnavailable."""
    async with aclosing(log.pages()) as whole:
        async for page in whole:
            if page[0].position < span.first or page[-1].position > span.last:
                wanted = [fact for fact in page if span.first <= fact.position <= span.last]
            else:
                wanted = list(page)
            if wanted:
                yield wanted
            tell(page[-1].position)
            if page[-1].position >= span.last:
                return


def known_types(wanted: str | None) -> frozenset[str] | None:
    """The event types that a list of words names; None for all. Raises Failed for one that is unknown."""
    if wanted is None:
        return None
    known = Codec().schemas()
    types = [word.strip() for word in wanted.split(",") if word.strip()]
    for type_ in types:
        if type_ not in known:
            raise _unknown("event type", type_, known, "admitone catalogue")
    return frozenset(types)


class Source(Struct, frozen=True):
    """What is exported: the events, or one table of a read model."""

    table: Table
    projection: Projection | None = None
    name: str = EVENTS.name


def sources() -> dict[str, Source]:
    """The tables of all read models, by their full names."""
    found = [Source(table, each, name) for each in PROJECTIONS for name, table in tables(each).items()]
    return {each.table.name: each for each in found}


def source(name: str) -> Source:
    """``events``, ``<read model>.<table>``, or a read model that has one table. Raises Failed."""
    if name == EVENTS.name:
        return Source(EVENTS)
    known = sources()
    wanted = [each for full, each in known.items() if name in (full, full.partition(".")[0])]
    if len(wanted) == 1:
        return wanted[0]
    if wanted:
        choices = " or ".join(each.table.name for each in wanted)
        raise Failed(f"the read model {name} has several tables: say {choices}", WRONG_SETTINGS)
    raise _unknown("table", name, [EVENTS.name, *known], "admitone export --list")


def _unknown(what: str, name: str, known: Iterable[str], where: str) -> Failed:
    near = difflib.get_close_matches(name, list(known), n=1)
    hint = f"did you mean {near[0]}?" if near else f"`{where}` names them all"
    return Failed(f"there is no {what} '{name}': {hint}", WRONG_SETTINGS)


async def write_events(
    log: Log,
    span: Span,
    types: frozenset[str] | None,
    writer: "Writer",
    change: Change | None,
    tell: Tell,
) -> int:
    """How many events were written."""
    written = 0
    async with aclosing(pages(log, span, tell)) as part:
        async for page in part:
            if chosen := page if types is None else _of(types, page):
                writer.write(_changed(event_columns(chosen), change))
                written += len(chosen)
    return written


def _changed(columns: Columns, change: Change | None) -> Columns:
    if change is None:
        return columns
    return list(zip(*map(change, zip(*columns, strict=True)), strict=True))


def _of(types: frozenset[str], page: Sequence[AnyRecorded]) -> list[AnyRecorded]:
    return [fact for fact in page if type_of(fact) in types]


async def write_table(
    log: Log, span: Span, wanted: Source, writer: "Writer", change: Change | None, tell: Tell
) -> tuple[int, tuple[str, ...]]:
    """How many rows were written, and which streams are missing because they could not be applied."""
    assert wanted.projection is not None, "the events are no read model"
    with tempfile.TemporaryDirectory(prefix="admitone-") as folder:
        model = Rebuilt(wanted.projection, Path(folder))
        async with aclosing(pages(log, span, tell)) as part:
            async for page in part:
                model.take(page)
        held, written = model.finish(), 0
        for columns in model.batches(wanted.name):
            writer.write(_changed(columns, change))
            written += len(columns[0])
    return written, tuple(each.stream for each in held)
