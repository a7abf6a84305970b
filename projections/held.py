"""Streams that a read model holds back, because an event of theirs could not be applied.

Only that stream waits, and only in that read model. What is held is kept in the read model's own file,
so it survives a restart, and an operator reaches it from any process.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from msgspec import Struct
from msgspec.structs import astuple, replace

from domain.decider import AnyRecorded
from projections.file import connect
from projections.projection import Statement, micros, moment


class RetryRule(Struct, frozen=True):
    """delays: seconds before each new try. After the last one the stream is parked."""

    delays: tuple[float, ...] = (5.0, 10.0, 20.0, 40.0, 80.0)


class Held(Struct, frozen=True):
    """The first event of a stream that could not be applied; the stream's later events wait behind it.

    tries: how often it was tried again. retry_at: when it is tried next; None: not by itself.
    parked: it was tried as often as the rule allows. skipped_by, reason: who left the event out, and why.
    """

    stream: str
    revision: int
    position: int
    tries: int
    error: str
    retry_at: datetime | None
    parked: bool
    skipped_by: str | None = None
    reason: str | None = None

    @property
    def resume_after(self) -> int:
        """The revision behind which the stream is to be taken up again."""
        return self.revision - 1 if self.skipped_by is None else self.revision


_COLUMNS = "stream, revision, position, tries, error, retry_at, parked, skipped_by, reason"

# A skipped event stays on record; once the stream has moved on there is nothing more to do for it.
_OPEN = "(skipped_by IS NULL OR retry_at IS NOT NULL)"

_SAVE = f"INSERT OR REPLACE INTO held_back({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
_LOAD = f"SELECT {_COLUMNS} FROM held_back WHERE {_OPEN} ORDER BY position"  # noqa: S608 - constants only
_FORGET = "DELETE FROM held_back WHERE stream = ? AND revision = ? AND skipped_by IS NULL"
_SKIPPED = "UPDATE held_back SET retry_at = NULL, parked = 0 WHERE stream = ? AND revision = ?"
_RETRY = f"UPDATE held_back SET tries = 0, parked = 0, retry_at = 0 WHERE stream = ? AND {_OPEN}"  # noqa: S608
_SKIP = f"""UPDATE held_back SET skipped_by = ?, reason = ?, parked = 0, retry_at = 0
    WHERE stream = ? AND {_OPEN}"""  # noqa: S608 - constants only


def first_failure(recorded: AnyRecorded, error: str, now: datetime, rule: RetryRule) -> Held:
    """What is held back when ``recorded`` cannot be applied for the first time."""
    planned = Held(recorded.stream, recorded.revision, recorded.position, -1, error, None, parked=False)
    return next_failure(planned, error, now, rule)


def next_failure(held: Held, error: str, now: datetime, rule: RetryRule) -> Held:
    """What is held back after one more try that failed: a later one is planned, or it is parked."""
    tries = held.tries + 1
    if tries < len(rule.delays):
        retry_at = now + timedelta(seconds=rule.delays[tries])
        return replace(held, tries=tries, error=error, retry_at=retry_at, parked=False)
    return replace(held, tries=tries, error=error, retry_at=None, parked=True)


# ── In the read model's file ──────────────────────────────────────────────────────────────────────


def saving(held: Held) -> Statement:
    retry_at = None if held.retry_at is None else micros(held.retry_at)
    return _SAVE, (*astuple(held)[:5], retry_at, *astuple(held)[6:])


def settling(held: Held) -> Statement:
    """The stream goes on: what failed is forgotten, what was skipped stays on record."""
    return _FORGET if held.skipped_by is None else _SKIPPED, (held.stream, held.revision)


def load(connection: sqlite3.Connection) -> dict[str, Held]:
    """What is held back, by stream, longest first."""
    return {row[0]: _from_row(*row) for row in connection.execute(_LOAD).fetchall()}


def _from_row(
    stream: str,
    revision: int,
    position: int,
    tries: int,
    error: str,
    retry_at: int | None,
    parked: int,
    skipped_by: str | None,
    reason: str | None,
) -> Held:
    at = None if retry_at is None else moment(retry_at)
    return Held(stream, revision, position, tries, error, at, bool(parked), skipped_by, reason)


# ── For operators, from any process ───────────────────────────────────────────────────────────────
# Their words lie in a small file of their own, because whoever feeds a model holds its file for writing.

_WORDS = """CREATE TABLE IF NOT EXISTS word(
    number INTEGER PRIMARY KEY, stream TEXT NOT NULL, skipped_by TEXT, reason TEXT)"""


def held_back(path: Path) -> Sequence[Held]:
    """What the read model in the file at ``path`` holds back. Raises sqlite3.Error."""
    with closing(connect(path, read_only=True)) as connection:
        return list(load(connection).values())


def retry_held(path: Path, stream: str) -> bool:
    """Have ``stream`` tried again within a second, all its tries anew. False if it is not held back."""
    return _tell(path, stream, None, None)


def skip_held(path: Path, stream: str, by: str, reason: str) -> bool:
    """Leave out the one event of ``stream`` that fails, and go on with those behind it.

    by, reason: who answers for that, and why. False if the stream is not held back.
    Raises ValueError without a reason.
    """
    if not reason.strip():
        raise ValueError("skipping needs a written reason")
    return _tell(path, stream, by, reason)


@contextmanager
def operators_words(path: Path | str) -> Iterator[list[Statement]]:
    """What operators have said since, as statements; forgotten when the block is left without an error."""
    beside = _beside(path)
    if not beside.exists():
        yield []
        return
    with closing(connect(beside)) as connection:
        words = connection.execute(
            "SELECT number, stream, skipped_by, reason FROM word ORDER BY number"
        ).fetchall()
        yield [
            (_RETRY, (stream,)) if by is None else (_SKIP, (by, reason, stream))
            for _, stream, by, reason in words
        ]
        connection.executemany("DELETE FROM word WHERE number = ?", [(number,) for number, *_ in words])


def _tell(path: Path, stream: str, by: str | None, reason: str | None) -> bool:
    if stream not in (held.stream for held in held_back(path)):
        return False
    with closing(connect(_beside(path))) as connection:
        connection.execute("PRAGMA busy_timeout = 10000")
        connection.execute(_WORDS)
        connection.execute(
            "INSERT INTO word(stream, skipped_by, reason) VALUES (?, ?, ?)", (stream, by, reason)
        )
    return True


def _beside(path: Path | str) -> Path:
    return Path(f"{path}-words")
