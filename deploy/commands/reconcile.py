"""``admitone reconcile``: the provider's books held against payments, orders and tickets."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from deploy.commands.options import as_typed, data_option, existing, load, setting, store_option
from deploy.failing import Failed
from deploy.places import Places
from deploy.reading import EMBEDDED
from deploy.settings import Settings

if TYPE_CHECKING:
    from deploy.reconciled import Report
    from deploy.reconciling import Progress, Reconciliation
    from projections.differences import Difference
    from projections.provider_books import ProviderBooks

UNFINISHED = 4
"""The exit status where it could not be done."""
SAY_EVERY = 100_000
"""Lines, or positions of the log, between two words on how far it is, where there is no terminal."""


@click.command(short_help="hold the payment provider's books against payments, orders and tickets")
@click.option(
    "--days", type=click.IntRange(1, 3650), help="only what the provider had in the last so many days"
)
@click.option("--last", is_flag=True, help="show what the running server found last, and ask nobody")
@click.option("--json", "as_json", is_flag=True, help="one JSON object for each difference")
@setting("data")
@setting("store")
def reconcile(*, days: int | None, last: bool, as_json: bool, **options: str | None) -> None:
    """Hold everything that the payment provider has of ours against the whole log, both ways.

    Each difference names the stream, the last fact in it, and the command that mends it. Exits with 1 if
    anything differs, with 4 if it could not be done. Changes nothing; a server may be running. What was
    written within the last minute is left alone.
    """
    from deploy.reconciled import read_report

    told = load(**options)
    places = existing(told.data) if told.store == EMBEDDED else Places(told.data)
    there = [*data_option(places), *store_option(told)]
    if last:
        report = read_report(places.reconciliation)
        if report is None:
            raise Failed("no server has reconciled here yet: run this without --last", UNFINISHED)
        for found in report.differences:
            _tell(found, there, as_json=as_json)
    else:
        report = asyncio.run(_reconcile(told, days, there, as_json=as_json))
    if not as_json:
        _sum_up(report, there, last=last)
    sys.exit(UNFINISHED if report.trouble else 0 if report.well else 1)


async def _reconcile(told: Settings, days: int | None, there: Sequence[str], *, as_json: bool) -> "Report":
    from deploy.log_beside import opened
    from deploy.reconciling import MOST_PAGES, read_log
    from projections.provider_books import BooksUnavailable

    now = datetime.now(UTC)
    with TemporaryDirectory(prefix="admitone-") as folder:
        model = Path(folder) / "reconciliation.sqlite"
        async with _begun(told, now, days) as (reconciliation, books):
            with _Shown() as shown:
                try:
                    await reconciliation.take_books(books, MOST_PAGES, shown)
                except BooksUnavailable as trouble:
                    raise Failed(f"{trouble}; nothing was compared", UNFINISHED) from None
                async with opened(told) as log:
                    await read_log(log.pages(), model, shown)
                    hidden = tuple(log.hidden)
            for found in reconciliation.differences(model):
                _tell(found, there, as_json=as_json)
            return reconciliation.report(hidden)


@asynccontextmanager
async def _begun(
    told: Settings, now: datetime, days: int | None
) -> "AsyncIterator[tuple[Reconciliation, ProviderBooks]]":
    from deploy.provider import open_books
    from deploy.reconciling import Reconciliation

    books = open_books(told)
    reconciliation = Reconciliation(now, None if days is None else now - timedelta(days=days))
    try:
        yield reconciliation, books
    finally:
        reconciliation.close()
        await books.close()


class _Shown:
    """How far it is: on a terminal always, else a line now and then."""

    def __init__(self) -> None:
        self._next: dict[str, int] = {}
        self._terminal = sys.stderr.isatty()

    def __enter__(self) -> "Progress":
        return self._tell

    def __exit__(self, *_: object) -> None:
        if self._terminal:
            click.echo("\r\033[K", nl=False, err=True)

    def _tell(self, what: str, done: int) -> None:
        if self._terminal:
            click.echo(f"\r\033[KReading {what}: {done:,}", nl=False, err=True)
        elif done >= self._next.get(what, SAY_EVERY):
            self._next[what] = done - done % SAY_EVERY + SAY_EVERY
            click.echo(f"Reading {what}: {done:,}", err=True)


def _tell(found: "Difference", there: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        import msgspec

        told = msgspec.structs.asdict(found) | {"repair": as_typed(found.repair, there)}
        click.echo(msgspec.json.encode(told).decode())
        return
    from deploy.facts import clean

    fact = f"{found.event} at position {found.position}" if found.event else "no fact"
    click.echo(f"{found.kind}: {clean(found.what)}")
    click.echo(f"    {clean(found.stream)}, {fact}")
    click.echo(f"    → {as_typed(found.repair, there)}")


def _sum_up(report: "Report", there: Sequence[str], *, last: bool) -> None:
    from deploy.facts import clean

    if last and report.found > len(report.differences):
        click.echo(f"and {report.found - len(report.differences):,} more that are not kept in the report")
    for stream in report.unread:
        click.echo(f"{clean(stream)} could not be read\n    → {as_typed(f'admitone events {stream}', there)}")
    since = "" if report.since is None else f" since {report.since:%Y-%m-%d %H:%M} UTC"
    click.echo(f"{report.at:%Y-%m-%d %H:%M:%S} UTC{since}: {report.said()}.")
