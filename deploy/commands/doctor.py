"""``admitone doctor``: hold everything that is written against everything else that is."""

import asyncio
import sys
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from deploy.commands.options import command_line, existing, load, setting
from deploy.places import Places

if TYPE_CHECKING:
    from rich.console import Console

    from deploy.books import Books
    from deploy.doctor import Finding
    from deploy.models_check import ModelChecks
    from gateways.card_ledger import Entry

SHOWN = 10
"""Findings of one kind that are listed; the rest is counted."""


@click.command(short_help="cross-check the log, read models, deadlines and payments")
@setting("data")
def doctor(**options: str | None) -> None:
    """Read the whole log and hold against it the read models, the deadlines and the provider's ledger.

    Exits with 1 if something is wrong, and says what and which command repairs it. Changes nothing; a
    server may be running.
    """
    from rich.console import Console

    from deploy.doctor import CHECKS, Case
    from deploy.models_check import ModelChecks

    console = Console(highlight=False, soft_wrap=True)
    told = load(**options)
    places = existing(told.data)
    models = ModelChecks(places)
    books = asyncio.run(_read(places, models))
    case = Case(books, _entries(places), datetime.now(UTC))
    wrong = sum(_tell(console, told.shown()["data"], check.__doc__ or "", check(case)) for check in CHECKS)
    wrong += _tell(
        console, told.shown()["data"], "Each read model is what a rebuild gives.", models.findings()
    )
    size = f"{books.events:,} events in {len(books.touched):,} streams"
    console.print(f"\n{size}: {'all is well' if not wrong else f'{wrong:,} findings'}.")
    sys.exit(1 if wrong else 0)


async def _read(places: Places, models: "ModelChecks") -> "Books":
    from rich.console import Console
    from rich.progress import Progress

    from deploy.books import Books
    from deploy.log_reader import head, pages

    books = Books()
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Reading the log", total=head(places.log))
        async for page in pages(places.log):
            books.take(page)
            models.take(page)
            progress.update(task, completed=page[-1].position)
    return books


def _entries(places: Places) -> tuple["Entry", ...]:
    from gateways.card_ledger import CardLedger

    if not places.cards.is_file():
        return ()
    with closing(CardLedger(places.cards)) as ledger:
        return tuple(ledger.entries())


def _tell(console: "Console", data: str, title: str, found: Iterable["Finding"]) -> int:
    """Print one check; how much it found."""
    from rich.text import Text

    from deploy.facts import clean

    findings = list(found)
    mark = Text("✗ ", "bold red") if findings else Text("✓ ", "green")
    console.print(Text.assemble(mark, title.splitlines()[0]))
    for finding in findings[:SHOWN]:
        console.print(Text(f"    {clean(finding.what)}"))
        console.print(Text(f"      → {_as_typed(finding.repair, data)}", "cyan"))
    if len(findings) > SHOWN:
        console.print(f"    and {len(findings) - SHOWN:,} more")
    return len(findings)


def _as_typed(repair: str, data: str) -> str:
    """A repair as the user would type it here."""
    options = "" if data == "var" else f" --data {data}"
    called = command_line()
    return repair.replace("admitone parked", f"{called} parked{options}").replace(
        "admitone ", f"{called} "
    ) + ("" if "parked" in repair else options)
