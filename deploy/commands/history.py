"""``admitone history``: what happened to a ticket, an order or a payment, for a person to read."""

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from deploy.commands.options import existing, load, setting
from deploy.commands.show import AT, KINDS
from deploy.failing import Failed
from deploy.reading import EMBEDDED
from deploy.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console

    from processmanager.timeline import Entry

WIDE = 110
"""Columns of a terminal from which on a table of this can be read."""


@click.command(short_help="tell what happened to a ticket, order or payment")
@click.argument("name", metavar="ID")
@click.option("--at", metavar="TIME|POSITION", help=f"only what had happened by then: {AT}")
@setting("data")
@setting("store")
def history(name: str, *, at: str | None, **options: str | None) -> None:
    """Tell what happened to the ticket, order or payment ID: what, by whom, why, and how long it stayed so.

    A ticket's history has the disputes in it that freeze it. An order's history has its payments in it, and
    its ticket as far as it was about this order. On a terminal a table, or a list where it is narrow, with
    times in your own zone; into a pipe one JSON object for each event. Nothing is written.
    """
    told = load(**options)
    if told.store == EMBEDDED:
        existing(told.data)
    entries = asyncio.run(_entries(told, name, at))
    if not entries:
        raise Failed(
            f"nothing is called {name}" if at is None else f"nothing was called {name} at {at}: it came later"
        )
    if sys.stdout.isatty():
        from rich.console import Console

        console = Console(highlight=False)
        (_as_table if console.width >= WIDE else _as_list)(entries, console)
    else:
        _as_json(entries)


async def _entries(told: Settings, name: str, at: str | None) -> "list[Entry]":
    from deploy.log_beside import opened
    from deploy.when import position
    from processmanager.archive import Archive
    from processmanager.timeline import timeline

    kind, dash, key = name.partition("-")
    kinds = (kind,) if dash and kind in KINDS else KINDS
    key = key if dash and kind in KINDS else name
    async with opened(told) as log:
        until, archive = await position(log, at), Archive(log)
        for category in kinds:
            facts = await archive.facts(f"{category}-{key}", until)
            if facts and category == "ticket":
                facts = await archive.of_ticket(key, until)
            if facts and category == "order":
                facts = list((await archive.purchase(key, until)).facts)
            if facts:
                return timeline(facts, str)
    return []


def _as_json(entries: "list[Entry]") -> None:
    import msgspec

    from deploy.facts import lasting

    for entry in entries:
        line = msgspec.structs.asdict(entry) | {"lasted": lasting(entry.lasted)}
        sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")


def _as_list(entries: "list[Entry]", console: "Console") -> None:
    """For a terminal that is too narrow for a table: what happened in lines of their own."""
    from rich.padding import Padding
    from rich.text import Text

    from deploy.facts import clean, colour_of, short

    for entry in entries:
        console.print(_when(entry), Text(entry.event, colour_of(entry.stream)))
        console.print(Padding(Text(short(clean(_what(entry)))), (0, 0, 0, 2)))
        held = entry.holder and f"held by {entry.holder}"
        told = f"by {entry.who}", str(entry.price or ""), held, _lasted(entry)
        console.print(Padding(Text(short(clean(" · ".join(filter(None, told)))), "dim"), (0, 0, 1, 2)))


def _when(entry: "Entry") -> str:
    return f"{entry.at.astimezone():%Y-%m-%d %H:%M:%S}"


def _what(entry: "Entry") -> str:
    return entry.what + (f" ({entry.why})" if entry.why else "")


def _lasted(entry: "Entry") -> str:
    from processmanager.timeline import span

    return "until now" if entry.lasted is None else span(entry.lasted)


def _as_table(entries: "list[Entry]", console: "Console") -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from deploy.facts import clean, colour_of, short

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("when", "event", "what", "by", "price", "held by", "lasted"):
        table.add_column(title, overflow="fold", no_wrap=title in {"when", "event", "lasted"})
    for entry in entries:
        table.add_row(
            _when(entry),
            Text(entry.event, colour_of(entry.stream)),
            Text(short(clean(_what(entry)))),
            Text(short(clean(entry.who))),
            str(entry.price or ""),
            Text(short(clean(entry.holder or ""))),
            _lasted(entry),
        )
    console.print(table)
