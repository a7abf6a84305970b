"""Group commit: one durable commit for all appends that waited while the last one was under way.

The inserts of a batch run on the event loop and its COMMIT in a thread of its own. sqlite3 gives up the
interpreter's lock at every step, so inserts in a thread would fight the loop for it; a commit is a
single step, and nearly all of its time is the disk's.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from gateways.embedded_append import Append, insert
from gateways.embedded_file import begin, checkpoint, explain, open_to_write, primary, touch
from gateways.embedded_recorder import Draft
from gateways.embedded_seals import Seal, seal
from gateways.embedded_thread import LoopThread
from processmanager.ports import OutcomeUnknown, StoreUnavailable

DEADLINE = 5.0
"""Seconds after which an append is answered, whatever has become of it."""

MOST_WAITING = 10_000
"""Appends that may wait for the writer. One more is refused at once."""

MOST_IN_BATCH = 128
"""Appends of one commit: two or three milliseconds of inserting on the event loop."""

CHECKPOINT_AFTER = 8_000
"""Events after which the write-ahead log is copied into the file."""

REOPEN_PAUSE = 1.0
"""Seconds between two attempts to open the file again after it has failed."""


class GroupCommit:
    """The one writer of this process. Other processes may write to the same file between its batches."""

    def __init__(self, path: Path, connection: sqlite3.Connection, committed: Callable[[Seal], None]) -> None:
        """``committed`` is called on the loop with the log's newest seal after each commit."""
        self._path = path
        self._committed = committed
        self._loop = asyncio.get_running_loop()
        self._thread = LoopThread("log-commit")
        self._connection: sqlite3.Connection | None = connection
        self._waiting: deque[Append] = deque()
        self._batch: list[Append] = []
        self._work = asyncio.Event()
        self._closing = False
        self._tried_at = 0.0
        self._checkpointed = 0
        self._sealed: Seal | None = None
        self.fault: str | None = None
        self._task = self._loop.create_task(self._run(), name="log-writer")

    def submit(self, stream: str, expected: int, drafts: Sequence[Draft]) -> "asyncio.Future[int]":
        """Queue an append of at least one event. The future has its position, or the port's errors.

        Raises StoreUnavailable at once when the writer is closed or too many wait.
        """
        if self._closing:
            raise StoreUnavailable("the log is closed")
        if len(self._waiting) >= MOST_WAITING:
            raise StoreUnavailable(f"{MOST_WAITING} appends are waiting already")
        answer = self._loop.create_future()
        self._waiting.append(Append(stream, expected, drafts, answer, self._loop.time()))
        self._work.set()
        return answer

    def tend(self) -> None:
        """Answer what has waited beyond the deadline, and try a writer that has failed once more.

        To be called several times a second: what nobody asks for would else never be found out.
        """
        overdue = self._loop.time() - DEADLINE
        for append in self._batch:
            if append.since < overdue:
                append.fail(OutcomeUnknown(f"the log has not answered within {DEADLINE:.0f} s"))
        while self._waiting and self._waiting[0].since < overdue:
            self._waiting.popleft().fail(StoreUnavailable("the log is too busy: nothing was written"))
        if self.fault and self._loop.time() - self._tried_at > REOPEN_PAUSE:
            self._work.set()

    def health(self) -> str | None:
        """None, or in one line what keeps the log from being written."""
        if self._closing:
            return "the log is closed"
        if self._task.done():
            return "the log's writer has stopped"
        oldest = min((append.since for append in self._batch), default=None)
        if oldest is not None and self._loop.time() - oldest > DEADLINE:
            return f"a commit has been under way for {self._loop.time() - oldest:.0f} s"
        return self.fault

    async def close(self) -> None:
        """Commit what waits, within the deadline, and let go of the file."""
        self._closing = True
        self._work.set()
        await asyncio.wait([self._task], timeout=DEADLINE)
        for append in self._batch:
            append.fail(OutcomeUnknown("the log was closed while a commit was under way"))
        while self._waiting:
            self._waiting.popleft().fail(StoreUnavailable("the log is closed"))
        if self._task.done() and self._connection is not None:
            await self._thread.call(self._connection.close)
        self._thread.stop()

    # ── The writer's loop ─────────────────────────────────────────────────────────────────────────

    async def _run(self) -> None:
        while self._waiting or not self._closing:
            await self._work.wait()
            self._work.clear()
            self._take()
            if self._batch or self.fault:
                await self._write(self._batch)
                self._batch = []
                await self._checkpoint()
            if self._waiting:
                self._work.set()

    def _take(self) -> None:
        while self._waiting and len(self._batch) < MOST_IN_BATCH:
            append = self._waiting.popleft()
            if not append.answer.done():  # else its waiter has gone away, and nobody asks for it any more
                self._batch.append(append)

    async def _write(self, batch: Sequence[Append]) -> None:
        """Write a batch and answer all of it. An empty one only finds out whether that can be done."""
        committing, sealed = False, None
        try:
            connection = await self._open()
            await self._begin(connection)
            chains: list[bytes] = []
            for append in batch:
                insert(connection, append, chains)
            if chains:
                sealed = seal(connection, max(append.position for append in batch), chains, self._sealed)
            if not batch:
                touch(connection)
            committing = not batch or sealed is not None
            await self._finish(connection, committing=committing)
        except Exception as error:
            failure = await self._recover(error)
            unknown = committing and not _harmless(error)
            for append in batch:
                append.fail(OutcomeUnknown(str(failure)) if unknown else failure)
        else:
            self.fault = None
            if sealed is not None:
                self._sealed = sealed
                self._committed(sealed)
            for append in batch:
                append.settle()

    async def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            if self._loop.time() - self._tried_at < REOPEN_PAUSE:
                raise StoreUnavailable(self.fault)
            self._tried_at = self._loop.time()
            self._connection = await self._thread.call(open_to_write, self._path)
        return self._connection

    async def _begin(self, connection: sqlite3.Connection) -> None:
        try:
            connection.execute("BEGIN IMMEDIATE")  # a few µs when nobody else writes
        except sqlite3.OperationalError as error:
            if primary(error) != sqlite3.SQLITE_BUSY:
                raise
            await self._thread.call(begin, connection)

    async def _finish(self, connection: sqlite3.Connection, *, committing: bool) -> None:
        if committing:
            await self._thread.call(connection.commit)
        else:
            connection.rollback()
            await asyncio.sleep(0)  # a queue of refusals must not hold the loop

    async def _recover(self, error: Exception) -> Exception:
        """Undo the transaction. After anything but a full disk or a lock, give the connection up."""
        failure: Exception = explain(error, self._path) if isinstance(error, sqlite3.Error) else error
        self.fault, self._tried_at, self._sealed = str(failure), self._loop.time(), None
        if self._connection is not None:
            keep = await self._thread.call(_roll_back, self._connection) and _harmless(error)
            if not keep:
                await self._thread.call(_close, self._connection)
                self._connection = None
        return failure

    async def _checkpoint(self) -> None:
        connection = self._connection
        if connection is not None and connection.total_changes - self._checkpointed >= CHECKPOINT_AFTER:
            self._checkpointed = connection.total_changes
            await self._thread.call(checkpoint, connection)


def _harmless(error: Exception) -> bool:
    """Is surely nothing of the transaction in the log, and the connection as good as before?"""
    return isinstance(error, sqlite3.Error) and primary(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL)


def _roll_back(connection: sqlite3.Connection) -> bool:
    try:
        connection.rollback()
    except sqlite3.Error:
        return False
    return True


def _close(connection: sqlite3.Connection) -> None:
    with suppress(sqlite3.Error):
        connection.close()
