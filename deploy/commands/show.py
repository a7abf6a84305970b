"""``admitone show``: one ticket, order or payment, as it is or as it was."""

import asyncio
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from deploy.commands.options import existing, load, setting
from deploy.failing import Failed
from deploy.reading import EMBEDDED
from deploy.settings import Settings

if TYPE_CHECKING:
    from domain.decider import Loaded

KINDS = ("ticket", "order", "payment")
AT = "a time with its zone (2026-11-24T12:00:00Z), or a position of the log"


@click.command(short_help="show a ticket, order or payment, now or at any time before")
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("name", metavar="ID")
@click.option("--at", metavar="TIME|POSITION", help=f"as it was then: {AT}")
@setting("data")
@setting("store")
def show(kind: str, name: str, *, at: str | None, **options: str | None) -> None:
    """Show one ticket, order or payment as it is, or as it was.

    It is folded from its events up to there, so it says the same for ever. On a terminal a table; into a
    pipe one JSON object. Nothing is written, and a server may be running.
    """
    told, name = load(**options), name.removeprefix(f"{kind}-")
    if told.store == EMBEDDED:
        existing(told.data)
    loaded = asyncio.run(_load(told, kind, name, at))
    facts = {
        "kind": kind,
        "id": name,
        "state": type(loaded.state).__name__,
        "revision": loaded.revision,
        "position": loaded.position,
        **_fields(loaded.state),
    }
    if sys.stdout.isatty():
        _as_table(facts)
    else:
        _as_json(facts)


async def _load(told: Settings, kind: str, name: str, at: str | None) -> "Loaded[Any]":
    from deploy.log_beside import opened
    from deploy.when import position
    from domain.deciders import DECIDERS
    from processmanager.archive import Archive
    from processmanager.desk import UnreadableStream

    decider = next(decider for decider in DECIDERS if decider.category == kind)
    async with opened(told) as log:
        until = await position(log, at)
        try:
            loaded = await Archive(log).load(decider, name, until)
        except UnreadableStream as error:
            raise Failed(f"{error}; see: admitone events {decider.stream(name)}") from None
    if loaded.state == decider.initial:
        raise Failed(f"there is no {kind} {name}" if at is None else f"there was no {kind} {name} at {at}")
    return loaded


def _fields(state: Any) -> dict[str, Any]:
    """The state's fields, those of a listing, a request or of terms among them."""
    import msgspec

    fields = dict[str, Any]()
    for field, value in msgspec.structs.asdict(state).items():
        if field in {"listing", "terms", "request"} and isinstance(value, msgspec.Struct):
            fields |= msgspec.structs.asdict(value)
        else:
            fields[field] = value
    return fields


def _as_json(facts: dict[str, Any]) -> None:
    import msgspec

    sys.stdout.buffer.write(msgspec.json.encode(facts) + b"\n")


def _shown(value: Any) -> str:
    """A value for a person: a struct as its fields, several of something each on a line of its own."""
    import msgspec

    from domain.money import Money

    match value:
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S} UTC"
        case Money() | str() | int():
            return str(value)
        case None:
            return "–"
        case tuple():
            each = map(_shown, value)
            return ", ".join(each) if any(map(_plain, value)) else "\n".join(each) or "–"
        case msgspec.Struct():
            return ", ".join(
                f"{name}: {_shown(part)}" for name, part in msgspec.structs.asdict(value).items()
            )
        case _:
            return str(value)


def _plain(value: Any) -> bool:
    return isinstance(value, str | int)


def _as_table(facts: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from deploy.facts import clean

    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, Text(clean(_shown(value))))
    Console(highlight=False).print(table)
