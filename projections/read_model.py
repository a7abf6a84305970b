"""A read model: one projection in one SQLite file, fed from the log.

Rows and position are committed together, so an event is applied exactly once whatever dies when. The
file is disposable: damaged, of another version or deleted, it is made again from the log.
"""

import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from domain.decider import AnyRecorded
from projections.applying import Applier
from projections.file import MEMORY, checkpoint, connect, is_files_fault, open_or_make
from projections.held import Held, RetryRule
from projections.projection import Projection
from projections.waiting import Waiters


class FedTwice(Exception):
    """Somebody else has moved this file's position: two followers feed one file."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class ReadModel:
    """position: all events up to here are to be seen, but for streams that are held back.

    when_awaited: called when somebody begins to wait, so that whoever feeds this hurries.
    partial: the upkeep is left out for now, because most of the log is still ahead.
    """

    position: int
    partial: bool

    def __init__(
        self,
        projection: Projection,
        path: Path | str,
        *,
        retry: RetryRule | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """Open the file at ``path`` or make it; ":memory:" for one that leaves nothing behind.

        Raises sqlite3.Error when the place cannot be used.
        """
        self.projection = projection
        self.path = path
        self.when_awaited: Callable[[], None] = lambda: None
        self._rule = retry or RetryRule()
        self.now = now
        self._waiters = Waiters()
        self._whole_at = time.monotonic()
        self._open()

    def _open(self) -> None:
        self._connection = open_or_make(self.projection, self.path)
        # Questions see what was committed, also while a transaction is open on the other connection.
        self._reader = self._connection if self.path == MEMORY else connect(self.path)
        self._execute = self._connection.cursor().execute
        self._applier = Applier(self.projection, self._connection, self._rule, self.now)
        self._unsaved: list[Sequence[AnyRecorded]] = []
        self._recall()

    def _recall(self) -> None:
        position, partial = self._execute("SELECT position, partial FROM feed").fetchone()
        self.position = self._saved = self._staged = position
        self.partial = bool(partial)

    def reopen(self) -> None:
        """Begin again with the file as it is now. Raises sqlite3.Error if it still cannot be written."""
        self._close_connections()
        self._open()
        self._execute("BEGIN IMMEDIATE")
        self._execute("UPDATE feed SET position = position")
        self._execute("COMMIT")

    def close(self) -> None:
        """Let go of the file; what was staged and not saved is given up. No call may follow."""
        try:
            self.abandon()
            self.keep_position()
        finally:
            self._close_connections()

    def _close_connections(self) -> None:
        self._reader.close()
        self._connection.close()

    # ── Reading ───────────────────────────────────────────────────────────────────────────────────

    def rows(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        """What was committed."""
        return self._reader.execute(sql, params).fetchall()

    async def wait(self, position: int, timeout: float) -> bool:  # noqa: ASYNC109 - the wait has an outcome
        """True as soon as all events up to ``position`` are to be seen; False after ``timeout`` seconds."""
        if self.position >= position:
            return True
        self.when_awaited()
        return await self._waiters.wait(position, timeout)

    @property
    def awaited(self) -> bool:
        """Whether somebody waits for a position."""
        return len(self._waiters) > 0

    @property
    def held(self) -> tuple[Held, ...]:
        """The streams that are held back, longest first."""
        return tuple(self._applier.held.values())

    def age(self) -> int:
        """Whole seconds since this was last known to show the whole log."""
        return int(time.monotonic() - self._whole_at)

    def is_whole(self) -> None:
        """Told by whoever feeds this: at this moment it shows the whole log."""
        self._whole_at = time.monotonic()

    # ── Feeding ───────────────────────────────────────────────────────────────────────────────────

    def feed(self, batch: Sequence[AnyRecorded]) -> None:
        """Apply what is new in ``batch``; rows and position in one commit.

        An event that cannot be applied holds back its stream. Raises sqlite3.Error when the file is in
        trouble and FedTwice when somebody else feeds it; then nothing of the batch was kept.
        """
        try:
            self.stage(batch)
            self.save()
        except BaseException:
            self.abandon()
            raise
        self.publish()

    def stage(self, batch: Sequence[AnyRecorded]) -> None:
        """The first part of ``feed``: apply what is new, without making it last."""
        if batch and batch[0].position <= self._staged:
            batch = [recorded for recorded in batch if recorded.position > self._staged]
        if not batch:
            return
        if statements := self._applier.statements(batch):
            self._begin()
            self._unsaved.append(batch)
            try:
                self._applier.run(statements)
            except Exception as error:
                if is_files_fault(error):
                    raise
                self._stage_singly()
        self._staged = batch[-1].position

    def _stage_singly(self) -> None:
        """Some event could not be written: begin the transaction anew, one event at a time.

        A savepoint for each batch would make this rarer and everything else a fifth slower.
        """
        self._connection.rollback()
        self._applier.recall()
        self._begin()
        for batch in self._unsaved:
            self._applier.apply_singly(batch)

    def save(self) -> None:
        """The second part: make rows and position last. May run in another thread. Raises FedTwice.

        A position that moved only over events of no interest waits for ``keep_position``.
        """
        if self._connection.in_transaction:
            moved = "UPDATE feed SET position = ?, partial = ? WHERE position = ?"
            if self._execute(moved, (self._staged, self.partial, self._saved)).rowcount != 1:
                raise FedTwice(f"{self.path} is fed by somebody else as well")
            self._execute("COMMIT")
            self._saved = self._staged
            self._unsaved.clear()

    def publish(self) -> None:
        """The third part: tell who waits."""
        self.position = self._staged
        self._waiters.reached(self.position)

    def abandon(self) -> None:
        """Give up what was staged and not saved."""
        if self._connection.in_transaction:
            self._connection.rollback()
        self._applier.recall()
        self._staged = self.position
        self._unsaved.clear()

    def keep_position(self) -> None:
        """Save a position that moved over events of no interest, which alone is not worth a commit."""
        if self._saved != self._staged:
            self._begin()
            self.save()
            self.publish()

    def _begin(self) -> None:
        if not self._connection.in_transaction:
            self._execute("BEGIN IMMEDIATE")

    # ── Streams that are held back ────────────────────────────────────────────────────────────────

    def look_for_orders(self) -> None:
        """Take note of what an operator has written into the file."""
        if self._applier.held:
            self._applier.recall()

    def retry(self, held: Held, events: Sequence[AnyRecorded]) -> None:
        """Take a held stream up again. ``events``: the stream behind ``held.resume_after``.

        What lies behind this model's position is left for later: it will come with the log.
        """
        try:
            self._begin()
            self._applier.recall()
            if self._applier.held.get(held.stream) == held:  # an operator may have been faster
                self._applier.retry(held, [each for each in events if each.position <= self._staged])
            self.save()
        except BaseException:
            self.abandon()
            raise

    # ── Far behind ────────────────────────────────────────────────────────────────────────────────

    def leave_upkeep(self) -> None:
        """Drop indexes and triggers while most of the log is ahead: to make them at the end is faster."""
        made = "SELECT type, name FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL"
        self._begin()
        for kind, name in self._execute(made).fetchall():
            self._execute(f"DROP {kind} {name}")
        self.partial = True
        self.save()

    def resume_upkeep(self) -> None:
        """Make what ``leave_upkeep`` dropped. Takes a second for a million rows: not on the event loop."""
        self._begin()
        for statement in self.projection.upkeep:
            self._execute(statement)
        self.partial = False
        self.save()

    # ── The write-ahead log ───────────────────────────────────────────────────────────────────────

    def unchecked_bytes(self) -> int:
        """The size of what was committed and is still only in the write-ahead log."""
        try:
            return os.stat(f"{self.path}-wal").st_size
        except FileNotFoundError:
            return 0

    def checkpoint(self) -> None:
        """Move it into the file, beside whatever goes on. Waits for the disk: not on the event loop."""
        checkpoint(self.path, "PASSIVE")

    def begin_log_anew(self) -> None:
        """Move the rest and empty the write-ahead log, unless somebody is reading. Not on the event loop."""
        checkpoint(self.path, "TRUNCATE")
