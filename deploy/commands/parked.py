"""``admitone parked``: what was set aside after failing too often, and an operator's word on it."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deploy.commands.options import command_line, data_option, existing, load, setting
from deploy.commands.telling import tell
from deploy.failing import Failed, known_place
from deploy.places import Places
from deploy.reading import EMBEDDED
from deploy.settings import Settings, variable

if TYPE_CHECKING:
    from deploy.parked import Office
    from processmanager.desk import Desk

Word = Callable[["Desk"], Awaitable[None]]


@click.group(invoke_without_command=True, short_help="list, retry or skip what was set aside")
@setting("data")
@setting("store")
@click.pass_context
def parked(context: click.Context, /, **options: str | None) -> None:
    """What was set aside because it failed too often. Nothing else waits for it.

    That is purchases whose next step failed, and streams that a read model could not apply; on EventStoreDB
    also signals that no process could answer. Without a further word they are listed.
    """
    context.obj = options
    if context.invoked_subcommand is None:
        context.invoke(show)


@parked.command(name="list", short_help="list what is set aside (the default)")
@setting("data")
@setting("store")
@click.pass_context
def show(context: click.Context, /, **options: str | None) -> None:
    """List what is set aside, longest first."""
    told = _told(context, options)
    waiting = asyncio.run(_show(told))
    if not waiting:
        click.echo("Nothing is set aside.")
        return
    there = _there(told)
    click.echo(f"\nTry it again: {command_line('parked', 'retry', waiting[0], *there)}")
    click.echo(f"Or leave it:  {command_line('parked', 'skip', waiting[0], '--reason ...', *there)}")


async def _show(told: Settings) -> list[str]:
    """List it; gives under which names it can be spoken of."""
    from deploy.parked import held_streams, office, parked_purchases

    waiting = []
    async with office(told) as there:
        for purchase in await parked_purchases(there):
            waiting.append(purchase.order)
            tell(
                f"{purchase.step} failed {purchase.tries} times: {purchase.error}",
                f"order {purchase.order}  parked since {purchase.since.astimezone():%Y-%m-%d %H:%M:%S}  ",
                rest=2,
            )
        for signal in await there.signals():
            if signal.reason:
                waiting.append(signal.subject)
                since = f"{signal.since.astimezone():%Y-%m-%d %H:%M:%S}"
                tell(
                    f"{signal.fact.stream} revision {signal.fact.revision}: {signal.reason}",
                    f"signal {signal.subject}  set aside by the store since {since}  ",
                    rest=2,
                )
        if signals := await there.waiting():
            click.echo(
                f"The store has set aside {_counted(signals, 'signal')}, those of purchases among them."
            )
    for stream in held_streams(Places(told.data)):
        waiting.append(stream.held.stream)
        where = f"held back at revision {stream.held.revision} by {stream.model}"
        tell(f"{where}: {stream.held.error}", f"stream {stream.held.stream}  ", rest=2)
    return waiting


@parked.command(short_help="try again what is set aside")
@click.argument("what", metavar="[ORDER|STREAM]", required=False)
@click.option("--all", "everything", is_flag=True, help="all parked purchases, and all signals")
@click.option("--yes", is_flag=True, help="with --all: do not ask first")
@click.option("--by", default="operator", help="who decides this, as it will stand in the log")
@setting("data")
@setting("store")
@click.pass_context
def retry(
    context: click.Context,
    /,
    what: str | None,
    *,
    everything: bool,
    yes: bool,
    by: str,
    **options: str | None,
) -> None:
    """Try a parked purchase (ORDER) or a stream that is held back (STREAM) again, all its tries anew.

    EventStoreDB gives out again all signals that it has set aside, or none. Those of purchases that stay
    parked are set aside again, untried. How many there are is said before.
    """
    from processmanager.watchdog import retry_parked
    from projections.held import retry_held

    told = _told(context, options)
    if everything == (what is not None):
        raise Failed("say which ORDER or STREAM is to be tried again, or --all")
    if what is None:
        asyncio.run(_retry_all(told, by, ask=not yes))
        return
    if not asyncio.run(_say(told, what, lambda desk: retry_parked(desk, what, by))):
        _tell_models(told, what, lambda model: retry_held(model, what))
    click.echo(f"{what} is tried again within a second, if a server is running.")


@parked.command(short_help="leave what is set aside as it is")
@click.argument("what", metavar="ORDER|STREAM")
@click.option("--reason", required=True, help="why; it is kept")
@click.option("--by", default="operator", help="who decides this; it is kept")
@setting("data")
@setting("store")
@click.pass_context
def skip(context: click.Context, /, what: str, reason: str, by: str, **options: str | None) -> None:
    """Leave a parked purchase (ORDER) as it is, or leave out the event that holds a STREAM back."""
    from processmanager.watchdog import skip_parked
    from projections.held import skip_held

    told = _told(context, options)
    if not reason.strip():
        raise Failed("--reason must say why")
    if not asyncio.run(_say(told, what, lambda desk: skip_parked(desk, what, by, reason), signals=False)):
        _tell_models(told, what, lambda model: skip_held(model, what, by, reason))
    click.echo(f"{what} is left as it is.")


def _told(context: click.Context, options: dict[str, str | None]) -> Settings:
    """The settings, whether the options stand before the last word of the command or behind it."""
    before = context.obj or {}
    told = load(**{name: value or before.get(name) for name, value in options.items()})
    if told.store == EMBEDDED:
        existing(told.data)
    return told


def _there(told: Settings) -> list[str]:
    """What a command line needs to find the same store. An address may hold a password."""
    if told.store == EMBEDDED:
        return data_option(Places(told.data))
    return [] if variable("store") in os.environ else ["--store", "esdb://..."]


async def _say(told: Settings, what: str, word: Word, *, signals: bool = True) -> bool:
    """Write ``word`` on a parked purchase, and have its signals given out again; False if it is no purchase.

    signals: what is no purchase may be a signal, which is given out again.
    """
    from deploy.parked import office, parked_purchases

    async with office(told) as there:
        if what in {purchase.order for purchase in await parked_purchases(there)}:
            await there.say(word)
        elif not signals or what not in {signal.subject for signal in await there.signals()}:
            return False
        await _replay(there)
    return True


async def _replay(there: "Office") -> None:
    if count := await there.waiting():
        click.echo(f"The store gives out again all that it has set aside: {_counted(count, 'signal')}.")
        await there.replay()


async def _retry_all(told: Settings, by: str, *, ask: bool) -> None:
    from deploy.parked import office, parked_purchases
    from processmanager.watchdog import retry_parked

    async with office(told) as there:
        orders = [purchase.order for purchase in await parked_purchases(there)]
        count = await there.waiting()
        if not orders and not count:
            click.echo("Nothing is set aside.")
            return
        signals = f", and the store would give out again {_counted(count, 'signal')}" if count else ""
        click.echo(f"{_counted(len(orders), 'parked purchase')} would be tried again{signals}.")
        if ask:
            click.confirm("Go on?", abort=True)

        async def say_all(desk: "Desk") -> None:
            for order in orders:
                await retry_parked(desk, order, by)

        await there.say(say_all)
        await there.replay()
        click.echo("They are tried again within a second, if a server is running.")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _tell_models(told: Settings, what: str, word: Callable[[Path], bool]) -> None:
    from deploy.parked import model_files

    places = Places(told.data)
    if "-" not in what:
        raise Failed(f"order {what} is not parked; see: {command_line('parked', *_there(told))}")
    with known_place(places.root):
        known = [model for model in model_files(places) if word(model)]
    if not known:
        raise Failed(f"no read model holds {what} back; see: {command_line('parked', *_there(told))}")
