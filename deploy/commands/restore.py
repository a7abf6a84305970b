"""``admitone restore``: a log out of a backup, into a store with nothing in it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from deploy.commands.backup import KEY_FILE, key_of
from deploy.commands.options import load, setting
from deploy.commands.progress import progress
from deploy.failing import WRONG_SETTINGS, Failed
from deploy.interrupting import ended_as_by_hand
from deploy.places import Places
from deploy.reading import EMBEDDED

if TYPE_CHECKING:
    from deploy.copying import Copied
    from deploy.settings import Settings
    from gateways.backup.accounts import Kept
    from gateways.backup.cipher import Key
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
    told, key = load(**options), key_of(key_file)
    wanted = Wanted(directory, until, key, resume) if directory is not None else None
    if wanted is not None and accounts is None and told.store != EMBEDDED:
        _tell(_log(told, wanted, None))
    else:
        _into_directory(told, wanted, accounts, key)


class Wanted(Struct, frozen=True):
    """Which log is restored: from where, up to what --until says, and whether on top of an unfinished one."""

    directory: Path
    until: str | None
    key: "Key | None"
    resume: bool


def _into_directory(
    told: "Settings", wanted: Wanted | None, accounts: Path | None, key: "Key | None"
) -> None:
    """Restore the accounts and the log, or one of them. What was restored appears at the end, together."""
    from deploy.restoring import put_in_place, refuse, workplace
    from gateways.backup.accounts import restore

    places = Places(told.data)
    if accounts is not None:
        refuse(places, places.accounts)
    if wanted is not None and told.store == EMBEDDED:
        refuse(places, places.log)
    # All that could be wrong with the accounts is found out before a log is restored.
    people = _accounts(accounts, key) if accounts is not None else None
    with ended_as_by_hand() as too_late, workplace(places) as made:
        if people is not None:
            restore(people, made.accounts)
        restored = _log(told, wanted, made) if wanted is not None else []
        too_late()
        put_in_place(made, places)
        if people is not None:
            gone = f"{people.left_out:,} were left out: they were erased since"
            restored.append(f"Restored {people.accounts:,} accounts; {gone}.")
        _tell(restored)


def _tell(restored: Sequence[str]) -> None:
    for line in restored:
        click.echo(line)


def _accounts(named: Path, key: "Key | None") -> "Kept":
    from gateways.backup.accounts import dated, kept

    file = named
    if named.is_dir():
        found = [path for path, _ in dated(named)]
        if not found:
            raise Failed(f"there is no backup of accounts in {named}")
        file = found[-1]
    return kept(file, key)


def _log(told: "Settings", wanted: Wanted, made: Places | None) -> list[str]:
    """Restore the log, into ``made`` if the store is embedded; what there is to tell of it."""
    from deploy.copying import CannotCopy

    try:
        copied, last = asyncio.run(_restore(told, wanted, made))
    except CannotCopy as error:
        raise Failed(str(error)) from None
    where = f"{told.data}/" if told.store == EMBEDDED else "EventStoreDB"
    size = f"{copied.events:,} events in {copied.streams:,} streams"
    return [
        f"Restored {size} into {where}, up to position {last}, and compared them with the backup.",
        "Read models are made anew when it is served.",
    ]


async def _restore(told: "Settings", wanted: Wanted, made: Places | None) -> "tuple[Copied, int]":
    from deploy import copying
    from deploy.restoring import position
    from gateways.backup.folder import Folder
    from gateways.backup.log import BackupLog

    folder = Folder(wanted.directory, wanted.key)
    manifest = folder.manifest()
    if manifest is None or not manifest.segments:
        raise Failed(f"there is no backup in {folder}")
    source = await asyncio.to_thread(BackupLog, folder, manifest)
    source.until = await position(source, manifest, wanted.until)
    async with _target(told, await source.categories(), made) as target:
        if not wanted.resume and (last := await target.last()) is not None:
            raise Failed(f"{target} is not empty: {last} is there. Restore into an empty store")
        with progress() as tell:
            return await copying.copy(source, target, tell, stays=told.store != EMBEDDED), source.until


@asynccontextmanager
async def _target(
    told: "Settings", categories: frozenset[str], made: Places | None
) -> AsyncIterator["RawLog"]:
    from deploy.raw_stores import embedded, raw_target

    if told.store == EMBEDDED and made is not None:
        async with embedded(made.log) as log:
            yield log
        return
    async with raw_target(told.store, "--store", categories) as log:
        yield log
