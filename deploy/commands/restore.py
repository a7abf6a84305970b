"""``admitone restore``: a log out of a backup, into a store with nothing in it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deploy.commands.backup import KEY_FILE, opened
from deploy.commands.options import load, setting
from deploy.commands.progress import progress
from deploy.failing import Failed
from deploy.places import Places
from deploy.reading import EMBEDDED

if TYPE_CHECKING:
    from deploy.copying import Copied
    from deploy.settings import Settings
    from gateways.raw_log import RawLog


@click.command(short_help="restore the log from a backup")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--until",
    metavar="TIME|POSITION",
    help="as it was then: a time with its zone (2026-11-24T12:00:00Z), or a position",
)
@click.option("--resume", is_flag=True, help="go on with a restore to EventStoreDB that was cut off")
@KEY_FILE
@setting("data", "data directory to restore into; it must have no log")
@setting("store", "where to restore: embedded, or esdb://… of EventStoreDB, with none of our streams")
def restore(
    directory: Path, *, until: str | None, resume: bool, key_file: Path | None, **options: str | None
) -> None:
    """Restore the log from the backup in DIR, into a store with nothing in it.

    Every byte of the backup is checked before anything is written, and the restored log is compared with it
    at the end. In a data directory the log appears when it is complete, with the positions that it had.
    """
    from deploy.copying import CannotCopy

    told = load(**options)
    try:
        copied, last = asyncio.run(_restore(told, directory, until, key_file, resume=resume))
    except CannotCopy as error:
        raise Failed(str(error)) from None
    where = f"{told.data}/" if told.store == EMBEDDED else "EventStoreDB"
    size = f"{copied.events:,} events in {copied.streams:,} streams"
    click.echo(f"Restored {size} into {where}, up to position {last}, and compared them with the backup.")
    click.echo("Read models are made anew when it is served.")


async def _restore(
    told: "Settings", directory: Path, until: str | None, key_file: Path | None, *, resume: bool
) -> "tuple[Copied, int]":
    from deploy import copying
    from deploy.restoring import position
    from gateways.backup.log import BackupLog

    folder = opened(directory, key_file)
    manifest = folder.manifest()
    if manifest is None or not manifest.segments:
        raise Failed(f"there is no backup in {directory}")
    source = await asyncio.to_thread(BackupLog, folder, manifest)
    source.until = await position(source, manifest, until)
    async with _target(told, await source.categories()) as target:
        if not resume and (last := await target.last()) is not None:
            raise Failed(f"{target} is not empty: {last} is there. Restore into an empty store")
        with progress() as tell:
            return await copying.copy(source, target, tell), source.until


@asynccontextmanager
async def _target(told: "Settings", categories: frozenset[str]) -> AsyncIterator["RawLog"]:
    from deploy.raw_stores import raw_target
    from deploy.restoring import new_log

    if told.store == EMBEDDED:
        async with new_log(Places(told.data)) as log:
            yield log
        return
    async with raw_target(told.store, "--store", categories) as log:
        yield log
