"""``admitone rebuild``: make a read model anew beside the one that serves, and take it in its place."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deploy.commands.options import command_line, data_option, existing, load, setting
from deploy.commands.telling import tell
from deploy.failing import WRONG_SETTINGS, Failed, known_place
from deploy.places import Places
from deploy.reading import EMBEDDED
from deploy.settings import Settings

if TYPE_CHECKING:
    from deploy.comparing import Comparison
    from deploy.log_beside import Log
    from deploy.rebuilding import Tell
    from projections.projection import Projection

SHOWN = 20
"""Rows of one table that are shown; the rest is counted."""


@click.command(short_help="make a read model anew without a pause")
@click.argument("name", metavar="PROJECTION")
@click.option("--yes", "-y", is_flag=True, help="take the new one without asking")
@click.option("--back", is_flag=True, help="go back to the one before the last rebuild")
@click.option("--rows", type=click.IntRange(min=0), default=SHOWN, show_default=True, metavar="N",
              help="how many differing rows of each table to show")  # fmt: skip
@setting("data")
@setting("store")
def rebuild(name: str, *, yes: bool, back: bool, rows: int, **options: str | None) -> None:
    """Make the read model PROJECTION anew from the log, while the old one serves.

    Both are compared row by row at the same position, and the differences shown; then the new one is taken
    in place of the old, all at once, if you say so. A server that runs takes it over without a pause. The old
    one is kept for --back. Nothing but events is read: no purchase is touched, no payment provider asked.
    """
    from deploy.parts import MODELS

    projection = next((each for each in MODELS if each.name == name), None)
    if projection is None:
        names = ", ".join(each.name for each in MODELS)
        raise Failed(f"there is no projection {name}; there are {names}", WRONG_SETTINGS)
    told = load(**options)
    places = existing(told.data) if told.store == EMBEDDED else Places(told.data)
    work = _back(told, places, projection) if back else _rebuild(told, places, projection, yes=yes, rows=rows)
    with known_place(places.root):
        asyncio.run(work)


async def _rebuild(told: Settings, places: Places, projection: "Projection", *, yes: bool, rows: int) -> None:
    from deploy import rebuilding
    from deploy.log_beside import opened
    from deploy.parts import model_file
    from projections.file import remove

    first, *others = _slots(places, projection)
    async with opened(told) as log:
        with progress(f"Rebuilding {projection.name}") as tell:
            new, comparison = await rebuilding.rebuilt(log, projection, first, tell)
        wanted = False
        try:
            with closing(comparison):
                show(comparison, rows)
            wanted = yes or _asked()
            if wanted:
                copies = {slot: rebuilding.copied(new, model_file(slot, projection)) for slot in others}
                for slot, file in {first: new, **copies}.items():
                    await _take(log, projection, slot, file)
        finally:
            if not wanted:
                remove(new)
    if wanted:
        there = data_option(places)
        click.echo(f"One step back: {command_line('rebuild', projection.name, '--back', *there)}")
    else:
        click.echo("Nothing was changed.")


async def _back(told: Settings, places: Places, projection: "Projection") -> None:
    from deploy.log_beside import opened
    from deploy.parts import model_file
    from projections.generations import before

    slots = _slots(places, projection)
    earlier = {slot: found for slot in slots if (found := before(model_file(slot, projection))) is not None}
    if not earlier:
        raise Failed(f"{projection.name} was not rebuilt before, so there is nothing to go back to")
    async with opened(told) as log:
        for slot, file in earlier.items():
            await _take(log, projection, slot, file)


def _slots(places: Places, projection: "Projection") -> list[Path]:
    from deploy.rebuilding import slots_with

    slots = slots_with(places, projection)
    if not slots:
        raise Failed(
            f"there is no read model {projection.name} in {places.root}/ yet: "
            f"{command_line('serve', *data_option(places))} makes it"
        )
    return slots


async def _take(log: "Log", projection: "Projection", slot: Path, file: Path) -> None:
    from deploy.rebuilding import Taken, take

    if await take(log, projection, slot, file) == Taken.WAITS:
        click.echo(
            f"The server on {slot} is of another version, and goes on with its own. Replace it (kill -USR2): "
            "its successor takes the new read model at once."
        )
    else:
        click.echo(f"{slot / projection.name} is now {file.name}.")


def show(comparison: "Comparison", rows: int) -> bool:
    """Print what differs; whether anything does."""
    from deploy.facts import clean

    found = comparison.tables()
    for table in found:
        click.echo(str(table))
        if not table.columns:
            for row in comparison.rows(table.table, rows):
                tell(clean(str(row)), "  ", rest=4)
            if (left := table.changed + table.gone + table.new - rows) > 0:
                click.echo(f"  and {left:,} more")
    for held in comparison.held:
        click.echo(f"The old one holds back {held.stream} at revision {held.revision}: {clean(held.error)}")
    if not found:
        click.echo(f"No row differs, as of position {comparison.position}.")
    return bool(found)


def _asked() -> bool:
    if not sys.stdin.isatty():
        click.echo("Run it with --yes to take the new one.")
        return False
    return click.confirm("Take the new one in place of the old?")


@contextmanager
def progress(what: str) -> "Iterator[Tell]":
    """A bar with an estimate, on a terminal. Gives what is told how far it is, and how far it goes."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.completed:,} of {task.total:,}"),
        TimeRemainingColumn(),
    )
    quiet = not sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=quiet) as bar:
        task = bar.add_task(what, total=1)
        yield lambda done, total: bar.update(task, completed=done, total=max(total, 1))
