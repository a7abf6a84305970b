"""``admitone demo``: sell one ticket on a running server, and show the log beside it."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deploy.commands.options import load, setting
from deploy.places import Places

if TYPE_CHECKING:
    from rich.console import Console

    from deploy.demo import Step
    from domain.decider import AnyRecorded

SIDE_BY_SIDE = 100
"""Columns of a terminal from which on the log stands beside the step and not below it."""


@click.command(short_help="sell one ticket on a running server, step by step")
@setting("host", "the server's address")
@setting("port", "the server's port")
@setting("data", "the server's data directory")
def demo(**options: str | None) -> None:
    """Drive a running server through a whole sale by HTTP: list, reserve, pay.

    Beside each step stands what happened in the log, if the server's data directory is on this machine.
    """
    told = load(**options)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(told.host, told.host)  # noqa: S104 - a comparison
    url = f"http://[{host}]:{told.port}" if ":" in host else f"http://{host}:{told.port}"
    log = Places(told.data).log
    asyncio.run(_demonstrate(url, log if log.is_file() else None))
    if not log.is_file():
        click.echo(f"(What happened in the log is not shown: there is none in {told.data}/. Give --data.)")


async def _demonstrate(url: str, log: Path | None) -> None:
    from rich.console import Console

    from deploy.demo import Shop
    from deploy.log_reader import head

    console, shop = Console(highlight=False), Shop(url)
    seen = head(log) if log else 0
    number = 0
    try:
        async for step in shop.steps():
            number += 1
            happened, seen = await _led_to(step.request, log, seen) if log else ([], 0)
            _show(console, number, step, happened)
    finally:
        await shop.close()


async def _led_to(request: str, log: Path, seen: int) -> tuple[list["AnyRecorded"], int]:
    """The facts behind the position ``seen`` that ``request`` led to, and how far the log was seen."""
    from deploy.log_reader import facts

    found = []
    async for fact in facts(log, after=seen):
        seen = fact.position
        if fact.metadata.correlation == request:
            found.append(fact)
    return found, seen


def _show(console: "Console", number: int, step: "Step", happened: list["AnyRecorded"]) -> None:
    from rich.console import Group
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    from deploy.facts import as_short_line, clean, short

    asked = Group(
        Text(f"{number}. {step.title}", style="bold"),
        Padding(Text(step.asked), (0, 0, 0, 3)),
        Padding(Text(short(clean(step.answered)), style="green"), (0, 0, 0, 3)),
    )
    log = Group(*(Text.assemble("→ ", as_short_line(fact)) for fact in happened))
    if console.width >= SIDE_BY_SIDE:
        table = Table.grid(expand=True, padding=(0, 2))
        table.add_column(ratio=4)
        table.add_column(ratio=5)
        table.add_row(asked, log)
        console.print(table)
    else:
        console.print(asked, Padding(log, (0, 0, 0, 5)))
    console.print()
