"""A read model: one projection in one SQLite file, fed from the log.

Rows and position are committed together, so an event is applied exactly once whatever dies when. The
file is disposable: damaged, of another version or deleted, it is made again from the log.

Questions are asked on the connection that writes, so events are to be seen as soon as they are staged;
the commit, which costs far more, may follow for many at once. Who dies in between reads them again.
"""

import os
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from domain.decider import AnyRecorded
from projections.applying import Applier
from projections.file import MEMORY, actual, checkpoint, connect, is_files_fault, open_or_make, remove
from projections.held import Held, RetryRule, operators_words
from projections.projection import Projection, moment
from projections.waiting import Waiters


class FedTwice(Exception):
    """Somebody else has moved this file's position: two followers feed one file."""


class FileGone(Exception):
    """The file was deleted, or another stands in its place."""


def no_clock() -> datetime:
    """The clock of a model that nobody tends: what is held back waits for an operator."""
    return moment(0)


class ReadModel:
    """position: all events up to here are to be seen, but for streams that are held back.

    saved: all events up to here are in the file for good.
    kind: of which kind of store the log is; it is kept in the file.
    partial: the upkeep is left out for now, because most of the log is still ahead.
    when_awaited: called when somebody begins to wait, so that whoever feeds this hurries.
    """

    position: int
    saved: int
    partial: bool

    def __init__(
        self,
        projection: Projection,
        path: Path | str,
        *,
        retry: RetryRule | None = None,
        now: Callable[[], datetime] = no_clock,
    ) -> None:
        """Open the file at ``path`` or make it; ":memory:" for one that leaves nothing behind.

        retry, now: when a stream that is held back is to be tried again, and the clock for that.
        Raises sqlite3.Error when the place cannot be used.
        """
        self.projection = projection
        self.path = path
        self.now = now
        self.when_awaited: Callable[[], None] = lambda: None
        self._rule = retry or RetryRule()
        self._waiters = Waiters()
        self._whole_at = time.monotonic()
        self.kind = ""
        self._open()

    def _open(self) -> None:
        self._connection = self._asked = open_or_make(self.projection, self.path)
        self._execute = self._connection.cursor().execute
        self._applier = Applier(self.projection, self._connection, self._rule, self.now)
        self._unsaved: list[Sequence[AnyRecorded]] = []
        position, partial, kind, last_id = self._execute(
            "SELECT position, partial, kind, last_id FROM feed"
        ).fetchone()
        self.origin: tuple[str, str] = (kind, last_id)
        self._last_id: str = last_id
        self.position = self.saved = position
        self.partial = bool(partial)
        self._file = self._file_there()

    def _file_there(self) -> tuple[int, int] | None:
        if self.path == MEMORY:
            return None
        found = os.stat(self.path)
        return found.st_dev, found.st_ino

    def check_place(self) -> None:
        """Raises FileGone, OSError when others would not find what is written here."""
        if self._file_there() != self._file:
            raise FileGone(f"{self.path} is not the file that is fed")

    def reopen(self) -> None:
        """Begin again with the file as it is now. Raises sqlite3.Error if it still cannot be written."""
        self._connection.close()
        self._open()
        self._begin()
        self.save()

    def start_over(self) -> None:
        """Throw away all that it holds. Raises sqlite3.Error, OSError when the place cannot be used."""
        self._connection.close()
        remove(self.path)
        self._open()

    def another(self, path: Path) -> "ReadModel":
        """Another file of this same model, which feeds from the same log. Raises as this did."""
        other = ReadModel(self.projection, path, retry=self._rule, now=self.now)
        other.kind = self.kind
        return other

    def exchange(self, other: "ReadModel") -> None:
        """Go on with the file of ``other``, which shows the same position, and leave it this one's.

        What was staged must have been saved, here and there.
        """
        assert (self.position, self.saved) == (other.position, other.saved) == (self.saved, self.position)
        for name in ("_connection", "_asked", "_execute", "_applier", "_last_id", "origin", "partial"):
            mine, its = getattr(self, name), getattr(other, name)
            setattr(self, name, its)
            setattr(other, name, mine)
        self._file = self._file_there()

    def close(self) -> None:
        """Save, and let go of the file. No call may follow."""
        try:
            self.save_all()
        finally:
            self._connection.close()

    # ── Reading ───────────────────────────────────────────────────────────────────────────────────

    def rows(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        """What a question in SQL finds."""
        return self._asked.execute(sql, params).fetchall()

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

    def stage(self, batch: Sequence[AnyRecorded]) -> None:
        """Apply what is new in ``batch``, to be seen at once and saved later. Raises as ``feed`` does."""
        if batch and batch[0].position <= self.position:
            batch = [recorded for recorded in batch if recorded.position > self.position]
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
        self.position, self._last_id = batch[-1].position, str(batch[-1].id)
        self._waiters.reached(self.position)

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
        """Make rows and position last. May run in another thread. Raises FedTwice, sqlite3.Error.

        A position that moved only over events of no interest is not worth a commit: see ``save_all``.
        """
        if self._connection.in_transaction:
            position = self.position
            moved = "UPDATE feed SET position = ?, partial = ?, kind = ?, last_id = ? WHERE position = ?"
            origin = (self.kind, self._last_id)
            if self._execute(moved, (position, self.partial, *origin, self.saved)).rowcount != 1:
                raise FedTwice(f"{self.path} is fed by somebody else as well")
            self._execute("COMMIT")
            self.saved, self.origin = position, origin
            self._unsaved.clear()

    def save_all(self) -> None:
        """Make last also a position that moved only over events of no interest."""
        if self.saved != self.position:
            self._begin()
        self.save()

    def abandon(self) -> None:
        """Give up what was staged and not saved."""
        if self._connection.in_transaction:
            self._connection.rollback()
            self.position, (_, self._last_id) = self.saved, self.origin
        self._applier.recall()
        self._unsaved.clear()

    def _begin(self) -> None:
        if not self._connection.in_transaction:
            self._execute("BEGIN IMMEDIATE")

    # ── Streams that are held back ────────────────────────────────────────────────────────────────

    def heed_operators(self) -> None:
        """Do as operators have said of streams that are held back."""
        with operators_words(self.path) as words:
            if words:
                self._begin()
                self._applier.run(words)
                self.save()
                self._applier.recall()

    def retry(self, held: Held, events: Sequence[AnyRecorded]) -> None:
        """Take a held stream up again. ``events``: the stream behind ``held.resume_after``.

        What lies behind this model's position is left for later: it will come with the log.
        """
        self._begin()
        self._applier.retry(held, [each for each in events if each.position <= self.position])
        self.save()

    # ── Far behind ────────────────────────────────────────────────────────────────────────────────

    def leave_upkeep(self) -> None:
        """Drop indexes and triggers while most of the log is ahead: to make them at the end is faster."""
        self._begin()
        for kind, name in self.projection.kept_up():
            self._execute(f"DROP {kind} IF EXISTS {name}")
        self.partial = True
        self.save()

    def resume_upkeep(self) -> None:
        """Make what ``leave_upkeep`` dropped. Takes a second for a million rows: not on the event loop."""
        self.save_all()
        # Whoever asks meanwhile is answered by the file, and does not wait for this connection.
        self._asked = self._connection if self.path == MEMORY else connect(self.path)
        try:
            self._begin()
            for statement in self.projection.upkeep:
                self._execute(statement)
            self.partial = False
            self.save()
        finally:
            asked, self._asked = self._asked, self._connection
            if asked is not self._connection:
                asked.close()

    # ── The write-ahead log ───────────────────────────────────────────────────────────────────────

    def unchecked_bytes(self) -> int:
        """The size of what was committed and is still only in the write-ahead log."""
        try:
            return os.stat(f"{actual(self.path)}-wal").st_size
        except FileNotFoundError:
            return 0

    def checkpoint(self) -> None:
        """Move it into the file, beside whatever goes on. Waits for the disk: not on the event loop."""
        checkpoint(self.path, "PASSIVE")

    def begin_log_anew(self) -> None:
        """Move the rest and empty the write-ahead log, unless somebody is reading. Not on the event loop."""
        checkpoint(self.path, "TRUNCATE")
