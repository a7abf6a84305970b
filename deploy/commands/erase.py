"""``admitone erase``: a person leaves, and nothing of him stays."""

import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import click

from deploy.commands.options import load, setting
from deploy.failing import WRONG_SETTINGS, Failed
from deploy.places import Places

_ID = re.compile(r"[0-9a-f]{24}")


@click.command(short_help="erase people: their accounts, for ever")
@click.argument("accounts", metavar="ACCOUNT...", nargs=-1, required=True)
@click.option("--elsewhere", is_flag=True, help="accounts of another service: only end their sessions here")
@click.option("--yes", is_flag=True, help="do not ask")
@setting("data")
def erase(accounts: Sequence[str], *, elsewhere: bool, yes: bool, **options: str | None) -> None:
    """Erase the accounts with these ids or e-mail addresses; with - they are read from stdin, line by line.

    Nothing of them stays in the data directory: the log and what is made from it know an account by an id
    that says nothing of a person. Sales and payments stay as they were. Their sessions are accepted no more
    within a second, where a server is running. Dated backups of accounts keep them until they expire.
    """
    from gateways import erasure

    path = Places(load(**options).data).accounts
    if not path.is_file():
        raise Failed(f"there are no accounts in {path.parent}/: give --data")
    names = _read(sys.stdin) if list(accounts) == ["-"] else list(accounts)
    ids = _of_elsewhere(names) if elsewhere else _known(path, names)
    if not yes and sys.stdin.isatty():
        click.confirm(f"Erase {_count(ids)} for ever?", abort=True)
    erasure.erase(path, ids, datetime.now(UTC))
    click.echo(
        f"Erased {_count(ids)}. Backups of accounts that were made before hold them until they expire."
    )


def _read(lines: TextIO) -> list[str]:
    return [name for line in lines if (name := line.strip())]


def _known(path: Path, names: Sequence[str]) -> list[str]:
    """Their ids; all are known, or nothing is done. An id that was erased is: that may not be finished."""
    from gateways.erasure import find, was_erased

    found = {name: find(path, name) or (name if was_erased(path, name) else None) for name in names}
    unknown = [number for number, name in enumerate(names, 1) if found[name] is None]
    if unknown:
        # What was given may be an address, and what is printed may be kept.
        which = ", ".join(map(str, unknown[:10])) + (" …" if len(unknown) > 10 else "")
        raise Failed(f"no account has this id or address: number {which} of those given. Nothing was erased")
    return list(dict.fromkeys(account_id for account_id in found.values() if account_id))


def _of_elsewhere(names: Sequence[str]) -> list[str]:
    if not all(_ID.fullmatch(name) for name in names):
        raise Failed("--elsewhere takes ids of accounts, of 24 hexadecimal digits", WRONG_SETTINGS)
    return list(dict.fromkeys(names))


def _count(ids: Sequence[str]) -> str:
    return f"{len(ids):,} account{'' if len(ids) == 1 else 's'}"
