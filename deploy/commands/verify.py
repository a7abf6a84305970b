"""``admitone verify``: hold every read model against one that is made from nothing."""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deploy.commands.options import command_line, data_option, existing, load, setting
from deploy.commands.rebuild import SHOWN, progress, show
from deploy.failing import known_place
from deploy.places import Places
from deploy.reading import EMBEDDED
from deploy.settings import Settings

if TYPE_CHECKING:
    from deploy.models_check import ModelChecks


@click.command(short_help="compare the read models with a rebuild from nothing")
@click.option("--rows", type=click.IntRange(min=0), default=SHOWN, show_default=True, metavar="N",
              help="how many differing rows of each table to show")  # fmt: skip
@setting("data")
@setting("store")
def verify(*, rows: int, **options: str | None) -> None:
    """Make every read model anew from the log, beside those that serve, and show each row that differs.

    Exits with 1 if any does. Changes nothing; a server may be running, each file is seen as of one moment.
    """
    from deploy.models_check import ModelChecks

    told = load(**options)
    places = existing(told.data) if told.store == EMBEDDED else Places(told.data)
    there, wrong, seen = data_option(places), 0, 0
    with tempfile.TemporaryDirectory(prefix="admitone-") as folder, known_place(places.root):
        models = ModelChecks(places, Path(folder))
        asyncio.run(_read(told, models))
        for checked in models.finished():
            seen += 1
            click.echo(f"{checked.path}:")
            if not checked.is_of_this_log:
                click.echo("It was made from another log; whoever serves makes it anew.")
                wrong += 1
            elif show(checked.comparison, rows) or checked.comparison.held:
                click.echo(f"Repair it: {command_line('rebuild', checked.path.stem, *there)}")
                wrong += 1
    if seen == 0:
        click.echo(f"There is no read model in {places.root}/ yet, or all are being made.")
    sys.exit(1 if wrong else 0)


async def _read(told: Settings, models: "ModelChecks") -> None:
    from deploy.log_beside import opened

    async with opened(told) as log:
        with progress("Reading the log") as tell:
            async for page in log.pages():
                models.take(page)
                tell(page[-1].position, log.head())
