"""The whole of the log's file verified: every event, the order of all, the head mark, the file itself."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Self

from gateways.chain_proof import Flawed, Tell, Verified
from gateways.damage import StoreDamaged
from gateways.embedded_end import check_given, check_mark, log_end
from gateways.embedded_file import SEALED, UNREADABLE, explain, open_unchecked
from gateways.embedded_mark import HeadMark, Mark
from gateways.embedded_proof import Proof
from gateways.embedded_recorder import CREATE, TABLE
from gateways.embedded_seals import CREATE_SEALS, NOTHING_SEALED, SEALS, first


def verify(path: Path, tell: Tell, expected: Mark | None = None) -> Verified:
    """Verify the log as it is now; others may go on writing to it. Nothing is changed.

    expected: a head mark that was kept elsewhere. Raises StoreDamaged, MarkDiffers, StoreUnavailable.
    """
    mark = HeadMark.read(path)  # before the log is: others may write while we look
    try:
        with closing(open_unchecked(path)) as connection, _FileCheck(path) as check:
            verified = _verified(connection, path, mark, check, tell)
            if expected is not None:
                check_given(connection, path, expected, verified.events)
            return verified
    except Flawed as flaw:
        raise StoreDamaged(f"{path} is damaged: {flaw}") from None
    except UNREADABLE as error:
        raise explain(error, path) from error


def _verified(
    connection: sqlite3.Connection, path: Path, mark: Mark | None, check: "_FileCheck", tell: Tell
) -> Verified:
    head, sealed = log_end(connection)
    begun = first(connection) if sealed else None
    proof = Proof(connection, 0, None)
    try:
        for position in proof.run(head):
            tell(position, head)
    except UNREADABLE as error:
        raise Flawed(f"what stands behind position {proof.position} cannot be read: {error}") from error
    if mark is not None:
        check_mark(connection, path, mark, head)
    if begun is not None and begun.hash != NOTHING_SEALED:
        raise Flawed(f"the seals before position {begun.position} are missing")
    if sealed is not None and sealed.position != head:
        raise Flawed(
            f"it was sealed up to position {sealed.position}, and ends at {head}: its end is missing"
        )
    if sealed is None and connection.execute("PRAGMA user_version").fetchone()[0] >= SEALED:
        raise Flawed("its seals are missing")
    if what := check.result():
        raise Flawed(f"its events are whole, but not the file around them: {what}")
    _check_tables(connection, head)
    chains = proof.chains
    return Verified(
        events=head,
        streams=chains.streams,
        unchained=chains.unchained,
        sealed_behind=None if begun is None else begun.position,
        head=None if sealed is None else str(Mark(sealed.position, sealed.hash)),
    )


class _FileCheck:
    """SQLite's own check of the index by which streams are read, and of the file's structure.

    It runs beside the reading of the events, on a connection of its own, and is broken off with it.
    """

    def __init__(self, path: Path) -> None:
        self._connection = open_unchecked(path, any_thread=True)
        self._thread = ThreadPoolExecutor(1, "file-check")
        self._found = self._thread.submit(self._run)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.interrupt()
        self._thread.shutdown()
        self._connection.close()

    def result(self) -> str | None:
        """What is wrong, in one line. Raises sqlite3.Error."""
        found = self._found.result().removeprefix("*** in database main ***").strip().splitlines()
        return None if found == ["ok"] else found[0]

    def _run(self) -> str:
        return str(self._connection.execute("PRAGMA integrity_check(1)").fetchone()[0])


def _check_tables(connection: sqlite3.Connection, head: int) -> None:
    """Whether they have the shape and the count that they were made with."""
    for table, made in ((TABLE, CREATE), (SEALS, CREATE_SEALS)):
        row = connection.execute("SELECT sql FROM sqlite_master WHERE name=?", (table,)).fetchone()
        if row and row[0] != made.replace("IF NOT EXISTS ", ""):
            raise Flawed(f"its table {table} is not as it was made")
    counted = connection.execute("SELECT seq FROM sqlite_sequence WHERE name=?", (TABLE,)).fetchone()
    if counted and counted[0] != head:
        raise Flawed(f"it counts {counted[0]} events, and holds {head}")
