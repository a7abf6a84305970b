"""``admitone sql``: questions to the log and the read models."""

import asyncio
import sys
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from deploy.commands.options import existing, load, setting
from deploy.commands.reaching import reaching, tell_hidden
from deploy.commands.telling import tell
from deploy.failing import WRONG_SETTINGS, Failed
from deploy.reading import EMBEDDED

if TYPE_CHECKING:
    from deploy.settings import Settings
    from gateways.analysis.questions import Question
    from gateways.analysis.warehouse import Answer

SHOWN = 200
"""Rows that are shown on a terminal; --format gives them all."""


@click.command(short_help="ask the log and the read models in SQL")
@click.argument("sql", required=False)
@click.option("--list", "listing", is_flag=True, help="name the ready questions")
@click.option("--name", metavar="QUESTION", help="ask a ready question")
@click.option("--param", multiple=True, metavar="NAME=VALUE", help="a value for $NAME in the SQL")
@click.option("--as-of", metavar="WHEN", help="as it was at this position or time")
@click.option("--format", "form", type=click.Choice(["table", "csv", "jsonl"]), help="of the answer")
@click.option(
    "--timeout", type=click.FloatRange(0.1, 3600), default=60.0, show_default=True, metavar="SECONDS",
    help="how long the question may take, when the log has been read",
)  # fmt: skip
@setting("data")
@setting("store")
def sql(
    sql: str | None, *, listing: bool, name: str | None, param: tuple[str, ...], as_of: str | None,
    form: str | None, timeout: float, **options: str | None,
) -> None:  # fmt: skip
    """Ask in SQL (DuckDB's), and change nothing.

    There are the table events, a view for each type of event (ticket_reserved, order_placed, ...) with a
    column for each of its fields, and the read models (catalogue.ticket, orders.placed_order,
    ledger.entry, ...): SHOW ALL TABLES and DESCRIBE say more. Times are in UTC, amounts in minor units.

    On a terminal the answer is a table, into a pipe one JSON object for each row. The log is read into a
    database of its own for each question; files, networks and settings are out of its reach.
    """
    from deploy.analysis_extra import need

    if listing:
        _list()
        return
    need("admitone sql", "duckdb", "pyarrow")
    from deploy.asking import bounded_memory, completed, values_of
    from gateways.analysis.questions import BadQuestion
    from gateways.analysis.warehouse import check

    told = load(**options)
    question, values = _asked(sql, name), values_of(param)
    if isinstance(question, str):
        asked = question
    else:
        asked, values = question.sql, completed(question, values)
    try:
        check(asked)
        if told.store == EMBEDDED:
            existing(told.data)
        with bounded_memory():
            asyncio.run(_ask(told, asked, values, as_of, form, timeout))
    except BadQuestion as error:
        raise Failed(str(error)) from None


def _list() -> None:
    from gateways.analysis.questions import QUESTIONS

    for question in QUESTIONS:
        tell(question.asks, f"{question.name:<16} ")
        for needed, meaning in question.needs.items():
            given = question.given.get(needed)
            click.echo(f"{'':<16}   --param {needed}=…  {meaning}{f' [default: {given}]' if given else ''}")


def _asked(sql: str | None, name: str | None) -> "str | Question":
    """The SQL, or a ready question."""
    if (sql is None) == (name is None):
        raise Failed("ask one question: SQL, or --name of a ready one (--list names them)", WRONG_SETTINGS)
    if name is None:
        return sql or ""
    from gateways.analysis.questions import BY_NAME

    if name not in BY_NAME:
        raise Failed(f"there is no question '{name}': `admitone sql --list` names them", WRONG_SETTINGS)
    return BY_NAME[name]


async def _ask(
    told: "Settings", asked: str, values: dict[str, str], as_of: str | None, form: str | None, seconds: float
) -> None:  # fmt: skip
    from deploy.asking import filled, within, workplace
    from deploy.log_beside import opened
    from deploy.when import position

    with workplace() as folder:
        async with opened(told) as log:
            until = await position(log, as_of, "--as-of")
            with reaching(log.head()) as tell:
                questions = await filled(log, until, asked, folder, tell)
            tell_hidden(log)
        try:
            # The loop has nothing else to do, and Ctrl-C is heard while this waits.
            within(seconds, questions, folder, lambda: _print(questions.ask(asked, values), form))
        finally:
            questions.close()


def _print(answer: "Answer", form: str | None) -> None:
    form = form or ("table" if sys.stdout.isatty() else "jsonl")
    if form == "table":
        _table(answer)
    elif form == "csv":
        import csv

        lines = csv.writer(sys.stdout, lineterminator="\n")
        lines.writerow(answer.names)
        lines.writerows([_shown(value) for value in row] for row in answer.rows)
    else:
        for line in _json(answer):
            sys.stdout.buffer.write(line)
    sys.stdout.flush()


def _json(answer: "Answer") -> Iterator[bytes]:
    import msgspec

    encode = msgspec.json.Encoder(enc_hook=str).encode
    for row in answer.rows:
        yield encode(dict(zip(answer.names, map(_narrow, row), strict=True))) + b"\n"


def _narrow(value: Any) -> Any:
    """A number that JSON's readers would not hold goes as text."""
    return str(value) if isinstance(value, int) and abs(value) >= 1 << 63 else value


def _shown(value: Any) -> str:
    from datetime import datetime

    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return "" if value is None else str(value)


def _table(answer: "Answer") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from deploy.facts import clean

    table = Table(*answer.names)
    rows = list(islice(answer.rows, SHOWN + 1))
    for row in rows[:SHOWN]:
        table.add_row(*[Text(clean(_shown(value))) for value in row])
    console = Console(highlight=False)
    console.print(table)
    if len(rows) > SHOWN:
        console.print(f"and more than these {SHOWN} rows: --format csv gives them all")
