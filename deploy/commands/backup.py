"""``admitone backup``: what is new in the log, into a directory of backups."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deploy.commands.options import existing, load, setting
from deploy.commands.progress import progress
from deploy.failing import Failed
from deploy.reading import EMBEDDED

if TYPE_CHECKING:
    from deploy.backing_up import BackedUp
    from deploy.settings import Settings
    from gateways.backup.folder import Folder

KEY_FILE = click.option(
    "--key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="file with the key, of 64 hexadecimal digits (openssl rand -hex 32)",
)


@click.command(short_help="back up the log, what is new in it")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@KEY_FILE
@setting("data")
@setting("store")
def backup(directory: Path, *, key_file: Path | None, **options: str | None) -> None:
    """Add to the backup in DIR what has come into the log since the last time.

    A server may be running: all that it had answered when this began is in the backup when this ends.
    Killed at any moment, it leaves the backup as it was. With --key-file what is written is encrypted.
    """
    told = load(**options)
    if told.store == EMBEDDED:
        existing(told.data)
    done = asyncio.run(_back_up(told, directory, key_file))
    if done is None:
        click.echo("The log is empty: there is nothing to back up yet.")
    else:
        click.echo(
            f"{done.new:,} new events; {directory} now holds {done.events:,}, up to position {done.position}."
        )


async def _back_up(told: "Settings", directory: Path, key_file: Path | None) -> "BackedUp | None":
    from deploy.backing_up import CannotBackUp, back_up
    from deploy.copying import CannotCopy
    from deploy.raw_stores import raw_source
    from gateways.leases import Lease

    folder, taken = opened(directory, key_file), datetime.now(UTC)
    lease = Lease(directory / "lease")
    if not lease.try_take():
        raise Failed(f"another backup into {directory} is running")
    name, kind = (str(told.data), EMBEDDED) if told.store == EMBEDDED else (told.store, "EventStoreDB")
    try:
        async with raw_source(name, "--data" if kind == EMBEDDED else "--store") as source:
            with progress() as tell:
                return await back_up(source, kind, folder, taken, tell)
    except (CannotBackUp, CannotCopy) as error:
        raise Failed(str(error)) from None
    finally:
        lease.release()


def opened(directory: Path, key_file: Path | None) -> "Folder":
    """The backup in ``directory``. Raises BadKey, OSError."""
    from gateways.backup.cipher import Key
    from gateways.backup.folder import Folder

    return Folder(directory, Key.read(key_file) if key_file else None)
