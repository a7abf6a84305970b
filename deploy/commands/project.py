"""``admitone project``: a projection of one's own, made from the log into a file."""

import asyncio
import importlib.util
import shutil
import sqlite3
import tempfile
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deploy.commands.options import existing, load, setting
from deploy.commands.outfile import written
from deploy.commands.reaching import reaching, tell_hidden
from deploy.failing import WRONG_SETTINGS, Failed
from deploy.reading import EMBEDDED

if TYPE_CHECKING:
    from deploy.settings import Settings
    from projections.projection import Projection


@click.command(short_help="make a projection of your own from the log")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", metavar="NAME", help="which projection, if FILE declares several")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="by default FILE with .sqlite")
@click.option("--until", metavar="WHEN", help="up to this position or time; without it, all of the log")
@click.option("--force", is_flag=True, help="replace the file if it is there")
@setting("data")
@setting("store")
def project(
    file: Path, *, name: str | None, out: Path | None, until: str | None, force: bool, **options: str | None
) -> None:
    """Feed the projection that the Python FILE declares with the log, into a SQLite file.

    docs/analysis.md has an example. The log is only read, also while a server is running.
    """
    told, projection = load(**options), _declared(file, name)
    if told.store == EMBEDDED:
        existing(told.data)
    out = out or file.with_suffix(".sqlite")
    with tempfile.TemporaryDirectory(prefix="admitone-") as folder, written(out, force=force) as target:
        made, position = asyncio.run(_make(told, projection, until, Path(folder)))
        with made.open("rb") as source:
            shutil.copyfileobj(source, target)
    click.echo(f"{out}: {projection.name} as of position {position}")


def _declared(file: Path, name: str | None) -> "Projection":
    """The projection that ``file`` declares. Raises Failed."""
    from projections.projection import Projection

    if not file.is_file():
        raise Failed(f"there is no file {file}", WRONG_SETTINGS)
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise Failed(f"{file} is no Python file", WRONG_SETTINGS)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise Failed(f"{file} cannot be used: {type(error).__name__}: {error}", WRONG_SETTINGS) from error
    found = {each.name: each for each in vars(module).values() if isinstance(each, Projection)}
    if name is not None:
        found = {key: each for key, each in found.items() if key == name}
    if not found:
        raise Failed(f"{file} declares no Projection{f' called {name}' if name else ''}", WRONG_SETTINGS)
    if len(found) > 1:
        raise Failed(f"{file} declares {' and '.join(found)}: say which with --name", WRONG_SETTINGS)
    return next(iter(found.values()))


async def _make(
    told: "Settings", projection: "Projection", until: str | None, folder: Path
) -> tuple[Path, int]:
    """The file that was made, and the position that it is at. Raises Failed when something does not apply."""
    from deploy.exporting import pages
    from deploy.log_beside import opened
    from deploy.when import Span, position
    from gateways.analysis.models import Rebuilt

    try:
        model, reached = Rebuilt(projection, folder), 0
        async with opened(told) as log:
            last = await position(log, until, "--until")
            with reaching(log.head()) as tell:
                async with aclosing(pages(log, Span(last=last), tell)) as part:
                    async for page in part:
                        model.take(page)
                        reached = page[-1].position
            tell_hidden(log)
        held = model.finish()
    except sqlite3.Error as error:
        raise Failed(f"the tables of {projection.name} cannot be made or written: {error}") from None
    if held:
        first = held[0]
        raise Failed(
            f"{projection.name} cannot apply {first.stream} revision {first.revision}: {first.error} "
            f"({len(held)} such streams)"
        )
    return model.path, reached
