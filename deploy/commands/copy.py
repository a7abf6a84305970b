"""``admitone copy``: a whole log from one store into another."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deploy.commands.progress import progress
from deploy.failing import Failed
from deploy.raw_stores import raw_source, raw_target
from deploy.reading import ESDB

if TYPE_CHECKING:
    from deploy.copying import Copied
    from gateways.raw_log import RawLog

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

    async with (
        raw_source(source_name, "--from") as source,
        raw_target(target_name, "--to", await source.categories()) as target,
    ):
        with progress() as tell:
            copied = await copying.copy(source, target, tell)
        _tell_result(copied, source, target)
        click.echo("Each log has positions of its own: read models are made anew when the copy is served.")
        if copied.since:
            click.echo(f"{source} has grown meanwhile. Stop serving it, then run this again for the rest.")


def _same_place(one: str, other: str) -> bool:
    return one == other or (
        not one.startswith(ESDB)
        and not other.startswith(ESDB)
        and Path(one).expanduser().resolve() == Path(other).expanduser().resolve()
    )


def _tell_result(copied: "Copied", source: "RawLog", target: "RawLog") -> None:
    click.echo(f"Copied {copied.moved:,} events from {source} to {target}.")
    same = f"{copied.events:,} events in {copied.streams:,} streams are the same in both, in the same order"
    click.echo(f"Compared: {same}.")
    for stream, why in list(copied.hidden.items())[:SHOWN]:
        click.echo(f"{source} no longer shows all of {stream} ({why}); the copy does.")
    if len(copied.hidden) > SHOWN:
        click.echo(f"and of {len(copied.hidden) - SHOWN:,} more")
