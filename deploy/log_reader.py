"""Reading the log of a data directory from beside the server: nothing is ever written."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from contextlib import aclosing, closing
from pathlib import Path
from typing import Any, TypeVar

from deploy.failing import WRONG_SETTINGS, Failed
from domain.decider import NO_STREAM, AnyDecider, AnyRecorded, Decider, Loaded
from gateways.codec import Codec
from gateways.embedded_file import open_checked
from gateways.embedded_fold import EmbeddedFold
from gateways.embedded_pages import PAGE
from gateways.embedded_reader import LogReader

S = TypeVar("S")

LOOK = 0.05
"""Seconds between two looks for what was appended."""


async def facts(
    path: Path, *, after: int = 0, stream: str | None = None, follow: bool = False
) -> AsyncIterator[AnyRecorded]:
    """What stands in the log at ``path`` behind a position, and with ``follow`` what comes, without end.

    after: a position; a negative number counts from the end. stream: only the facts of this one.
    Raises Failed for a position beyond the end, StoreDamaged, StoreUnavailable.
    """
    with closing(_open(path)) as reader:
        end = reader.head()
        after = max(0, end + after) if after < 0 else after
        if after > end:
            raise Failed(f"--after {after}: the log ends at position {end}", WRONG_SETTINGS)
        if stream is not None:
            async for fact in _stream(reader, stream):
                if after < fact.position <= end:
                    yield fact
            after = max(after, end)
        while after < end or follow:
            page = await reader.log(after)
            for fact in page:
                after = fact.position
                if stream in (None, fact.stream) and (follow or after <= end):
                    yield fact
            if not page:
                await asyncio.sleep(LOOK)


async def pages(path: Path, without: Collection[str] = ()) -> AsyncGenerator[Sequence[AnyRecorded], None]:
    """The whole log as it is now, page by page. Raises as ``facts`` does.

    without: types of events that are left out, which costs less than passing over them.
    """
    with closing(_open(path)) as reader:
        after, end = 0, reader.head()
        while after < end:
            until = min(after + PAGE, end)
            page = await (reader.log_without(without, after, until) if without else reader.log(after))
            after = until if without else page[-1].position
            if page:
                yield page


async def stream(path: Path, stream: str, after: int = NO_STREAM) -> Sequence[AnyRecorded]:
    """The events of one stream behind a revision. Raises as ``facts`` does."""
    with closing(_open(path)) as reader:
        return [fact async for fact in _stream(reader, stream, after)]


async def state(path: Path, decider: Decider[Any, S, Any], key: str, until: int) -> Loaded[S]:
    """The aggregate as it was at position ``until``. Raises as ``facts`` does, and UnreadableStream."""
    with closing(_open_fold(path)) as fold:
        return await fold.one(decider, key, until)


async def states(
    path: Path, deciders: Sequence[AnyDecider], until: int
) -> AsyncGenerator[Mapping[str, Any], None]:
    """The states of all streams of some deciders at position ``until``, by the streams' names.

    They come some at a time. Those that hold an event which cannot be read are left out. Raises as ``facts``.
    """
    with closing(_open_fold(path)) as fold:
        async with aclosing(fold.states(deciders, until)) as parts:
            async for part in parts:
                yield part


def head(path: Path) -> int:
    """The last position in the log at ``path``. Raises as ``facts`` does."""
    with closing(_open(path)) as reader:
        return reader.head()


def _open(path: Path) -> LogReader:
    return LogReader(path, open_checked(path), Codec())


def _open_fold(path: Path) -> EmbeddedFold:
    return EmbeddedFold(path, open_checked(path), Codec())


async def _stream(reader: LogReader, stream: str, revision: int = NO_STREAM) -> AsyncIterator[AnyRecorded]:
    while page := await reader.stream(stream, revision):
        for fact in page:
            yield fact
        revision = page[-1].revision
