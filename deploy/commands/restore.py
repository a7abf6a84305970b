"""``admitone restore``: a log out of a backup, into a store with nothing in it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deploy.commands.backup import KEY_FILE, key_of, opened
from deploy.commands.options import load, setting
from deploy.commands.progress import progress
from deploy.failing import WRONG_SETTINGS, Failed
from deploy.places import Places
from deploy.reading import EMBEDDED

if TYPE_CHECKING:
    from deploy.copying import Copied
    from deploy.settings import Settings
    from gateways.backup.accounts import Kept
    from gateways.raw_log import RawLog


@click.command("restore", short_help="restore the log, or the accounts, from a backup")
@click.argument(
    "directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path, file_okay=False)
)
@click.option(
    "--accounts",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True),
    help="restore the accounts from this dated backup, or from the newest one of a directory",
)
@click.option(
    "--until",
    metavar="TIME|POSITION",
    help="as it was then: a time with its zone (2026-11-24T12:00:00Z), or a position",
)
@click.option("--resume", is_flag=True, help="go on with a restore to EventStoreDB that was cut off")
@KEY_FILE
@setting("data", "data directory to restore into; it must have no log")
@setting("store", "where to restore: embedded, or esdb://… of EventStoreDB, with none of our streams")
def restore_command(
    directory: Path | None,
    *,
    accounts: Path | None,
    until: str | None,
    resume: bool,
    key_file: Path | None,
    **options: str | None,
) -> None:
    """Restore the log from the backup in DIR, into a store with nothing in it.

    Every byte of the backup is checked before anything is written, and the restored log is compared with it
    at the end. In a data directory the log appears when it is complete, with the positions that it had.

    Accounts come from a backup of their own, with or without DIR. Whoever was erased since it was made is
    left out, as far as newer backups beside it know.
    """
    if directory is None and accounts is None:
        raise Failed("say from where: a directory for the log, or --accounts, or both", WRONG_SETTINGS)
    told = load(**options)
    # All that could be wrong with the accounts is found out before anything is written.
    people = _accounts(Places(told.data), accounts, key_file) if accounts else None
    if directory is not None:
        _log(told, directory, until, key_file, resume=resume)
    if people is not None:
        from gateways.backup.accounts import restore

        restore(people, Places(told.data).accounts)
        gone = f"{people.left_out:,} were left out: they were erased since"
        click.echo(f"Restored {people.accounts:,} accounts; {gone}.")


def _refuse_accounts(places: Places) -> None:
    """What SQLite has left beside an older file would be taken for a part of the new one."""
    if found := sorted(path.name for path in places.root.glob(f"{places.accounts.name}*")):
        raise Failed(
            f"there are accounts in {places.root}/ already: {', '.join(found)}. Move that away first, "
            "or restore into another directory"
        )


def _accounts(places: Places, named: Path, key_file: Path | None) -> "Kept":
    from gateways.backup.accounts import dated, kept

    _refuse_accounts(places)
    file = named
    if named.is_dir():
        found = [path for path, _ in dated(named)]
        if not found:
            raise Failed(f"there is no backup of accounts in {named}")
        file = found[-1]
    return kept(file, key_of(key_file))


def _log(
    told: "Settings", directory: Path, until: str | None, key_file: Path | None, *, resume: bool
) -> None:
    from deploy.copying import CannotCopy

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
