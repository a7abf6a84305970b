"""Erasing people: their accounts leave nothing in the file, and their sessions are accepted no more.

A session is a signed token that nobody looks up, so it would outlive its account. Therefore the ids of
erased accounts, which say nothing about a person, are kept beside the accounts.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from time import monotonic, sleep

from gateways import disk
from gateways.identity import AccountsUnavailable, connect

LOOK = 1.0
"""Seconds after which a session of an account that was just erased is accepted no more, at most."""

PATIENCE = 5.0
"""Seconds to wait for readers who still see the file as it was."""


class Erasures:
    """The ids of the accounts that were erased, read from the file about once a second."""

    def __init__(self, path: Path, now: Callable[[], float] = monotonic) -> None:
        """Raises AccountsDamaged."""
        self._database = connect(path)
        self._database.execute("PRAGMA busy_timeout = 0")  # requests wait while this looks
        self._now = now
        self._ids = set[str]()
        self._newest = 0
        self._next = 0.0

    def __contains__(self, account_id: object) -> bool:
        if self._now() >= self._next:
            self._next = self._now() + LOOK
            self._look()
        return account_id in self._ids

    def _look(self) -> None:
        """A few microseconds. What cannot be read now is read a second later."""
        try:
            found = self._database.execute(
                "SELECT number, id FROM erased WHERE number > ? ORDER BY number", (self._newest,)
            ).fetchall()
        except sqlite3.Error:
            return
        for self._newest, account_id in found:
            self._ids.add(account_id)

    def close(self) -> None:
        self._database.close()


def find(path: Path, name: str) -> str | None:
    """The id of the account with this id or e-mail address. Raises AccountsDamaged, AccountsUnavailable."""
    with closing(connect(path)) as database:
        row = database.execute(
            "SELECT id FROM account WHERE id = ? OR address = ?", (name, name.casefold())
        ).fetchone()
    return row and str(row[0])


def was_erased(path: Path, account_id: str) -> bool:
    """Whether the account with this id is gone. Raises AccountsDamaged, AccountsUnavailable."""
    with closing(connect(path)) as database:
        found = database.execute("SELECT 1 FROM erased WHERE id = ?", (account_id,)).fetchone()
    return found is not None


def erase(path: Path, account_ids: Iterable[str], at: datetime) -> None:
    """Remove these accounts, so that no byte of them is left in the file or beside it. Twice is once.

    A server may be using the file. Raises AccountsDamaged, and AccountsUnavailable: then the same again, for
    any one of them. The accounts may be gone by then, and what is left of them in the file is not.
    """
    ids = list(account_ids)
    again = f"by its id: admitone erase {ids[0]}" if ids else ""
    with closing(connect(path)) as database:
        try:
            remove(database, ids, at)
            # Other pages may hold copies of a row that was moved; a new file holds only what is there.
            database.execute("PRAGMA temp_store = MEMORY")
            database.execute("VACUUM")
            _empty_log(database)
        except TimeoutError:
            raise AccountsUnavailable(f"somebody reads {path} all the time: try again, {again}") from None
        except sqlite3.Error as error:
            why = disk.full(path) if disk.is_full(error, path) else f"{path}: {error}: try again"
            raise AccountsUnavailable(f"{why}, {again}") from error


def remove(database: sqlite3.Connection, account_ids: Iterable[str], at: datetime) -> None:
    """Delete the rows and remember the ids, in one transaction. Raises sqlite3.Error."""
    ids: Sequence[tuple[str]] = [(account_id,) for account_id in account_ids]
    database.execute("BEGIN IMMEDIATE")
    database.executemany("DELETE FROM account WHERE id = ?", ids)
    database.executemany(
        "INSERT OR IGNORE INTO erased (id, at) VALUES (?, ?)", [(id_, at.isoformat()) for (id_,) in ids]
    )
    database.execute("COMMIT")


def _empty_log(database: sqlite3.Connection) -> None:
    """Bring the write-ahead log into the file and cut it to nothing. Raises TimeoutError, sqlite3.Error."""
    give_up = monotonic() + PATIENCE
    while database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
        if monotonic() > give_up:
            raise TimeoutError
        sleep(0.05)
