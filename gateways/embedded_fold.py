"""The embedded log folded straight into states: one stream's, or those of all streams.

Every event is checked as any reader checks it. But no envelope is made for what is evolved at once and
forgotten: who asks for a state does not ask who caused it, or when. Memory holds the states and one page.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeVar
from zlib import crc32

from domain.decider import NO_STREAM, AnyDecider, Decider, Loaded, Unreadable
from gateways.codec import Codec
from gateways.damage import StoreDamaged
from gateways.embedded_file import when_free
from gateways.embedded_recorder import TABLE
from processmanager.desk import UnreadableStream

S = TypeVar("S")

PAGE = 500
"""Events that are fetched together: few enough to stay in the processor's cache."""

_ROWS = f"""SELECT originator_id, originator_version, topic, state, event_id, metadata, checksum, rowid
    FROM {TABLE}"""  # noqa: S608 - constants only
_LOG = f"{_ROWS} WHERE rowid>? AND rowid<=? ORDER BY rowid"
# The plus keeps SQLite from going by the index of streams, and so from jumping about in the log.
_KIND = f"{_ROWS} WHERE rowid>? AND rowid<=? AND +originator_id>=? AND +originator_id<? ORDER BY rowid"
_HEAD = f"SELECT coalesce(max(rowid), 0) FROM {TABLE}"  # noqa: S608 - constants only
_COUNT = f"SELECT count(*) FROM {TABLE} WHERE rowid>? AND rowid<=?"  # noqa: S608 - constants only
_STREAM = f"""{_ROWS} WHERE originator_id=? AND originator_version>? AND rowid<=?
    ORDER BY originator_version LIMIT {PAGE}"""

_Row: TypeAlias = tuple[bytes, int, bytes, bytes, bytes, bytes, int, int]
_Step: TypeAlias = tuple[int, Callable[[bytes], Any], Callable[[Any, Any], Any], Any]
"""How events of one type are folded: the schema that is decoded at once, and how; ``evolve``, and a start."""


class EmbeddedFold:
    """Folds the log of one file. The connection is its own, and gives texts as bytes from then on."""

    def __init__(self, path: Path, connection: sqlite3.Connection, codec: Codec) -> None:
        """``path`` is for messages only."""
        self._path = path
        self._codec = codec
        self._connection = connection
        connection.execute("PRAGMA query_only=1")
        connection.text_factory = bytes  # as the checksum takes them; few are ever read as text

    async def kind(self, decider: Decider[Any, S, Any], until: int) -> dict[str, S]:
        """The states of all streams of the decider's category at position ``until``, by their names.

        A stream with an event that this version cannot read is left out. Raises StoreDamaged where events
        were altered or are missing, StoreUnavailable, and whatever ``evolve`` raises.
        """
        ends = f"{decider.category}-", f"{decider.category}."  # the dot comes next to the dash
        states = _States(self._path, self._codec, [decider])
        for after, end in await self._ranges(until):
            rows = await self._fetch(_KIND, after, end, *ends)
            ((count,),) = await self._fetch(_COUNT, after, end)
            self._refuse_gap(count, after, end)
            states.fold(rows)
        return states.whole()

    async def all(self, deciders: Iterable[AnyDecider], until: int) -> dict[str, Any]:
        """The same of several deciders, in one reading. What is of no category of theirs is passed over."""
        states = _States(self._path, self._codec, deciders)
        for after, end in await self._ranges(until):
            rows = await self._fetch(_LOG, after, end)
            self._refuse_gap(len(rows), after, end)
            states.fold(rows)
        return states.whole()

    async def one(self, decider: Decider[Any, S, Any], key: str, until: int) -> Loaded[S]:
        """The aggregate as it was at position ``until``.

        Raises UnreadableStream, StoreDamaged, StoreUnavailable.
        """
        stream, revision, position = decider.stream(key), NO_STREAM, 0
        states = _States(self._path, self._codec, [decider])
        while rows := await self._fetch(_STREAM, stream, revision, until):
            if rows[-1][1] != revision + len(rows):
                raise StoreDamaged(f"{self._path} is damaged: {stream} has a gap behind revision {revision}")
            try:
                states.fold(rows)
            except (ValueError, AssertionError) as error:
                raise UnreadableStream(f"{stream} behind revision {revision}: {error}") from error
            revision, position = rows[-1][1], rows[-1][7]
        for reason in states.broken.values():
            raise UnreadableStream(f"{stream} {reason}")
        state: S = states.whole().get(stream, decider.initial)
        return Loaded(stream, revision, position, state)

    def close(self) -> None:
        self._connection.close()

    async def _ranges(self, until: int) -> Iterable[tuple[int, int]]:
        """The log up to ``until`` or to its end, in pages: the position before each, and its last."""
        ((head,),) = await self._fetch(_HEAD)
        last = min(until, head)
        return ((after, min(after + PAGE, last)) for after in range(0, last, PAGE))

    async def _fetch(self, sql: str, *values: Any) -> Sequence[Any]:
        return await when_free(self._path, lambda: self._connection.execute(sql, values).fetchall())

    def _refuse_gap(self, found: int, after: int, end: int) -> None:
        if found != end - after:
            raise StoreDamaged(f"{self._path} is damaged: events are missing behind position {after}")


class _States:
    """What the rows that were read so far make of each stream. broken: the streams that cannot be folded."""

    def __init__(self, path: Path, codec: Codec, deciders: Iterable[AnyDecider]) -> None:
        self.broken: dict[bytes, str] = {}
        self._states: dict[bytes, Any] = {}
        self._path = path
        self._codec = codec
        self._deciders = {decider.category.encode(): decider for decider in deciders}
        self._steps: dict[bytes, _Step] = {
            event.__name__.encode(): (*codec.newest(event), decider.evolve, decider.initial)
            for decider in self._deciders.values()
            for event in decider.events
        }

    def fold(self, rows: Sequence[_Row]) -> None:
        """Raises StoreDamaged for a row that is not what was written, and whatever ``evolve`` raises."""
        states, steps, written = self._states, self._steps, self._codec.written
        for stream, revision, type_, data, id_, metadata, summed, position in rows:
            try:  # ``checksum`` of the recorder, written out: these lines run for every event of the log
                whole = crc32(b"".join((stream, type_, data, id_, metadata)), revision) == summed
            except (TypeError, OverflowError):
                whole = False
            if not whole:
                raise StoreDamaged(f"{self._path} is damaged: the event at position {position} was altered")
            try:
                schema, decode, evolve, initial = steps[type_]
                event = decode(data) if written(metadata).schema == schema else None
            except (KeyError, ValueError):
                event = None
            if event is None:
                decider = self._deciders.get(stream.partition(b"-")[0])
                if decider is None:
                    continue
                evolve, initial = decider.evolve, decider.initial
                event, _ = self._codec.decode(type_.decode(errors="replace"), data, metadata)
                if isinstance(event, Unreadable):
                    self.broken.setdefault(stream, f"revision {revision} ({event.type}): {event.reason}")
                    continue
            states[stream] = evolve(states.get(stream, initial), event)

    def whole(self) -> dict[str, Any]:
        """The states of the streams that could be folded to their ends, by the streams' names."""
        return {stream.decode(): state for stream, state in self._states.items() if stream not in self.broken}
