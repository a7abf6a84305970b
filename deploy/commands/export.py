"""``admitone export``: the log or a read model as a table, for other tools."""

import asyncio
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from deploy.commands.options import existing, load, setting
from deploy.commands.outfile import written
from deploy.commands.reaching import reaching, tell_hidden
from deploy.failing import WRONG_SETTINGS, Failed
from deploy.reading import EMBEDDED

if TYPE_CHECKING:
    from deploy.exporting import Source
    from deploy.settings import Settings


@click.command(short_help="write the log or a read model to a file")
@click.argument("what", default="events", metavar="[TABLE]")
@click.option(
    "--format",
    "form",
    type=click.Choice(["parquet", "csv", "jsonl"]),
    help="by default as the file is called",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="the file; without it, stdout")
@click.option("--since", metavar="WHEN", help="begin with this position or time")
@click.option("--until", metavar="WHEN", help="end with this position or time")
@click.option("--types", metavar="LIST", help="only events of these types, comma-separated")
@click.option("--anonymise", is_flag=True, help="give everybody and everything another name")
@click.option("--list", "listing", is_flag=True, help="name the tables and their columns")
@click.option("--force", is_flag=True, help="replace the file if it is there")
@setting("data")
@setting("store")
def export(
    what: str, *, form: str | None, out: Path | None, since: str | None, until: str | None,
    types: str | None, anonymise: bool, listing: bool, force: bool, **options: str | None,
) -> None:  # fmt: skip
    """Write the events, or a TABLE of a read model, as Parquet, CSV or JSON lines.

    TABLE is events, or a table of a read model such as orders.placed_order: --list names them all. A
    read model is built from the log for this, so with --until it is as it was then. WHEN is a position,
    or a time with its zone as in 2026-11-22T20:00:00Z.

    Beside a CSV or JSON lines file its schema is written to FILE.schema.json; Parquet holds its own.
    A server may be running. The file appears when it is complete.
    """
    from deploy.exporting import known_types, source

    if listing:
        _list()
        return
    told, wanted, form = load(**options), source(what), _format(form, out)
    only = known_types(types)
    if wanted.projection is not None and (only is not None or since is not None):
        raise Failed(
            "--since and --types are for events: a read model is of all up to --until", WRONG_SETTINGS
        )
    if told.store == EMBEDDED:
        existing(told.data)
    schema = None if form == "parquet" else (".schema.json", wanted.table.schema())
    with written(out, force=force, beside=schema) as file:
        asyncio.run(_export(told, wanted, (since, until), only, form, file, anonymise=anonymise))


def _list() -> None:
    from deploy.exporting import sources
    from gateways.analysis.columns import EVENTS

    for table in (EVENTS, *(each.table for each in sources().values())):
        click.echo(table.name)
        for column in table.columns:
            click.echo(f"    {column.name:<16} {column.kind:<8} {column.meaning}")


def _format(form: str | None, out: Path | None) -> str:
    if form is None:
        form = out.suffix.removeprefix(".") if out else "jsonl"
        if form not in ("parquet", "csv", "jsonl"):
            raise Failed(f"what format is {out} to be? Say --format parquet, csv or jsonl", WRONG_SETTINGS)
    if form == "parquet":
        from deploy.analysis_extra import need

        need("Parquet", "pyarrow")
        if out is None:
            raise Failed("Parquet goes into a file: say --out", WRONG_SETTINGS)
    return form


async def _export(
    told: "Settings",
    wanted: "Source",
    ends: tuple[str | None, str | None],
    types: frozenset[str] | None,
    form: str,
    file: IO[bytes],
    *,
    anonymise: bool,
) -> None:
    from deploy.exporting import write_events, write_table
    from deploy.log_beside import opened
    from deploy.when import span
    from gateways.analysis.anonymise import Anonymiser
    from gateways.analysis.writers import WRITERS

    async with opened(told) as log:
        part = await span(log, *ends)
        writer = WRITERS[form](wanted.table, file)
        change = Anonymiser(wanted.table).row if anonymise else None
        held: tuple[str, ...] = ()
        with reaching(log.head()) as tell:
            if wanted.projection is None:
                count = await write_events(log, part, types, writer, change, tell)
            else:
                count, held = await write_table(log, part, wanted, writer, change, tell)
        writer.close()
        for stream in held:
            click.echo(
                f"{stream} could not be applied to {wanted.table.name}, so it is missing there.", err=True
            )
        tell_hidden(log)
    click.echo(f"{count:,} rows of {wanted.table.name}.", err=True)
