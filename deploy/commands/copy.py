"""``admitone copy``: a whole log from one store into another."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deploy.failing import Failed
from deploy.places import Places
from deploy.reading import ESDB

if TYPE_CHECKING:
    from deploy.copying import Copied, Tell
    from gateways.raw_log import RawLog

SAY_EVERY = 10_000
"""Events between two lines on how far it is, where there is no terminal."""

SHOWN = 10
"""Streams that the source no longer shows whole that are listed; the rest is counted."""


@click.command(short_help="move a whole log to another store")
@click.option("--from", "source", required=True, metavar="STORE", help="a data directory, or esdb://…")
@click.option("--to", "target", required=True, metavar="STORE", help="the same; empty, or an unfinished copy")
def copy(source: str, target: str) -> None:
    """Copy the whole log into another store, in order and byte for byte, and compare both at the end.

    Killed or cut off, the same command goes on where it ended. Stop serving the source first: what is
    written to it meanwhile needs a second run. Positions are each store's own, so read models are made
    anew from the copy. Accounts and the card simulator's ledger are not in the log: they stay in the data
    directory.
    """
    from deploy.copying import CannotCopy

    if _same_place(source, target):
        raise Failed("--from and --to are the same store")
    try:
        asyncio.run(_copy(source, target))
    except CannotCopy as error:
        raise Failed(str(error)) from None


async def _copy(source_name: str, target_name: str) -> None:
    from deploy import copying

    async with _source(source_name) as source, _target(target_name, await source.categories()) as target:
        with _progress() as tell:
            copied = await copying.copy(source, target, tell)
        _tell_result(copied, source, target)
        click.echo("Each log has positions of its own: read models are made anew when the copy is served.")
        if copied.since:
            click.echo(f"{source} has grown meanwhile. Stop serving it, then run this again for the rest.")


@asynccontextmanager
async def _source(name: str) -> AsyncIterator["RawLog"]:
    if name.startswith(ESDB):
        async with _eventstoredb("--from", name) as log:
            yield log
        return
    from gateways.embedded_raw import EmbeddedRawLog

    places = Places(_directory(name))
    if not places.log.is_file():
        raise Failed(f"there is no log in {places.root}/: --from must be a data directory, or esdb://…")
    embedded = EmbeddedRawLog(places.log)
    try:
        yield embedded
    finally:
        await embedded.close()


@asynccontextmanager
async def _target(name: str, categories: frozenset[str]) -> AsyncIterator["RawLog"]:
    if name.startswith(ESDB):
        async with _eventstoredb("--to", name, categories) as log:
            yield log
        return
    from gateways.embedded_raw import EmbeddedRawLog

    embedded = EmbeddedRawLog(Places(_directory(name)).log)
    try:
        yield embedded
    finally:
        await embedded.close()


@asynccontextmanager
async def _eventstoredb(
    option: str, uri: str, categories: frozenset[str] = frozenset()
) -> AsyncIterator["RawLog"]:
    from deploy.stores import named_by

    with named_by(option):
        from gateways.eventstoredb_raw import OURS, EventStoreDBRawLog

        log = await EventStoreDBRawLog.open(uri, OURS | categories)
    try:
        yield log
    finally:
        await log.close()


def _directory(name: str) -> Path:
    if "://" in name:
        # What is almost an address may hold a password, so it is not repeated.
        raise Failed(f"a store is a data directory, or an address that begins with {' or '.join(ESDB)}", 2)
    return Path(name).expanduser()


def _same_place(one: str, other: str) -> bool:
    return one == other or (
        not one.startswith(ESDB)
        and not other.startswith(ESDB)
        and Path(one).expanduser().resolve() == Path(other).expanduser().resolve()
    )


@contextmanager
def _progress() -> Iterator["Tell"]:
    """A bar on a terminal, else a line now and then."""
    if not sys.stderr.isatty():
        yield _Lines().tell
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)

        def show(doing: str, done: int, of: int) -> None:
            progress.update(task, description=f"{doing} events", completed=done, total=of or None)

        yield show


class _Lines:
    """A line for every so many events."""

    def __init__(self) -> None:
        self._next: dict[str, int] = {}

    def tell(self, doing: str, done: int, of: int) -> None:
        if done >= self._next.get(doing, SAY_EVERY):
            self._next[doing] = done - done % SAY_EVERY + SAY_EVERY
            click.echo(f"{doing}: {done:,}{f' of {of:,}' if of else ''} events", err=True)


def _tell_result(copied: "Copied", source: "RawLog", target: "RawLog") -> None:
    click.echo(f"Copied {copied.moved:,} events from {source} to {target}.")
    same = f"{copied.events:,} events in {copied.streams:,} streams are the same in both, in the same order"
    click.echo(f"Compared: {same}.")
    for stream, why in list(copied.hidden.items())[:SHOWN]:
        click.echo(f"{source} no longer shows all of {stream} ({why}); the copy does.")
    if len(copied.hidden) > SHOWN:
        click.echo(f"and of {len(copied.hidden) - SHOWN:,} more")
