"""The whole of the log's file verified: every event, the order of all, the head mark, the file itself."""

import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Self

from gateways.chain_proof import Flawed, Tell, Verified
from gateways.damage import StoreDamaged
from gateways.embedded_end import check_given, check_mark, log_end
from gateways.embedded_file import SEALED, UNREADABLE, explain, open_unchecked
from gateways.embedded_mark import HeadMark, Mark
from gateways.embedded_ranges import Apart, Proved, Range, prove, ranges
from gateways.embedded_recorder import CREATE, TABLE
from gateways.embedded_seals import CREATE_SEALS, NOTHING_SEALED, SEALS, first

LONG = 100_000
"""Events from which on it pays to start a process for a part of them."""

MOST_RANGES = 4
"""Each takes some fifty megabytes."""


def verify(path: Path, tell: Tell, expected: Mark | None = None, *, cut: int | None = None) -> Verified:
    """Verify the log as it is now; others may go on writing to it. Nothing is changed.

    expected: a head mark that was kept elsewhere. cut: into how many ranges; None for what this machine has
    the cores for, if the log is long. Raises StoreDamaged, MarkDiffers, StoreUnavailable.
    """
    mark = HeadMark.read(path)  # before the log is: others may write while we look
    try:
        with closing(open_unchecked(path)) as connection, _FileCheck(path) as check:
            verified = _verified(connection, path, mark, check, tell, cut)
            if expected is not None:
                check_given(connection, path, expected, verified.events)
            return verified
    except Flawed as flaw:
        raise StoreDamaged(f"{path} is damaged: {flaw}") from None
    except UNREADABLE as error:
        raise explain(error, path) from error


def _verified(
    connection: sqlite3.Connection,
    path: Path,
    mark: Mark | None,
    check: "_FileCheck",
    tell: Tell,
    cut: int | None,
) -> Verified:
    head, sealed = log_end(connection)
    begun = first(connection) if sealed else None
    proved = _proved(connection, path, head, cut, tell)
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
    return Verified(
        events=head,
        streams=sum(each.streams for each in proved),
        unchained=sum(each.unchained for each in proved),
        sealed_behind=None if begun is None else begun.position,
        head=None if sealed is None else str(Mark(sealed.position, sealed.hash)),
    )


def _proved(
    connection: sqlite3.Connection, path: Path, head: int, cut: int | None, tell: Tell
) -> list[Proved]:
    """Every range of the log, in order: the first flaw is told. The first range is looked at here."""
    here, *others = ranges(connection, head, _cores(head) if cut is None else cut)
    count = 1 + len(others)
    with ExitStack() as stack:
        apart = [stack.enter_context(Apart(path, each)) for each in others] if head >= LONG else []
        proved = [prove(connection, here, lambda position: tell(position * count, head))]
        for number, each in enumerate(others):
            _meets(proved[-1], each)
            proved.append(apart[number].result() if apart else prove(connection, each))
    return proved


def _cores(head: int) -> int:
    return min(len(os.sched_getaffinity(0)), MOST_RANGES) if head >= LONG else 1


def _meets(before: Proved, behind: Range) -> None:
    """The seal that a range begins behind is the one that the range before it has proved."""
    if before.seal != behind.seal:
        raise Flawed(f"the seal at position {behind.after} is not what stands before it")


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
