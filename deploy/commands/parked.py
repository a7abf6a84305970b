"""``admitone parked``: what was set aside after failing too often, and an operator's word on it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deploy.commands.options import command_line, data_option, existing, load, setting
from deploy.failing import Failed
from deploy.places import Places

if TYPE_CHECKING:
    from processmanager.desk import Desk


@click.group(invoke_without_command=True, short_help="list, retry or skip what was set aside")
@setting("data")
@click.pass_context
def parked(context: click.Context, /, **options: str | None) -> None:
    """What was set aside because it failed too often. Nothing else waits for it.

    That is purchases whose next step failed, and streams that a read model could not apply. Without a
    further word they are listed.
    """
    context.obj = options["data"]
    if context.invoked_subcommand is None:
        context.invoke(show)


@parked.command(name="list", short_help="list what is set aside (the default)")
@setting("data")
@click.pass_context
def show(context: click.Context, /, data: str | None) -> None:
    """List what is set aside, longest first."""
    from deploy.parked import held_streams, parked_purchases

    places = _places(context, data)
    waiting = []
    for purchase in parked_purchases(places.log):
        waiting.append(purchase.order)
        since = purchase.since.astimezone()
        click.echo(
            f"order {purchase.order}  parked since {since:%Y-%m-%d %H:%M:%S}  "
            f"{purchase.step} failed {purchase.tries} times: {purchase.error}"
        )
    for stream in held_streams(places):
        waiting.append(stream.held.stream)
        click.echo(
            f"stream {stream.held.stream}  held back at revision {stream.held.revision} "
            f"by {stream.model}: {stream.held.error}"
        )
    if not waiting:
        click.echo("Nothing is set aside.")
        return
    there = data_option(places)
    click.echo(f"\nTry it again: {command_line('parked', 'retry', waiting[0], *there)}")
    click.echo(f"Or leave it:  {command_line('parked', 'skip', waiting[0], '--reason ...', *there)}")


@parked.command(short_help="try again what is set aside")
@click.argument("what", metavar="ORDER|STREAM")
@click.option("--by", default="operator", help="who decides this, as it will stand in the log")
@setting("data")
@click.pass_context
def retry(context: click.Context, /, what: str, by: str, data: str | None) -> None:
    """Try a parked purchase (ORDER) or a stream that is held back (STREAM) again, all its tries anew."""
    from processmanager.watchdog import retry_parked
    from projections.held import retry_held

    if "-" in what:
        _tell_models(_places(context, data), what, lambda model: retry_held(model, what))
    else:
        _tell_log(_places(context, data), what, lambda desk: retry_parked(desk, what, by))
    click.echo(f"{what} is tried again within a second, if a server is running.")


@parked.command(short_help="leave what is set aside as it is")
@click.argument("what", metavar="ORDER|STREAM")
@click.option("--reason", required=True, help="why; it is kept")
@click.option("--by", default="operator", help="who decides this; it is kept")
@setting("data")
@click.pass_context
def skip(context: click.Context, /, what: str, reason: str, by: str, data: str | None) -> None:
    """Leave a parked purchase (ORDER) as it is, or leave out the event that holds a STREAM back."""
    from processmanager.watchdog import skip_parked
    from projections.held import skip_held

    if not reason.strip():
        raise Failed("--reason must say why")
    if "-" in what:
        _tell_models(_places(context, data), what, lambda model: skip_held(model, what, by, reason))
    else:
        _tell_log(_places(context, data), what, lambda desk: skip_parked(desk, what, by, reason))
    click.echo(f"{what} is left as it is.")


def _places(context: click.Context, data: str | None) -> Places:
    """The data directory, whether --data stands before the last word of the command or behind it."""
    return existing(load(data=data or context.obj).data)


def _tell_log(places: Places, order: str, word: Callable[["Desk"], Awaitable[None]]) -> None:
    from deploy.parked import parked_purchases, say

    if order not in {purchase.order for purchase in parked_purchases(places.log)}:
        raise Failed(f"order {order} is not parked; see: {command_line('parked')}")
    asyncio.run(say(places.log, word))


def _tell_models(places: Places, stream: str, word: Callable[[Path], bool]) -> None:
    from deploy.parked import model_files

    if not [model for model in model_files(places) if word(model)]:
        raise Failed(f"no read model holds {stream} back; see: {command_line('parked')}")
