"""``admitone backup``: what is new in the log, into a directory of backups."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deploy.commands.options import existing, load, setting
from deploy.commands.progress import progress
from deploy.failing import WRONG_SETTINGS, Failed
from deploy.interrupting import ended_as_by_hand
from deploy.places import Places
from deploy.reading import EMBEDDED

if TYPE_CHECKING:
    from deploy.backing_up import Added, BackedUp
    from deploy.settings import Settings
    from gateways.backup.cipher import Key
    from gateways.backup.folder import Folder

KEY_FILE = click.option(
    "--key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="file with the key, of 64 hexadecimal digits (openssl rand -hex 32)",
)


@click.command(short_help="back up the log, what is new in it; or the accounts")
@click.argument(
    "directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path, file_okay=False)
)
@click.option(
    "--accounts",
    metavar="DIR2",
    type=click.Path(path_type=Path, file_okay=False),
    help="write a dated backup of the accounts there: the personal data, which lies apart",
)
@click.option("--keep", metavar="DAYS", type=click.IntRange(1), help="delete older ones of accounts")
@KEY_FILE
@setting("data")
@setting("store")
def backup(
    directory: Path | None,
    *,
    accounts: Path | None,
    keep: int | None,
    key_file: Path | None,
    **options: str | None,
) -> None:
    """Add to the backup in DIR what has come into the log since the last time.

    A server may be running: all that it had answered when this began is in the backup when this ends.
    Killed at any moment, it leaves the backup as it was. With --key-file what is written is encrypted.

    Accounts are backed up apart and whole, with --accounts and with or without DIR. Keep those backups no
    longer than you may: whoever is erased stays in them until they are deleted.
    """
    if directory is None and accounts is None:
        raise Failed("say where to: a directory for the log, or --accounts, or both", WRONG_SETTINGS)
    if keep is not None and accounts is None:
        raise Failed("--keep is for backups of accounts: say --accounts", WRONG_SETTINGS)
    if directory is not None and accounts is not None and directory.resolve() == accounts.resolve():
        raise Failed("DIR and --accounts must be two directories: accounts lie apart", WRONG_SETTINGS)
    told = load(**options)
    places, key = Places(told.data), key_of(key_file)
    if directory is not None and told.store == EMBEDDED:
        existing(told.data)
    if accounts is not None and not places.accounts.is_file():
        raise Failed(f"there are no accounts in {places.root}/: give --data")
    if directory is not None:
        _log(told, directory, key)
    if accounts is not None:
        _accounts(places, accounts, key, keep)


def _accounts(places: Places, folder: Path, key: "Key | None", keep: int | None) -> None:
    from deploy.undoing import directory, leased
    from gateways.backup.accounts import back_up, expire

    now = datetime.now(UTC)
    another = f"another backup into {folder} is running"
    with ended_as_by_hand() as too_late, directory(folder), leased(folder / "lease", another):
        too_late()
        file, accounts = back_up(places.accounts, folder, key, now)
        click.echo(f"{accounts:,} accounts are in {file}.")
        if keep is not None and (gone := expire(folder, now - timedelta(days=keep))):
            click.echo(f"Deleted {gone:,} that were older than {keep:,} days.")


def _log(told: "Settings", directory: Path, key: "Key | None") -> None:
    from deploy.backing_up import CannotBackUp, conclude, writing
    from deploy.copying import CannotCopy
    from gateways.backup.folder import Folder

    folder = Folder(directory, key)
    try:
        with ended_as_by_hand() as too_late, writing(folder):
            added = asyncio.run(_add(told, folder, datetime.now(UTC)))
            too_late()
            _tell(directory, conclude(folder, added) if added else None)
    except (CannotBackUp, CannotCopy) as error:
        raise Failed(str(error)) from None


def _tell(directory: Path, done: "BackedUp | None") -> None:
    if done is None:
        click.echo("The log is empty: there is nothing to back up yet.")
    else:
        click.echo(
            f"{done.new:,} new events; {directory} now holds {done.events:,}, up to position {done.position}."
        )


async def _add(told: "Settings", folder: "Folder", taken: datetime) -> "Added | None":
    from deploy.backing_up import add
    from deploy.raw_stores import raw_source

    name, kind = (str(told.data), EMBEDDED) if told.store == EMBEDDED else (told.store, "EventStoreDB")
    async with raw_source(name, "--data" if kind == EMBEDDED else "--store") as source:
        with progress() as tell:
            return await add(source, kind, folder, taken, tell)


def key_of(key_file: Path | None) -> "Key | None":
    """The key that ``--key-file`` names, if it does. Raises BadKey, OSError."""
    if key_file is None:
        return None
    from gateways.backup.cipher import Key

    return Key.read(key_file)
