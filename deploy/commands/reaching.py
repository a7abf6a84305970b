"""How far a command has read the log, and what it could not see there."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from deploy.log_beside import Log


@contextmanager
def reaching(head: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, told of each position that was reached."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("Reading the log", total=head)
        yield lambda position: progress.update(task, completed=position)


def tell_hidden(log: "Log") -> None:
    """Name the streams that the store no longer shows whole."""
    for hidden, why in log.hidden.items():
        click.echo(f"EventStoreDB no longer shows all of {hidden}: {why}.", err=True)
