"""``admitone doctor``: hold everything that is written against everything else that is."""

import asyncio
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deploy.commands.options import as_typed, data_option, existing, load, setting, store_option
from deploy.failing import known_place
from deploy.places import Places
from deploy.reading import EMBEDDED
from deploy.settings import Settings

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
@setting("store")
def doctor(**options: str | None) -> None:
    """Read the whole log and hold against it the read models, the deadlines and the provider's ledger.

    Exits with 1 if something is wrong, and says what and which command repairs it. Changes nothing; a
    server may be running.
    """
    from rich.console import Console

    from deploy.doctor import CHECKS, Case, ledger
    from deploy.models_check import ModelChecks

    console = Console(highlight=False, soft_wrap=True)
    told = load(**options)
    places = existing(told.data) if told.store == EMBEDDED else Places(told.data)
    with tempfile.TemporaryDirectory(prefix="admitone-") as folder, known_place(places.root):
        models = ModelChecks(places, Path(folder))
        books = asyncio.run(read_books(told, models))
        differences = list(models.findings())
    case = Case(books, entries(told.ledger), datetime.now(UTC))
    there = [*data_option(places), *store_option(told)]
    # The card simulator's ledger says nothing of money that Stripe has.
    checks = [check for check in CHECKS if check is not ledger or not told.stripe_secret_key]
    wrong = sum(_tell(console, there, check.__doc__ or "", check(case)) for check in checks)
    wrong += _tell(console, there, "Each read model is what a rebuild gives.", differences)
    size = f"{books.events:,} events in {len(books.touched):,} streams"
    found = f"{wrong:,} finding{'s' if wrong > 1 else ''}" if wrong else "all is well"
    console.print(f"\n{size}: {found}.")
    sys.exit(1 if wrong else 0)


async def read_books(told: Settings, models: "ModelChecks") -> "Books":
    """The whole log, folded, and shown to ``models`` on the way."""
    from rich.console import Console
    from rich.progress import Progress

    from deploy.books import Books
    from deploy.log_beside import opened

    books, console = Books(), Console(stderr=True)
    async with opened(told) as log:
        with Progress(console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
            task = progress.add_task("Reading the log", total=log.head())
            async for page in log.pages():
                books.take(page)
                models.take(page)
                progress.update(task, completed=page[-1].position)
        for stream, why in log.hidden.items():
            books.broken.setdefault(stream, f"EventStoreDB no longer shows all of it: {why}")
    return books


def entries(ledger_file: Path) -> tuple["Entry", ...]:
    """What the card simulator has in its ledger."""
    from gateways.card_ledger import CardLedger

    if not ledger_file.is_file():
        return ()
    with closing(CardLedger(ledger_file)) as ledger:
        return tuple(ledger.entries())


def _tell(console: "Console", there: Sequence[str], title: str, found: Iterable["Finding"]) -> int:
    """Print one check; how much it found."""
    from rich.text import Text

    from deploy.facts import clean

    findings = list(found)
    mark = Text("✗ ", "bold red") if findings else Text("✓ ", "green")
    console.print(Text.assemble(mark, title.splitlines()[0]), soft_wrap=not console.is_terminal)
    for finding in findings[:SHOWN]:
        console.print(Text(f"    {clean(finding.what)}"))
        console.print(Text(f"      → {as_typed(finding.repair, there)}", "cyan"))
    if len(findings) > SHOWN:
        console.print(f"    and {len(findings) - SHOWN:,} more")
    return len(findings)
