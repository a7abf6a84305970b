"""A store that others use too, seen as if it were a test's own: its streams alone, from its beginning on."""

from collections.abc import AsyncIterator, Sequence
from uuid import uuid4

from msgspec.structs import replace

from domain.decider import AnyProposed, AnyRecorded
from gateways.eventstoredb import EventStoreDBStore


class Apart:
    """The EventStore port. Every stream gets a name that nobody has used, behind its category."""

    def __init__(self, store: EventStoreDBStore) -> None:
        self._store = store
        self._own = f"-{uuid4().hex}-"
        self._begins = store.head()

    async def read(self, stream: str, after: int = -1) -> Sequence[AnyRecorded]:
        return [self._named(fact) for fact in await self._store.read(self._hidden(stream), after)]

    async def append(self, stream: str, events: Sequence[AnyProposed], expected: int) -> int:
        return await self._store.append(self._hidden(stream), events, expected)

    async def follow(self, after: int = 0) -> AsyncIterator[Sequence[AnyRecorded]]:
        async for batch in self._store.follow(max(after, self._begins)):
            if own := [self._named(fact) for fact in batch if self._own in fact.stream]:
                yield own

    def _hidden(self, stream: str) -> str:
        category, _, key = stream.partition("-")
        return f"{category}{self._own}{key}"

    def _named(self, fact: AnyRecorded) -> AnyRecorded:
        return replace(fact, stream=fact.stream.replace(self._own, "-", 1))
