"""The end of the log's file, checked before anything is served: bounded work, however long the log is."""

import sqlite3
from pathlib import Path

from gateways.chain_proof import Flawed
from gateways.damage import MarkDiffers, StoreDamaged
from gateways.embedded_mark import HeadMark, Mark
from gateways.embedded_proof import Proof
from gateways.embedded_recorder import TABLE
from gateways.embedded_seals import Seal, first, has_seals, newest, up_to

CHECKED_AT_START = 1_000
"""How many of the last events are read and checked at the start, or a few more: some ten milliseconds."""

_HEAD = f"SELECT max(rowid) FROM {TABLE}"  # noqa: S608 - constants only


def log_end(connection: sqlite3.Connection) -> tuple[int, Seal | None]:
    """The last position, and the newest seal if there are any, as they are at one moment."""
    connection.execute("BEGIN")
    try:
        head = connection.execute(_HEAD).fetchone()[0] or 0
        return int(head), newest(connection) if has_seals(connection) else None
    finally:
        connection.execute("ROLLBACK")


def check_end(connection: sqlite3.Connection, path: Path, mark: Mark | None, *, sealed: bool) -> None:
    """Hold the last events against their chains and seals, and the newest seal against the head mark.

    mark: as it was before this began. sealed: whether the log has seals. Raises StoreDamaged, sqlite3.Error.
    """
    head, last = log_end(connection)
    if mark is not None:
        check_mark(connection, path, mark, head)
    seal = None
    if sealed or last is not None:
        if last is None or last.position != head:
            raise StoreDamaged(
                f"{path} is damaged: it is sealed up to position {last.position if last else 0} and ends at "
                f"{head}, so events were added or removed behind its seal. Restore it from a backup"
            )
        seal = up_to(connection, head - CHECKED_AT_START) or first(connection)
    after = max(0, min(head - CHECKED_AT_START, head if seal is None else seal.position))
    try:
        for _ in Proof(connection, after, seal).run(head):
            pass
    except Flawed as flaw:
        raise StoreDamaged(f"{path} is damaged: {flaw}. Restore it from a backup") from None


def check_mark(connection: sqlite3.Connection, path: Path, mark: Mark, head: int) -> None:
    """Hold a head mark against a log that ends at ``head``. Raises StoreDamaged, sqlite3.Error."""
    if head < mark.position:
        raise StoreDamaged(
            f"{path} ends at position {head}, but had reached {mark.position}: its end is lost, or it is an "
            f"older copy (to go on without the rest, delete {HeadMark.of(path)})"
        )
    if not _is_sealed_as(connection, mark):
        raise StoreDamaged(
            f"{path} is not the log that it was: what is sealed at position {mark.position} is not what its "
            f"mark says. Restore it from a backup (to go on with this one, delete {HeadMark.of(path)})"
        )


def check_given(connection: sqlite3.Connection, path: Path, mark: Mark, head: int) -> None:
    """The same for a mark that was kept elsewhere. Raises MarkDiffers, sqlite3.Error."""
    if head < mark.position:
        raise MarkDiffers(
            f"{path} ends at position {head}, and the mark that was given says {mark.position}: the log's "
            "end is lost, or it is an older copy, or that is the mark of another log"
        )
    if not _is_sealed_as(connection, mark):
        raise MarkDiffers(
            f"{path} is not the log that it was, or that is the mark of another log: what is sealed at "
            f"position {mark.position} is not what the mark that was given says"
        )


def _is_sealed_as(connection: sqlite3.Connection, mark: Mark) -> bool:
    """Whether the seal at the mark's position is the one that it tells; yes if it tells none."""
    if mark.hash is None:
        return True
    return has_seals(connection) and up_to(connection, mark.position) == Seal(mark.position, mark.hash)
