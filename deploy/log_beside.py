"""The log that a command reads, wherever it is: in a data directory, or on EventStoreDB."""

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from deploy import log_reader
from deploy.failing import Failed
from deploy.places import Places
from deploy.reading import EMBEDDED
from deploy.settings import Settings, option_name
from deploy.stores import named_by
from domain.decider import NO_STREAM, AnyDecider, AnyRecorded, Decider, Loaded, Unreadable
from gateways.embedded import EmbeddedStore
from gateways.spill import Spill
from processmanager.archive import Archive

if TYPE_CHECKING:
    from gateways.eventstoredb_beside import EventStoreDBBeside

S = TypeVar("S")

TOGETHER = 500
"""States that are given at once."""


class Log(Protocol):
    """A log that is only read.

    hidden: streams of which the store no longer shows everything, and why, as far as was read.
    kind: of which kind the store is.
    """

    kind: str

    hidden: dict[str, str]

    def head(self) -> int:
        """The last position. Raises StoreUnavailable."""
        ...

    def pages(self, without: Collection[str] = ()) -> AsyncGenerator[Sequence[AnyRecorded], None]:
        """The whole log as it is now. Raises StoreUnavailable.

        without: types of events that nobody needs. They are left out where that costs less.
        """
        ...

    def facts(self, *, after: int, stream: str | None, follow: bool) -> AsyncIterator[AnyRecorded]:
        """As in deploy/log_reader.py."""
        ...

    async def near(self, at: datetime) -> int:
        """A position up to which nothing was recorded after ``at``; 0 if none is known without reading on."""
        ...

    async def read(self, stream: str, after: int = NO_STREAM) -> Sequence[AnyRecorded]:
        """The events of one stream behind a revision. Raises StoreUnavailable."""
        ...

    async def state(self, decider: Decider[Any, S, Any], key: str, until: int) -> Loaded[S]:
        """The aggregate as it was at position ``until``. Raises UnreadableStream, StoreUnavailable."""
        ...

    def states(self, deciders: Sequence[AnyDecider], until: int) -> AsyncGenerator[Mapping[str, Any], None]:
        """The states of all streams of some deciders at position ``until``, by the streams' names, some at a
        time and each once.

        A stream with an event that cannot be read is left out. Raises StoreUnavailable.
        """
        ...


@asynccontextmanager
async def opened(told: Settings) -> AsyncIterator[Log]:
    """The log of ``told``'s store. Raises BadSettings, Failed, StoreUnavailable."""
    if told.store == EMBEDDED:
        yield _InDirectory(Places(told.data))
        return
    with named_by(option_name("store")):
        from gateways.eventstoredb_beside import EventStoreDBBeside

        beside = await EventStoreDBBeside.open(told.store)
    try:
        yield _OnEventStoreDB(beside)
    finally:
        await beside.close()


class _InDirectory:
    kind = EmbeddedStore.kind

    def __init__(self, places: Places) -> None:
        self._places = places
        self._path = places.log
        self.hidden: dict[str, str] = {}

    def head(self) -> int:
        return log_reader.head(self._path)

    def pages(self, without: Collection[str] = ()) -> AsyncGenerator[Sequence[AnyRecorded], None]:
        return log_reader.pages(self._path, without)

    def facts(self, *, after: int, stream: str | None, follow: bool) -> AsyncIterator[AnyRecorded]:
        return log_reader.facts(self._path, after=after, stream=stream, follow=follow)

    async def near(self, at: datetime) -> int:
        from deploy.remembered import near

        return await near(self._places, at)

    async def read(self, stream: str, after: int = NO_STREAM) -> Sequence[AnyRecorded]:
        return await log_reader.stream(self._path, stream, after)

    async def state(self, decider: Decider[Any, S, Any], key: str, until: int) -> Loaded[S]:
        return await log_reader.state(self._path, decider, key, until)

    def states(self, deciders: Sequence[AnyDecider], until: int) -> AsyncGenerator[Mapping[str, Any], None]:
        return log_reader.states(self._path, deciders, until)


class _OnEventStoreDB:
    def __init__(self, log: "EventStoreDBBeside") -> None:
        self._log = log
        self.hidden = log.hidden
        self.kind = log.kind

    def head(self) -> int:
        return self._log.head()

    def pages(self, without: Collection[str] = ()) -> AsyncGenerator[Sequence[AnyRecorded], None]:
        return self._log.pages()

    async def near(self, at: datetime) -> int:
        return 0

    async def read(self, stream: str, after: int = NO_STREAM) -> Sequence[AnyRecorded]:
        return [fact for fact in await self._log.stream(stream) if fact.revision > after]

    async def state(self, decider: Decider[Any, S, Any], key: str, until: int) -> Loaded[S]:
        return await Archive(self).load(decider, key, until)

    async def states(
        self, deciders: Sequence[AnyDecider], until: int
    ) -> AsyncGenerator[Mapping[str, Any], None]:
        kinds = {decider.category: decider for decider in deciders}
        states, broken = Spill[tuple[Any]](), set[str]()
        async with aclosing(self.pages()) as pages:
            async for page in pages:
                for fact in page:
                    decider = kinds.get(fact.category)
                    if decider is None or fact.position > until or fact.stream in broken:
                        continue
                    if isinstance(fact.event, Unreadable):
                        broken.add(fact.stream)
                    else:
                        (state,) = states.get(fact.stream) or (decider.initial,)
                        states.put(fact.stream, (decider.evolve(state, fact.event),))
                if page[-1].position >= until:
                    break
        named = ((stream, state) for stream, (state,) in states.items() if stream not in broken)
        try:
            while part := dict(islice(named, TOGETHER)):
                yield part
        finally:
            states.close()

    async def facts(self, *, after: int, stream: str | None, follow: bool) -> AsyncIterator[AnyRecorded]:
        after, end = await self._behind(after), self.head()
        if stream is None:
            async for page in self._log.pages(after):
                for fact in page:
                    yield fact
                end = max(end, page[-1].position)
        else:
            for fact in await self._log.stream(stream):
                if after < fact.position <= end:
                    yield fact
        if follow:
            async for page in self._log.follow(max(after, end)):
                for fact in page:
                    if stream in (None, fact.stream):
                        yield fact

    async def _behind(self, after: int) -> int:
        """The position that ``after`` means. Raises Failed where there is none."""
        if after < 0:
            return await self._log.behind_last(-after)
        if after and not await self._log.stands_at(after):
            raise Failed(f"nothing stands at position {after}: take one that `admitone events` shows")
        return after
