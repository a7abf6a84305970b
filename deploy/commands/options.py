"""Options as they follow from the settings, and what every command begins with."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from deploy.failing import Failed
from deploy.places import Places
from deploy.reading import EMBEDDED
from deploy.settings import SETTINGS, Settings, defaults, option_name, variable

F = TypeVar("F", bound=Callable[..., Any])


def setting(name: str, meaning: str | None = None) -> Callable[[F], F]:
    """The option that sets ``name``. It gives the text as typed: ``Settings.load`` reads and checks it.

    meaning: what it means to this command, if not what it means to ``serve``.
    """
    declared, default = SETTINGS[name], defaults()[name]
    if default in ("0", "1") and SETTINGS[name].read("1") is True:
        flag = f"{option_name(name)}/--no-{name.replace('_', '-')}"
        shown = f"{declared.meaning}  [default: {'yes' if default == '1' else 'no'}]"
        return click.option(flag, name, default=None, callback=_as_text, help=shown)
    return click.option(
        option_name(name),
        name,
        metavar=declared.kind,
        help=f"{meaning or declared.meaning}  [default: {default}]",
    )


def _as_text(_: click.Context, __: click.Parameter, value: bool | None) -> str | None:
    return None if value is None else str(int(value))


def load(**options: str | None) -> Settings:
    """The settings of this command. Raises BadSettings."""
    return Settings.load(options, os.environ)


def existing(data: Path) -> Places:
    """The places of a data directory that somebody has served from. Raises Failed when there is none."""
    places = Places(data)
    if not places.log.is_file():
        raise Failed(f"there is no log in {data}/ yet: start `{command_line('serve')}` first, or give --data")
    return places


def command_line(*words: str) -> str:
    """A command as the user would type it from where he is."""
    called = Path(sys.argv[0])
    if called.name != "admitone":
        return " ".join(("admitone", *words))
    here = Path.cwd()
    path = (
        str(called.relative_to(here)) if called.is_absolute() and called.is_relative_to(here) else str(called)
    )
    return " ".join((path, *words))


def data_option(places: Places) -> list[str]:
    """What a command line needs to find ``places``: nothing if that is where it looks anyway."""
    usual = str(places.root) == defaults()["data"] or variable("data") in os.environ
    return [] if usual else ["--data", str(places.root)]


def store_option(told: Settings) -> list[str]:
    """What a command line needs to find the store; its address may hold a password, so it is not repeated."""
    usual = told.store == EMBEDDED or variable("store") in os.environ
    return [] if usual else [option_name("store"), "esdb://…"]


def as_typed(repair: str, there: Sequence[str]) -> str:
    """A repair as the user would type it here. ``there``: what finds the data."""
    before, found, words = repair.partition("admitone ")
    return before + command_line(words, *there) if found else repair
