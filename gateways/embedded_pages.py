"""Reading the log's file on the event loop in whatever form: pages of a stream, pages of the log, its end.

Every row is checked against its checksum and every page for gaps, so that a log that was altered or cut
says so where it is read, whatever was looked at when it was opened.
"""

import asyncio
import sqlite3
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from gateways.damage import StoreDamaged
from gateways.embedded_file import explain, when_free
from gateways.embedded_recorder import TABLE


class _Placed(Protocol):
    @property
    def revision(self) -> int: ...
    @property
    def position(self) -> int: ...


E = TypeVar("E", bound=_Placed)

PAGE = 500
"""The most events that are read before the event loop gets its turn: about two milliseconds."""

_SELECT = f"""SELECT rowid, originator_id, originator_version, topic, state, event_id, metadata, checksum
    FROM {TABLE}"""  # noqa: S608 - constants only
_STREAM = f"""{_SELECT} WHERE originator_id=? AND originator_version>?
    ORDER BY originator_version LIMIT {PAGE}"""
_LOG = f"{_SELECT} WHERE rowid>? ORDER BY rowid LIMIT {PAGE}"
_COUNT = f"SELECT count(*) FROM {TABLE} WHERE rowid>? AND rowid<=?"  # noqa: S608 - constants only
_HEAD = f"SELECT max(rowid) FROM {TABLE}"  # noqa: S608 - constants only
_STREAMS = f"SELECT DISTINCT originator_id FROM {TABLE}"  # noqa: S608 - constants only


class PageReader(Generic[E]):
    """A connection that only reads. Its statements are prepared once and kept by sqlite3."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """``path`` is for messages only."""
        self._path = path
        self._connection = connection
        self._connection.execute("PRAGMA query_only=1")

    def made(self, row: tuple[Any, ...]) -> E:
        """The event of a row, whose checksum is looked at here. Raises StoreDamaged if nobody can use it."""
        raise NotImplementedError

    def head(self) -> int:
        """The last position in the log, 0 if it is empty. Raises StoreUnavailable."""
        try:
            return self._connection.execute(_HEAD).fetchone()[0] or 0
        except sqlite3.Error as error:
            raise explain(error, self._path) from error

    async def stream(self, stream: str, after: int) -> Sequence[E]:
        """At most PAGE events of ``stream`` behind revision ``after``. Raises StoreUnavailable."""
        try:
            events = await self._read(_STREAM, stream, after)
        except UnicodeEncodeError:  # a lone surrogate: no stream can have such a name
            return ()
        if [event.revision for event in events] != [*range(after + 1, after + 1 + len(events))]:
            raise StoreDamaged(f"{self._path} is damaged: {stream} has a gap behind revision {after}")
        return events

    async def whole(self, stream: str, after: int) -> Sequence[E]:
        """All of ``stream`` behind revision ``after``, page by page. Raises StoreUnavailable."""
        events = await self.stream(stream, after)
        if len(events) < PAGE:
            return events
        whole = [*events]
        while len(events) == PAGE:
            await asyncio.sleep(0)
            events = await self.stream(stream, whole[-1].revision)
            whole += events
        return whole

    async def log(self, after: int) -> Sequence[E]:
        """At most PAGE events of the whole log behind position ``after``. Raises StoreUnavailable."""
        events = await self._read(_LOG, after)
        if [event.position for event in events] != [*range(after + 1, after + 1 + len(events))]:
            raise StoreDamaged(f"{self._path} is damaged: events are missing behind position {after}")
        return events

    async def log_without(self, types: Collection[str], after: int, until: int) -> Sequence[E]:
        """The events behind position ``after`` up to ``until`` that are of none of ``types``.

        Those that are left out are counted and not looked at. Raises StoreUnavailable.
        """
        left_out = ",".join("?" * len(types))
        chosen = f"{_SELECT} WHERE rowid>? AND rowid<=? AND topic NOT IN ({left_out}) ORDER BY rowid"
        events = await self._read(chosen, after, until, *types)
        try:
            (count,) = self._connection.execute(_COUNT, (after, until)).fetchone()
        except sqlite3.Error as error:
            raise explain(error, self._path) from error
        if count != until - after:
            raise StoreDamaged(f"{self._path} is damaged: events are missing behind position {after}")
        return events

    def streams(self) -> Sequence[str]:
        """The names of all streams. Reads a whole index: not while requests wait. Raises StoreUnavailable."""
        try:
            return [name for (name,) in self._connection.execute(_STREAMS)]
        except sqlite3.Error as error:
            raise explain(error, self._path) from error

    def close(self) -> None:
        self._connection.close()

    async def _read(self, sql: str, *values: Any) -> list[E]:
        return await when_free(self._path, lambda: self._fetch(sql, values))

    def _fetch(self, sql: str, values: tuple[Any, ...]) -> list[E]:
        made = self.made
        try:
            # Row by row, so that a page leaves no garbage: collecting it would cost a fifth of the time.
            return [made(row) for row in self._connection.execute(sql, values)]
        except sqlite3.OperationalError as error:
            if "decode to UTF-8" not in str(error):
                raise
        # A flipped bit in a text. Read it anyhow: the checksum will tell which event it is.
        self._connection.text_factory = lambda text: text.decode(errors="replace")
        try:
            return [made(row) for row in self._connection.execute(sql, values)]
        finally:
            self._connection.text_factory = str
