"""``admitone report``: sales, holds and payments up to a moment, as one page."""

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deploy.commands.options import existing, load, setting
from deploy.commands.outfile import written
from deploy.commands.reaching import reaching, tell_hidden
from deploy.reading import EMBEDDED

if TYPE_CHECKING:
    from deploy.settings import Settings
    from gateways.analysis.summary import Summary


@click.command(short_help="write a page on sales, holds and payments")
@click.option("--as-of", metavar="WHEN", help="up to this position or time; without it, all of the log")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), default=Path("report.html"), show_default=True,
    help="the file",
)  # fmt: skip
@click.option("--force", is_flag=True, help="replace the file if it is there")
@setting("data")
@setting("store")
def report(*, as_of: str | None, out: Path, force: bool, **options: str | None) -> None:
    """Write one HTML file that needs nothing else: sales over time, holds and what became of them, the
    time from hold to payment, and the numbers behind them.

    For the same position of the log it has the same bytes for ever. It names nobody.
    """
    from gateways.analysis.report import render

    told = load(**options)
    if told.store == EMBEDDED:
        existing(told.data)
    with written(out, force=force) as file:
        summary = asyncio.run(_summary(told, as_of))
        file.write(render(summary))
    click.echo(f"{out}: as of position {summary.position}")


async def _summary(told: "Settings", as_of: str | None) -> "Summary":
    from deploy.exporting import pages
    from deploy.log_beside import opened
    from deploy.when import Span, position
    from gateways.analysis.summary import Summary

    summary = Summary()
    async with opened(told) as log:
        until = await position(log, as_of, "--as-of")
        with reaching(log.head()) as tell:
            async with aclosing(pages(log, Span(last=until), tell)) as part:
                async for page in part:
                    summary.take(page)
        tell_hidden(log)
    return summary
