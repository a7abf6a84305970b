"""``admitone events``: the log, or a part of it, as it is or as it grows."""

import asyncio
import select
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import click

from deploy.commands.options import existing, load, setting
from deploy.commands.reaching import tell_hidden
from deploy.failing import WRONG_SETTINGS, Failed
from deploy.reading import EMBEDDED
from domain.decider import AnyRecorded

Wanted = Callable[[AnyRecorded], bool]

WIDE = 110
"""Columns of a terminal from which on the names of streams are shown whole."""


@click.command(short_help="print the log, and follow it")
@click.argument("stream", required=False)
@click.option("--follow", "-f", is_flag=True, help="go on as the log grows")
@click.option(
    "--after",
    type=int,
    default=0,
    metavar="N",
    help="begin behind position N; -N begins with the last N events",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="stop after N events")
@click.option("--request", metavar="ID", help="only what the request or order ID led to")
@setting("data")
@setting("store")
def events(
    stream: str | None,
    *,
    follow: bool,
    after: int,
    limit: int | None,
    request: str | None,
    **options: str | None,
) -> None:
    """Print what happened.

    The whole log, one STREAM (order-5f2c...) or all streams of a category (order).

    On a terminal one readable line for each event; into a pipe one JSON object for each. Nothing is
    written to the log, and a server may be running on it.
    """
    told = load(**options)
    if told.store == EMBEDDED:
        existing(told.data)
    one_stream = stream if stream and "-" in stream else None
    if stream and not one_stream:
        _refuse_unknown(stream)

    def wanted(fact: AnyRecorded) -> bool:
        return stream in (None, fact.stream, fact.category) and request in (None, fact.metadata.correlation)

    async def show() -> None:
        from deploy.log_beside import opened

        async with opened(told) as log:
            if one_stream and not follow and not await log.read(one_stream):
                raise Failed(f"there is no stream {one_stream}")
            facts = log.facts(after=after, stream=one_stream, follow=follow)
            await _print_until_unread(facts, wanted, limit)
            tell_hidden(log)

    with suppress(KeyboardInterrupt):
        asyncio.run(show())


def _refuse_unknown(category: str) -> None:
    from domain.deciders import DECIDERS

    known = [decider.category for decider in DECIDERS]
    if category not in known:
        raise Failed(f"there are no streams of '{category}': there are {', '.join(known)}", WRONG_SETTINGS)


async def _print_until_unread(log: AsyncIterator[AnyRecorded], wanted: Wanted, limit: int | None) -> None:
    """Print, and end as soon as nobody reads it any more, as `| head` does, also while nothing happens."""
    printing = asyncio.create_task(_print(log, wanted, limit))
    unread = asyncio.create_task(_unread())
    done, _ = await asyncio.wait({printing, unread}, return_when=asyncio.FIRST_COMPLETED)
    for task in (printing, unread):
        task.cancel()
    if printing in done:
        printing.result()


async def _unread() -> None:
    """Until the other end of a pipe on stdout is closed."""
    pipe = select.poll()
    pipe.register(sys.stdout.fileno(), 0)
    while True:
        if any(event & select.POLLERR for _, event in pipe.poll(0)):
            return
        await asyncio.sleep(0.2)


async def _print(log: AsyncIterator[AnyRecorded], wanted: Wanted, limit: int | None) -> None:
    show, shown = _printer(), 0
    async for fact in log:
        if wanted(fact):
            show(fact)
            shown += 1
            if shown == limit:
                return


def _printer() -> Callable[[AnyRecorded], None]:
    if not sys.stdout.isatty():
        from deploy.facts import as_json

        def show_json(fact: AnyRecorded) -> None:
            sys.stdout.buffer.write(as_json(fact) + b"\n")
            sys.stdout.buffer.flush()

        return show_json

    from rich.console import Console

    from deploy.facts import as_line

    console = Console(highlight=False)
    narrow = console.width < WIDE
    return lambda fact: console.print(
        as_line(fact, narrow=narrow), no_wrap=True, overflow="ellipsis", crop=True
    )
