"""How far a long command is, for whoever waits."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from deploy.copying import Tell

SAY_EVERY = 10_000
"""Events between two lines on how far it is, where there is no terminal."""


@contextmanager
def progress() -> Iterator["Tell"]:
    """A bar on a terminal, else a line now and then. Gives what is told how far it is."""
    if not sys.stderr.isatty():
        yield _Lines().tell
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)

        def show(doing: str, done: int, of: int) -> None:
            progress.update(task, description=f"{doing} events", completed=done, total=of or None)

        yield show


class _Lines:
    """A line for every so many events."""

    def __init__(self) -> None:
        self._next: dict[str, int] = {}

    def tell(self, doing: str, done: int, of: int) -> None:
        if done >= self._next.get(doing, SAY_EVERY):
            self._next[doing] = done - done % SAY_EVERY + SAY_EVERY
            click.echo(f"{doing}: {done:,}{f' of {of:,}' if of else ''} events", err=True)
