"""A read model's file: opened, recognised by its fingerprint, thrown away when it is of no use.

Only what the projection wrote is lost with it, and the log tells that again.
"""

import logging
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Literal

from projections.projection import Projection

log = logging.getLogger("admitone.projections")

MEMORY = ":memory:"

_PATIENCE = 0.25
"""Seconds that a writer waits for an operator's word to be written; this is on the event loop."""

_TABLES = """
CREATE TABLE feed(
    fingerprint TEXT NOT NULL, position INTEGER NOT NULL, partial INTEGER NOT NULL,
    kind TEXT NOT NULL, last_id TEXT NOT NULL
);
CREATE TABLE held_back(
    stream TEXT NOT NULL, revision INTEGER NOT NULL, position INTEGER NOT NULL,
    tries INTEGER NOT NULL, error TEXT NOT NULL, retry_at INTEGER, parked INTEGER NOT NULL,
    skipped_by TEXT, reason TEXT,
    PRIMARY KEY (stream, revision)
);
"""
"""Beside the projection's own. feed: one row; partial: the upkeep is left out for now; kind, last_id: of
which kind of store the log is, and the id of the event at ``position``: see projections/origin.py."""

HOUSEKEEPING = ("feed", "held_back")

_TROUBLE = frozenset({
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOTADB,
})  # fmt: skip
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class Unusable(Exception):
    """The file is damaged, or of another projection, or of another version of this one."""


def primary(error: BaseException) -> int:
    """SQLite's primary result code, 0 if it was not SQLite that failed."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def is_files_fault(error: BaseException) -> bool:
    """Whether it is the file that is in trouble (full, gone, damaged) and not what was to be written."""
    return primary(error) in _TROUBLE


def connect(path: Path | str, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode, for use by one thread at a time."""
    target = f"{Path(path).absolute().as_uri()}?mode=ro" if read_only else str(path)
    connection = sqlite3.connect(
        target,
        timeout=_PATIENCE,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
        uri=read_only,
    )
    connection.execute("PRAGMA cache_size=-16000")
    return connection


def open_or_make(projection: Projection, path: Path | str) -> sqlite3.Connection:
    """The projection's file, made anew when there is none or it is of no use.

    Raises sqlite3.Error when the place itself cannot be used.
    """
    try:
        return _open(projection, path)
    except (Unusable, sqlite3.DatabaseError) as error:
        if not isinstance(error, Unusable) and primary(error) not in _DAMAGE:
            raise
        log.warning("read model %s is rebuilt from the log: %s", projection.name, error)
        remove(path)
        return _open(projection, path)


def _open(projection: Projection, path: Path | str) -> sqlite3.Connection:
    connection = connect(path)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute("PRAGMA secure_delete=OFF")
        connection.execute("PRAGMA temp_store=MEMORY")
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
            _make(projection, connection)
        check(projection, connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _make(projection: Projection, connection: sqlite3.Connection) -> None:
    """All tables in one transaction, so that a process that dies here leaves an empty file."""
    connection.executescript(f"BEGIN IMMEDIATE; {_TABLES} {projection.tables}")
    for statement in projection.upkeep:
        connection.execute(statement)
    connection.execute("INSERT INTO feed VALUES (?, 0, 0, '', '')", (projection.fingerprint,))
    connection.execute("COMMIT")


def check(projection: Projection, connection: sqlite3.Connection) -> None:
    """Raises Unusable unless the file was written by this very projection."""
    try:
        found = connection.execute("SELECT fingerprint FROM feed").fetchone()
    except sqlite3.OperationalError as error:
        if is_files_fault(error):
            raise
        raise Unusable("the file is not a read model") from error
    if found != (projection.fingerprint,):
        raise Unusable("the file was written by another version of the projection")


def actual(path: Path | str) -> Path:
    """The file itself, where ``path`` is a link to it: see projections/generations.py."""
    return Path(os.path.realpath(path))


def remove(path: Path | str) -> None:
    """Delete the file and what SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm"):
        for name in {actual(path), Path(path)}:
            Path(f"{name}{suffix}").unlink(missing_ok=True)


def checkpoint(path: Path | str, how: Literal["PASSIVE", "TRUNCATE"]) -> None:
    """Move what was committed from the write-ahead log into the file. Waits for the disk: not on the loop."""
    with closing(connect(path)) as connection:
        connection.execute(f"PRAGMA wal_checkpoint({how})").fetchall()
