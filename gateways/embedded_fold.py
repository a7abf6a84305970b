"""The embedded log folded straight into states: one stream's, or those of all streams.

Every event is checked as any reader checks it. But no envelope is made for what is evolved at once and
forgotten: who asks for a state does not ask who caused it, or when. A state is given away when its stream
ends, and what is not written to for long goes to the disk, so that memory does not grow with the log.
"""

import sqlite3
from array import array
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeVar
from zlib import crc32

from domain.decider import NO_STREAM, AnyDecider, Decider, Loaded, Unreadable
from gateways.codec import Codec
from gateways.damage import StoreDamaged
from gateways.embedded_file import when_free
from gateways.embedded_recorder import TABLE
from gateways.spill import Spill
from processmanager.desk import UnreadableStream

S = TypeVar("S")

PAGE = 500
"""Events that are fetched together: few enough to stay in the processor's cache."""
REMEMBERED = 20_000
"""States of streams that go on which are kept in memory, and as many that have not been written to since."""

_ROWS = f"""SELECT originator_id, originator_version, topic, state, event_id, metadata, checksum, rowid
    FROM {TABLE}"""  # noqa: S608 - constants only
_LOG = f"{_ROWS} WHERE rowid>? AND rowid<=? ORDER BY rowid"
# The plus keeps SQLite from going by the index of streams, and so from jumping about in the log.
_KIND = f"{_ROWS} WHERE rowid>? AND rowid<=? AND +originator_id>=? AND +originator_id<? ORDER BY rowid"
_COUNT = f"SELECT count(*) FROM {TABLE} WHERE rowid>? AND rowid<=?"  # noqa: S608 - constants only
_HEAD = f"SELECT coalesce(max(rowid), 0) FROM {TABLE}"  # noqa: S608 - constants only
_STREAM = f"""{_ROWS} WHERE originator_id=? AND originator_version>? AND rowid<=?
    ORDER BY originator_version LIMIT {PAGE}"""
_LASTS = f"SELECT max(rowid) AS last FROM {TABLE} WHERE rowid<=? GROUP BY originator_id ORDER BY last"  # noqa: S608 - constants only
_LASTS_OF = f"""SELECT max(rowid) AS last FROM {TABLE} WHERE originator_id>=? AND originator_id<? AND rowid<=?
    GROUP BY originator_id ORDER BY last"""  # noqa: S608 - constants only

_Row: TypeAlias = tuple[bytes, int, bytes, bytes, bytes, bytes, int, int]
_Step: TypeAlias = tuple[int, Callable[[bytes], Any], Callable[[Any, Any], Any], Any]
"""How events of one type are folded: the schema that is decoded at once, and how; ``evolve``, and a start."""
_MISSING: Any = object()
NOWHERE = 0
"""No event stands there."""


class EmbeddedFold:
    """Folds the log of one file. The connection is its own, and gives texts as bytes from then on."""

    def __init__(
        self, path: Path, connection: sqlite3.Connection, codec: Codec, *, remembered: int = REMEMBERED
    ) -> None:
        """``path`` is for messages only."""
        self._path = path
        self._codec = codec
        self._remembered = remembered
        self._connection = connection
        connection.execute("PRAGMA query_only=1")
        connection.text_factory = bytes  # as the checksum takes them; few are ever read as text

    async def states(
        self, deciders: Sequence[AnyDecider], until: int
    ) -> AsyncGenerator[Mapping[str, Any], None]:
        """The states at position ``until`` of all streams of the deciders' categories, by the streams' names.

        They come some at a time, each once, when no event of its stream is left. A stream with an event that
        this version cannot read is left out. Raises StoreDamaged where events were altered or are missing,
        StoreUnavailable, and whatever ``evolve`` raises.
        """
        end = min(until, await self._head())
        states = _States(self._path, self._codec, deciders, await self._lasts(deciders, end))
        try:
            for after in range(0, end, PAGE):
                states.fold(await self._page(deciders, after, min(after + PAGE, end)))
                if states.in_hand >= self._remembered:
                    states.age()
                if finished := states.finished():
                    yield finished
        finally:
            states.close()

    async def one(self, decider: Decider[Any, S, Any], key: str, until: int) -> Loaded[S]:
        """The aggregate as it was at position ``until``.

        Raises UnreadableStream, StoreDamaged, StoreUnavailable.
        """
        stream, revision, position = decider.stream(key), NO_STREAM, 0
        if not _encodable(stream):
            return Loaded(stream, revision, position, decider.initial)
        states = _States(self._path, self._codec, [decider], ())
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
        return Loaded(stream, revision, position, states.of(stream, decider.initial))

    def close(self) -> None:
        self._connection.close()

    async def _head(self) -> int:
        ((head,),) = await self._fetch(_HEAD)
        return int(head)

    async def _page(self, deciders: Sequence[AnyDecider], after: int, end: int) -> Sequence[_Row]:
        """The events behind ``after`` up to ``end``; with one decider, those of its category."""
        if len(deciders) == 1:
            kind = deciders[0].category
            rows = await self._fetch(_KIND, after, end, f"{kind}-", f"{kind}.")  # the dot follows the dash
            ((found,),) = await self._fetch(_COUNT, after, end)
        else:
            rows = await self._fetch(_LOG, after, end)
            found = len(rows)
        if found != end - after:
            raise StoreDamaged(f"{self._path} is damaged: events are missing behind position {after}")
        return rows

    async def _lasts(self, deciders: Sequence[AnyDecider], end: int) -> Iterable[int]:
        """The position of the last event of each stream up to ``end``, in order. Eight bytes a stream."""
        sql, values = _LASTS, tuple[Any, ...]((end,))
        if len(deciders) == 1:
            kind = deciders[0].category
            sql, values = _LASTS_OF, (f"{kind}-", f"{kind}.", end)
        rows = self._connection.execute
        return await when_free(self._path, lambda: array("q", (last for (last,) in rows(sql, values))))

    async def _fetch(self, sql: str, *values: Any) -> Sequence[Any]:
        return await when_free(self._path, lambda: self._connection.execute(sql, values).fetchall())


def _encodable(stream: str) -> bool:
    """Whether a stream can have this name: a lone surrogate is in none."""
    try:
        stream.encode()
    except UnicodeEncodeError:
        return False
    return True


class _States:
    """What the rows that were read so far make of each stream.

    broken: why a stream cannot be folded.
    """

    def __init__(
        self, path: Path, codec: Codec, deciders: Iterable[AnyDecider], lasts: Iterable[int]
    ) -> None:
        """lasts: where each stream has its last event, in order."""
        self.broken: dict[bytes, str] = {}
        self._lasts = iter(lasts)
        self._last = next(self._lasts, NOWHERE)
        self._finished: dict[bytes, Any] = {}
        self._young: dict[bytes, Any] = {}
        self._old: dict[bytes, Any] = {}
        self._away = Spill[tuple[Any]]()
        self._path = path
        self._codec = codec
        self._deciders = {decider.category.encode(): decider for decider in deciders}
        self._steps: dict[bytes, _Step] = {
            event.__name__.encode(): (*codec.newest(event), decider.evolve, decider.initial)
            for decider in self._deciders.values()
            for event in decider.events
        }

    @property
    def in_hand(self) -> int:
        """Streams that were written to of late, and go on."""
        return len(self._young)

    def fold(self, rows: Sequence[_Row]) -> None:
        """Raises StoreDamaged for a row that is not what was written, and whatever ``evolve`` raises."""
        states, steps, written, last = self._young, self._steps, self._codec.written, self._last
        for stream, revision, type_, data, id_, metadata, summed, position in rows:
            try:  # ``checksum`` of the recorder, written out: these lines run for every event of the log
                whole = crc32(b"".join((stream, type_, data, id_, metadata)), revision) == summed
            except (TypeError, OverflowError):
                whole = False
            if not whole:
                raise StoreDamaged(f"{self._path} is damaged: the event at position {position} was altered")
            if final := position == last:
                last = next(self._lasts, NOWHERE)
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
                    self._break(stream, f"revision {revision} ({event.type}): {event.reason}")
                    continue
            state = states.pop(stream, _MISSING) if revision else initial
            if state is _MISSING:
                if stream in self.broken:
                    continue
                state = self._earlier(stream)
            (self._finished if final else states)[stream] = evolve(state, event)
        self._last = last

    def age(self) -> None:
        """What was not written to since it was last so goes to the disk."""
        for stream, state in self._old.items():
            self._away.put(stream.decode(), (state,))
        self._old, self._young = self._young, {}

    def finished(self) -> Mapping[str, Any]:
        """The states of the streams that have come to their ends since it was last asked."""
        finished, self._finished = self._finished, {}
        return {stream.decode(): state for stream, state in finished.items()}

    def of(self, stream: str, initial: S) -> S:
        """The state of a stream that has not come to its end; ``initial`` if there is none."""
        state: S = self._young.get(stream.encode(), initial)
        return state

    def close(self) -> None:
        self._away.close()

    def _earlier(self, stream: bytes) -> Any:
        """The state of a stream that is not in hand; it is from now on."""
        if stream in self._old:
            return self._old.pop(stream)
        if found := self._away.get(stream.decode()):
            return found[0]
        raise StoreDamaged(f"{self._path} is damaged: {stream.decode()} has no beginning")

    def _break(self, stream: bytes, reason: str) -> None:
        self.broken.setdefault(stream, reason)
        self._young.pop(stream, None)
