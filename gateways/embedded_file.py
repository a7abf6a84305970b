"""The log's file: made, recognised, and checked before anything is served from it.

A full check of a million events takes longer than a start may take, so this looks where damage shows
cheaply: what the file says it is, the table's shape, its first and last events, and the mark beside it.
Each later read checks what it reads.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import TypeVar

from gateways import disk
from gateways.damage import StoreDamaged
from gateways.embedded_end import check_end
from gateways.embedded_mark import HeadMark, Mark
from gateways.embedded_recorder import CREATE, TABLE
from gateways.embedded_seals import CREATE_SEALS, FIRST_SEAL
from processmanager.ports import StoreUnavailable

T = TypeVar("T")

APPLICATION_ID = 0x41644F6E  # "AdOn", in the file's header
FORMAT = 2
"""The version of the tables. A file with a greater one was made by a newer Admit One."""

SEALED = 2
"""The first version in which every commit is sealed. An older file is, once it is written to."""

LOCK_WAIT = 3.0
"""Seconds to wait for another process that is writing."""

_BUSY_NAPS = (0.001, 0.005, 0.025, 0.1, 0.5)
"""Seconds. A reader is kept waiting only while another process recovers or closes the file."""

UNREADABLE = (sqlite3.Error, UnicodeDecodeError)
"""What sqlite3 raises for a damaged file: the latter when not even its own words about it can be read."""

_MOUNTS = Path("/proc/self/mountinfo")
_NETWORK_FILE_SYSTEMS = ("nfs", "nfs4", "cifs", "smb3", "smbfs")
_COLUMNS = "rowid originator_id originator_version topic state event_id metadata checksum".split()


def primary(error: sqlite3.Error) -> int:
    """SQLite's primary result code, without the detail that its extended codes add."""
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)) & 0xFF


def explain(error: sqlite3.Error | UnicodeDecodeError, path: Path) -> StoreUnavailable:
    """What SQLite reports, as the port's error."""
    if isinstance(error, UnicodeDecodeError):
        return StoreDamaged(f"{path} is damaged or is no log: it holds text that is none")
    code = primary(error)
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreDamaged(f"{path} is damaged or is no log: {error}")
    if disk.is_full(error, path):
        return StoreUnavailable(disk.full(path))
    if code == sqlite3.SQLITE_BUSY:
        return StoreUnavailable(f"another process has held {path} locked for {LOCK_WAIT:.0f} s")
    return StoreUnavailable(f"{path}: {error}")


async def when_free(path: Path, read: Callable[[], T]) -> T:
    """What ``read`` gives, asked again while the file is held by somebody else. Raises StoreUnavailable."""
    for nap in (*_BUSY_NAPS, None):
        try:
            return read()
        except sqlite3.Error as error:
            if primary(error) != sqlite3.SQLITE_BUSY or nap is None:
                raise explain(error, path) from error
            await asyncio.sleep(nap)
    raise AssertionError("the last try returns or raises")


def connect(path: Path) -> sqlite3.Connection:
    """A connection that from now on never waits for a lock. Not for the event loop: opening may wait.

    Every commit on it is on the disk when it returns.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=LOCK_WAIT)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA cache_size=-65536")
    # Checkpoints are made between commits, not within one that somebody waits for.
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute("PRAGMA busy_timeout=0")
    return connection


def begin(connection: sqlite3.Connection) -> None:
    """Take the write lock. Waits up to LOCK_WAIT seconds, so never call it on the event loop."""
    _insist(connection, "BEGIN IMMEDIATE")


def _insist(connection: sqlite3.Connection, statement: str) -> None:
    """Do it as soon as no other process is in the way, within LOCK_WAIT seconds.

    SQLite's own waiting takes ever longer naps: of two busy processes one starved for 300 ms. And where two
    would wait for each other, it does not wait at all.
    """
    give_up = monotonic() + LOCK_WAIT
    while True:
        try:
            connection.execute(statement)
        except sqlite3.OperationalError as error:
            if primary(error) != sqlite3.SQLITE_BUSY or monotonic() > give_up:
                raise
            sleep(0.001)
        else:
            return


def prepare(path: Path) -> None:
    """Make the log if there is none, and check the one that there is. Blocks: not for the event loop.

    Raises StoreDamaged, or StoreUnavailable when the place cannot be used.
    """
    _refuse_network(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(f"{path.parent} cannot be made: {error.strerror}") from None
    while True:
        mark = _mark(path)  # before the log is read: others may write while we look
        try:
            with closing(connect(path)) as connection:
                version = _recognise(connection, path)
                if version is None:
                    _make(connection)
                check_end(connection, path, mark, sealed=version is None or version >= SEALED)
        except UNREADABLE as error:
            raise explain(error, path) from error
        except StoreDamaged:
            if _mark(path) == mark:  # else it was being written just when it was read
                raise
        else:
            return


def _mark(path: Path) -> Mark | None:
    """The head mark. One that is no mark may just be being written."""
    with suppress(StoreDamaged):
        return HeadMark.read(path)
    return HeadMark.read(path)


def open_checked(path: Path) -> sqlite3.Connection:
    """Check the file, or make it, and connect to it. Raises as ``prepare`` does."""
    prepare(path)
    return connect(path)


def open_unchecked(path: Path, *, any_thread: bool = False) -> sqlite3.Connection:
    """Connect to a file that is a log, to look what is wrong with it. Nothing is made.

    any_thread: not only this one will use it. Raises StoreDamaged, sqlite3.Error.
    """
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        isolation_level=None,
        check_same_thread=not any_thread,
    )
    try:
        version = _recognise(connection, path)
    except BaseException:
        connection.close()
        raise
    if version is None:
        connection.close()
        raise StoreDamaged(f"{path} is empty")
    return connection


def open_to_write(path: Path) -> sqlite3.Connection:
    """The same for whoever will write: sealing begins in a log that was written before there were seals."""
    connection = open_checked(path)
    try:
        if connection.execute("PRAGMA user_version").fetchone()[0] < SEALED:
            _make(connection)
    except BaseException as error:
        connection.close()
        if isinstance(error, sqlite3.Error):
            raise explain(error, path) from error
        raise
    return connection


def checkpoint(connection: sqlite3.Connection) -> None:
    """Copy the write-ahead log into the file. If that fails the log is whole all the same."""
    with suppress(sqlite3.Error):
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def touch(connection: sqlite3.Connection) -> None:
    """Write what is there already, within a transaction: its commit tells whether the file can be written."""
    connection.execute(f"PRAGMA user_version={FORMAT}")


def _recognise(connection: sqlite3.Connection, path: Path) -> int | None:
    """See that it is a log; the version of its format, None for an empty file."""
    connection.execute(f"PRAGMA busy_timeout={int(LOCK_WAIT * 1000)}")
    connection.execute("BEGIN")  # of one moment: another process may be making the log
    try:
        kind = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")]
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    if not tables and not kind:
        return None
    if kind != APPLICATION_ID:
        raise StoreDamaged(f"{path} is a SQLite file, but no log of Admit One")
    if version > FORMAT:
        raise StoreDamaged(
            f"{path} was made by a newer version of Admit One (format {version}; this one reads {FORMAT})"
        )
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({TABLE})")]
    if columns != _COLUMNS:
        raise StoreDamaged(f"{path} does not have the table of a log: its columns are {', '.join(columns)}")
    return int(version)


def _make(connection: sqlite3.Connection) -> None:
    """Two processes may do this at the same time: each statement leaves alone what is there."""
    _insist(connection, "PRAGMA journal_mode=WAL")
    begin(connection)
    for statement in (CREATE, CREATE_SEALS, FIRST_SEAL):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={FORMAT}")
    connection.execute("COMMIT")


def _refuse_network(path: Path) -> None:
    """SQLite's locks do not hold across a network file system, so two hosts would both write."""
    place = str(path.parent.resolve())
    with suppress(OSError):
        mounts = [line.split() for line in _MOUNTS.read_text().splitlines()]
        points = {mount[4]: mount[mount.index("-") + 1] for mount in mounts}
        under = max((point for point in points if _is_under(place, point)), key=len, default="/")
        if points.get(under) in _NETWORK_FILE_SYSTEMS:
            raise StoreUnavailable(f"{place} is on a network file system ({points[under]}): use a local disk")


def _is_under(place: str, point: str) -> bool:
    return point in ("/", place) or place.startswith(point + "/")
