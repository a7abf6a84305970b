"""What a person is told when a command cannot go on: one line, and an exit status for scripts."""

import os
import sqlite3
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir

from msgspec import Struct

from deploy.settings import BadSettings, variable
from domain.decider import Refused
from processmanager.ports import StoreUnavailable

WRONG_SETTINGS = 2
DAMAGED = 3
FAILED = 1


class Failure(Struct, frozen=True):
    """``line``: what went wrong and what to do. ``status``: the exit status."""

    line: str
    status: int = FAILED


class Failed(Exception):
    """Ends a command with its failure."""

    def __init__(self, line: str, status: int = FAILED) -> None:
        super().__init__(line)
        self.failure = Failure(line, status)


@contextmanager
def known_place(place: Path) -> Iterator[None]:
    """What is written in ``place``. Raises Failed if there is no room: errors seldom say where that was."""
    from gateways import disk

    try:
        yield
    except (sqlite3.Error, OSError) as error:
        if disk.is_full(error, place) and not disk.has_room(place):
            raise Failed(disk.full(place)) from error
        raise


def explain(error: BaseException) -> Failure:
    """The one line that ``error`` amounts to."""
    from deploy.keys import KeyDamaged
    from gateways import disk
    from gateways.backup.cipher import BadKey
    from gateways.backup.segment import BackupDamaged
    from gateways.card_file import LedgerDamaged, LedgerUnavailable
    from gateways.damage import StoreDamaged
    from gateways.identity import AccountsDamaged, AccountsUnavailable

    match error:
        case Failed():
            return error.failure
        case BadSettings():
            return Failure(str(error), WRONG_SETTINGS)
        case KeyDamaged() | StoreDamaged() | AccountsDamaged() | LedgerDamaged() | BackupDamaged():
            return Failure(str(error), DAMAGED)
        case StoreUnavailable() | Refused() | BadKey() | AccountsUnavailable() | LedgerUnavailable():
            return Failure(str(error))
        case OSError() if disk.is_full(error, None):
            return Failure(disk.full(error.filename))
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            return Failure(f"{where}{error.strerror or error}")
        case sqlite3.Error() if disk.is_full(error, place := _workplace()):
            return Failure(disk.full(None if place is None or disk.has_room(place) else place))
        case sqlite3.DatabaseError():
            return Failure(f"the data directory cannot be used: {error}", DAMAGED)
        case _:
            hint = f"set {variable('log_level')}=debug to see where"
            return Failure(f"this should not have happened: {type(error).__name__}: {error} ({hint})")


def _workplace() -> Path | None:
    """Where commands put what only they need; None where there is no such place."""
    try:
        return Path(gettempdir())
    except FileNotFoundError:
        return None


def report(failure: Failure) -> None:
    """Say it on stderr, in one line."""
    print("admitone: " + " ".join(failure.line.split()), file=sys.stderr)  # noqa: T201 - for the user


def trace(error: BaseException) -> None:
    """The whole stack, for those who asked for it."""
    if os.environ.get(variable("log_level"), "").strip().lower() == "debug":
        traceback.print_exception(error)
