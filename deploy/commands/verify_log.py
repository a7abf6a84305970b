"""``admitone verify-log``: whether the log is what was written."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from deploy.commands.options import command_line, existing, load, setting
from deploy.commands.telling import tell
from deploy.failing import DAMAGED, Failed
from deploy.reading import EMBEDDED
from deploy.settings import Settings, option_name

if TYPE_CHECKING:
    from gateways.chain_proof import Tell, Verified
    from gateways.embedded_mark import Mark


@click.command("verify-log", short_help="prove that nothing in the log was altered")
@click.option(
    "--mark", metavar="MARK", help="a head mark of before, as this command shows it, to hold the log against"
)
@setting("data")
@setting("store")
def verify_log(mark: str | None, **options: str | None) -> None:
    """Read the whole log and prove that it is what was written: nothing altered, missing, put in, moved or
    cut off.

    Names the first event that is not, and exits with 3. Changes nothing; a server may be running.
    """
    told = load(**options)
    embedded = told.store == EMBEDDED
    expected = _mark(mark, embedded=embedded)
    with _progress() as tell:
        verified = _in_directory(told, expected, tell) if embedded else _on_eventstoredb(told, tell)
    _tell(verified, embedded=embedded)


def _in_directory(told: Settings, expected: "Mark | None", tell: "Tell") -> "Verified":
    from gateways.damage import MarkDiffers, StoreDamaged
    from gateways.embedded_verify import verify

    places = existing(told.data)
    try:
        return verify(places.log, tell, expected)
    except MarkDiffers as differs:
        raise Failed(
            f"{differs}. Look first whose mark it is: if it is this log's, stop serving it, and restore the "
            "log from a backup or a copy",
            DAMAGED,
        ) from None
    except StoreDamaged as damaged:
        raise Failed(
            f"{damaged}. Stop serving it, and restore the log from a backup or a copy", DAMAGED
        ) from None


def _on_eventstoredb(told: Settings, tell: "Tell") -> "Verified":
    from deploy.stores import named_by

    with named_by(option_name("store")):
        from gateways.eventstoredb_verify import verify

        return asyncio.run(verify(told.store, tell))


def _mark(text: str | None, *, embedded: bool) -> "Mark | None":
    if text is None:
        return None
    if not embedded:
        raise Failed(
            "--mark is for a log in a data directory: EventStoreDB keeps the order of its log itself", 2
        )
    from gateways.embedded_mark import Mark

    try:
        return Mark.from_text(text)
    except ValueError as error:
        raise Failed(f"--mark: {error}: it is a position, a colon and 64 hexadecimal digits", 2) from None


@contextmanager
def _progress() -> Iterator["Tell"]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("Verifying the log", total=None)
        yield lambda position, head: progress.update(task, completed=position, total=head)


def _tell(verified: "Verified", *, embedded: bool) -> None:
    size = f"{_count(verified.events, 'event')} in {_count(verified.streams, 'stream')}"
    tell(f"{size}: each is what was written, and follows on the one before it in its stream.")
    if verified.unchained:
        click.echo(f"{verified.unchained:,} of them were written before events were chained.")
    if not embedded:
        click.echo("The order of the whole log is EventStoreDB's own to keep.")
    elif verified.head is None:
        click.echo(f"Their order is not sealed yet: `{command_line('serve')}` begins with that.")
    else:
        begun = (verified.sealed_behind or 0) + 1
        click.echo(f"Their order is sealed from position {begun:,} on.")
        click.echo(f"Head mark: {verified.head}")
        tell("Kept elsewhere, the mark proves with --mark that this log was never replaced by another.")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
