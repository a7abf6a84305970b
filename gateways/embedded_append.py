"""One append inside the writer's transaction: the rules of expected revisions and of repeats.

They are EventStoreDB's for an exact expectation: all of the events stand behind ``expected``, or none;
the same ids found there already are a repeat and succeed; anything else there is a conflict.
"""

import asyncio
import sqlite3
from collections.abc import Sequence

from msgspec import Struct

from domain.decider import NO_STREAM
from gateways.chain import LINK, NOTHING_BEFORE, link_behind
from gateways.embedded_recorder import INSERT, STANDS, TABLE, Draft, chained
from processmanager.ports import WrongRevision

_IDS = f"""SELECT event_id, rowid FROM {TABLE} WHERE originator_id=? AND originator_version>?
    ORDER BY originator_version LIMIT ?"""  # noqa: S608 - constants only
_REVISION = f"SELECT max(originator_version) FROM {TABLE} WHERE originator_id=?"  # noqa: S608


class Append(Struct, eq=False):
    """One append that waits. ``position``: where its last event stands once it is inserted."""

    stream: str
    expected: int
    drafts: Sequence[Draft]
    answer: "asyncio.Future[int]"
    since: float
    position: int = 0
    refusal: Exception | None = None

    def settle(self) -> None:
        """Answer with what the inserting found."""
        if self.answer.done():  # the waiter has gone away, or was told before
            return
        if self.refusal is None:
            self.answer.set_result(self.position)
        else:
            self.answer.set_exception(self.refusal)

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


def insert(connection: sqlite3.Connection, append: Append, chains: list[bytes]) -> None:
    """Insert the events, or note why not. Nothing is inserted when it is refused.

    chains: of all that this transaction has inserted; those of the events are added to it.
    Revisions have no gaps: if ``expected`` stands there and the one behind it is free, all of them are.
    So only the first INSERT can meet another's event, and no savepoint is needed.
    """
    before = NOTHING_BEFORE
    if append.expected != NO_STREAM:
        found = connection.execute(STANDS, (append.stream, append.expected)).fetchone()
        if found is None:
            append.refusal = _wrong(connection, append)
            return
        before = link_behind(found[0])
    try:
        for draft in append.drafts:
            row, chain = chained(draft, before)
            append.position = connection.execute(INSERT, row).lastrowid or 0
            chains.append(chain)
            before = chain[:LINK]
    except sqlite3.IntegrityError:
        _compare(connection, append)


def _compare(connection: sqlite3.Connection, append: Append) -> None:
    found = connection.execute(_IDS, (append.stream, append.expected, len(append.drafts))).fetchall()
    if [id_ for id_, _ in found] == [draft.id for draft in append.drafts]:
        append.position = found[-1][1]
    else:
        append.refusal = _wrong(connection, append)


def _wrong(connection: sqlite3.Connection, append: Append) -> WrongRevision:
    (revision,) = connection.execute(_REVISION, (append.stream,)).fetchone()
    actual = "does not exist" if revision is None else f"is at revision {revision}"
    expected = "no stream" if append.expected == NO_STREAM else f"revision {append.expected}"
    return WrongRevision(f"{append.stream} {actual}; {expected} was expected")
