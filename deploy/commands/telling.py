"""Long lines for people: on a terminal they end between words, and what follows stays in its column.

Not for lines with a command in them: one that is copied must come back whole.
"""

import sys
from shutil import get_terminal_size

import click


def tell(text: str, first: str = "", rest: int | None = None) -> None:
    """Print ``first`` and then ``text``; further lines begin ``rest`` columns in, or below the text."""
    if not sys.stdout.isatty():
        click.echo(first + text)
        return
    indent = " " * (len(first) if rest is None else rest)
    width = get_terminal_size().columns
    click.echo(click.wrap_text(text, width, initial_indent=first, subsequent_indent=indent))
