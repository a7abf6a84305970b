"""The card ledger's file: its tables, and opening it beside other processes that do the same."""

import sqlite3
import time
from pathlib import Path

from gateways import disk

VERSION = 2
PATIENCE = 5.0
"""Seconds that opening waits for others who are opening the same file."""

TABLES = (
    """
    CREATE TABLE IF NOT EXISTS attempts (
        id TEXT PRIMARY KEY, "order" TEXT NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL,
        method TEXT NOT NULL, state TEXT NOT NULL, facts TEXT NOT NULL
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE IF NOT EXISTS calls (
        key TEXT PRIMARY KEY, operation TEXT NOT NULL, attempt TEXT NOT NULL,
        state TEXT NOT NULL, facts TEXT NOT NULL
    ) WITHOUT ROWID
    """,
    # That money is taken once, and goes back once under each refund's name, holds even if the rules had
    # a mistake.
    """
    CREATE TABLE IF NOT EXISTS entries (
        number INTEGER PRIMARY KEY, kind TEXT NOT NULL, attempt TEXT NOT NULL,
        "order" TEXT NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL,
        refund TEXT NOT NULL DEFAULT '', UNIQUE (attempt, kind, refund)
    )
    """,
    'CREATE INDEX IF NOT EXISTS entries_of_order ON entries ("order")',
)


_FROM_1 = ("ALTER TABLE entries RENAME TO entries_1", "DROP INDEX entries_of_order")
_MOVE_1 = (
    "INSERT INTO entries SELECT number, kind, attempt, \"order\", amount, currency, '' FROM entries_1",
    "DROP TABLE entries_1",
)
"""The first version knew one refund of an attempt, the whole one."""


class LedgerUnavailable(Exception):
    """There is no room for the ledger. One clear line."""


class LedgerDamaged(Exception):
    """The ledger's file cannot be used: damaged, foreign, or written by a newer version. One clear line."""


def open_file(path: Path | str) -> sqlite3.Connection:
    """A connection to the ledger at ``path`` (or ``:memory:``), made if it is missing.

    It never waits for another writer. It may be used by one thread at a time. Raises LedgerDamaged,
    LedgerUnavailable.
    """
    try:
        db = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise LedgerDamaged(f"The card ledger {path} cannot be opened: {error}") from None
    try:
        _prepare(db)
    except (sqlite3.Error, LedgerDamaged) as error:
        db.close()
        if isinstance(error, sqlite3.Error) and disk.is_full(error, Path(path)):
            raise LedgerUnavailable(disk.full(path)) from None
        raise LedgerDamaged(f"The card ledger {path} cannot be used: {error}") from None
    return db


def is_busy(error: sqlite3.Error) -> bool:
    """Whether the call failed only because another process is writing."""
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _prepare(db: sqlite3.Connection) -> None:
    _write_ahead(db)
    # A provider does not forget what it has answered, not even when the power goes.
    db.execute("PRAGMA synchronous = FULL")
    db.execute("BEGIN IMMEDIATE")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise LedgerDamaged(f"a newer version wrote it (format {version}, this one reads up to {VERSION})")
    if version == 0 and db.execute("SELECT 1 FROM sqlite_schema").fetchone():
        raise LedgerDamaged("it is another program's database")
    old = version == 1
    for statement in (*(_FROM_1 if old else ()), *TABLES, *(_MOVE_1 if old else ())):
        db.execute(statement)
    db.execute(f"PRAGMA user_version = {VERSION}")
    db.execute("COMMIT")
    # From here on, waiting is the event loop's business.
    db.execute("PRAGMA busy_timeout = 0")


def _write_ahead(db: sqlite3.Connection) -> None:
    # SQLite does not wait here: of two processes that switch a new file, one fails at once.
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
