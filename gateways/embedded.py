"""The embedded event store: one SQLite file behind the store port.

Reads run on the event loop (a point read costs some ten microseconds, a hop to a thread thirty times
that), appends go through the group commit. Followers are woken by this process's own commits at once,
and by those of other processes when they look next, POLL seconds later unless told otherwise.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from uuid import UUID

from domain.decider import NO_STREAM, AnyProposed, AnyRecorded
from gateways.codec import Codec
from gateways.damage import StoreDamaged
from gateways.embedded_file import connect, open_to_write
from gateways.embedded_mark import HeadMark
from gateways.embedded_news import News
from gateways.embedded_reader import LogReader
from gateways.embedded_recorder import EventRecorder, draft
from gateways.embedded_seals import Seal
from gateways.embedded_writer import GroupCommit
from gateways.raw_log import RawEvent
from processmanager.ports import StoreUnavailable, WrongRevision

__all__ = ["EmbeddedStore", "StoreDamaged"]

POLL = 0.02
"""Seconds between two looks for what other processes have appended."""

LONGEST_STREAM = 2**53
"""No stream gets there, and every reader of JSON holds such a revision exactly."""


class EmbeddedStore:
    """The log in one file. Several stores, in one process or in many, may be open on the same file."""

    kind = "embedded"

    recorder: EventRecorder
    """The same file for the eventsourcing library's own tools, to be used outside the event loop."""

    @classmethod
    async def open(cls, path: Path, codec: Codec | None = None, *, poll: float = POLL) -> "EmbeddedStore":
        """Open the log at ``path``, or make it.

        poll: seconds between two looks for what other processes have appended.
        Raises StoreDamaged for a damaged or newer file or one that is no log, StoreUnavailable when the
        place cannot be used. Either says in one line what is wrong.
        """
        codec = codec or Codec()
        writer = await asyncio.to_thread(open_to_write, path)
        reader = LogReader(path, await asyncio.to_thread(connect, path), codec)
        return cls(path, codec, reader, writer, poll)

    def __init__(
        self, path: Path, codec: Codec, reader: LogReader, writer: sqlite3.Connection, poll: float
    ) -> None:
        """``open`` is the way in: this expects a file that has been checked, and a running loop."""
        self._path = path
        self._codec = codec
        self._poll = poll
        self._reader = reader
        self._mark = HeadMark(path)
        self._news = News(reader.head())
        self._writer = GroupCommit(path, writer, self._committed)
        self._unreadable: str | None = None
        self._pulse = asyncio.get_running_loop().create_task(self._beat(), name="log-pulse")
        self.recorder = EventRecorder.at(path)

    async def read(self, stream: str, after: int = NO_STREAM) -> Sequence[AnyRecorded]:
        """As the port says. A long stream is read page by page, and others get their turn in between."""
        self._refuse_closed()
        return await self._reader.whole(stream, after)

    async def raw(self, stream: str) -> Sequence[RawEvent]:
        """All of a stream as it is stored. Raises StoreDamaged, StoreUnavailable."""
        self._refuse_closed()
        return await self._reader.raw().whole(stream, NO_STREAM)

    async def append(self, stream: str, events: Sequence[AnyProposed], expected: int) -> int:
        """As the port says. Answered after at most five seconds, with OutcomeUnknown if need be.

        Raises also ValueError for a name or an event that cannot be written as UTF-8.
        """
        if not NO_STREAM <= expected < LONGEST_STREAM:
            raise WrongRevision(f"{stream} is never at revision {expected}")
        if not events:
            return await self._append_nothing(stream, expected)
        encode = self._codec.encode
        drafts = [
            draft(stream, revision, proposed.id, encode(proposed))
            for revision, proposed in enumerate(events, expected + 1)
        ]
        return await self._writer.submit(stream, expected, drafts)

    async def follow(self, after: int = 0) -> AsyncIterator[Sequence[AnyRecorded]]:
        """As the port says, in batches of at most 500. Raises StoreUnavailable when the store is closed.

        Raises StoreDamaged when the log ends before ``after``: who has read further than there is has
        read another log, or this one has lost its end.
        """
        self._refuse_closed()
        if after > (head := self._reader.head()):
            raise StoreDamaged(f"the log ends at position {head}, before {after}, which was read already")
        while True:
            await self._news.wait(after)
            self._refuse_closed()
            if events := await self._reader.log(after):
                after = events[-1].position
                yield events
            await asyncio.sleep(0 if events else self._poll)  # who catches up must not hold the loop

    def head(self) -> int:
        """The last position in the log, 0 if it is empty. Raises StoreUnavailable."""
        self._refuse_closed()
        return self._reader.head()

    async def reaches(self, position: int) -> bool:
        """Whether the log goes as far as ``position``. Raises StoreUnavailable."""
        return position <= self.head()

    async def id_at(self, position: int) -> UUID | None:
        """The id of the event at ``position``; None if the log has none there. Raises StoreUnavailable."""
        self._refuse_closed()
        found = await self._reader.log(position - 1)
        return found[0].id if found else None

    def health(self) -> str | None:
        """None, or in one line what is wrong: the writer is stuck or has failed, the file is unreadable."""
        return self._writer.health() or self._unreadable

    async def close(self) -> None:
        """Commit what was accepted, end the followers, let go of the file. A second call does nothing."""
        if self._news.closed:
            return
        self._news.close()
        self._pulse.cancel()
        await self._writer.close()
        self._reader.close()
        self._mark.close()
        self.recorder.datastore.close()

    async def _append_nothing(self, stream: str, expected: int) -> int:
        events = await self.read(stream, expected - 1 if expected > NO_STREAM else NO_STREAM)
        if (events[-1].revision if events else NO_STREAM) != expected:
            raise WrongRevision(f"{stream} is not at revision {expected}")
        return events[-1].position if events else 0

    def _committed(self, sealed: Seal) -> None:
        self._mark.set(sealed)
        self._news.tell(sealed.position)

    async def _beat(self) -> None:
        """Look regularly at what no call of our own tells: other processes' appends, overdue answers."""
        while True:
            await asyncio.sleep(self._poll)
            self._writer.tend()
            try:
                self._news.tell(self._reader.head())
                self._unreadable = None
            except StoreUnavailable as error:  # who reads next is told; this tells who asks for our health
                self._unreadable = str(error)

    def _refuse_closed(self) -> None:
        if self._news.closed:
            raise StoreUnavailable("the log is closed")
