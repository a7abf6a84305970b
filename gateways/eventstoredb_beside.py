"""Reading EventStoreDB's log from beside those who serve: nothing is written, and reading comes to an end."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

from domain.decider import AnyRecorded
from gateways.codec import Codec
from gateways.eventstoredb import START, STREAMS, EventStoreDBStore
from gateways.eventstoredb_address import Address
from gateways.eventstoredb_calls import Calls
from gateways.eventstoredb_follow import SILENCE, Following
from gateways.eventstoredb_gone import notes
from gateways.eventstoredb_looks import (
    as_recorded,
    behind_last,
    last_event,
    position_of,
    stands_at,
    with_metadata,
)
from gateways.eventstoredb_pages import up_to


class EventStoreDBBeside:
    """The log as it is when it is opened, and as it goes on.

    hidden: streams of which EventStoreDB no longer shows everything, and why, as far as pages were read.
    What is gone from such a stream is in the log, until a scavenge.
    """

    @classmethod
    async def open(cls, uri: str) -> "EventStoreDBBeside":
        """Raises BadAddress, NotAuthorised, StoreUnavailable."""
        return cls(Address(uri), await EventStoreDBStore.open(uri))

    def __init__(self, address: Address, store: EventStoreDBStore) -> None:
        """``open`` is the way in."""
        self._address = address
        self._store = store
        self._calls = Calls(address, START)
        self._codec = Codec()
        self.hidden: dict[str, str] = {}
        self.kind = store.kind

    def head(self) -> int:
        """The last position that was seen."""
        return self._store.head()

    async def stream(self, stream: str) -> Sequence[AnyRecorded]:
        """All of one stream; what is gone from it is named in its place. Raises StoreUnavailable."""
        return await self._store.read(stream)

    async def pages(self, after: int = 0) -> AsyncGenerator[Sequence[AnyRecorded], None]:
        """The log behind a position, up to its end now. Raises StoreUnavailable after ten seconds."""
        streams = with_metadata(STREAMS)
        until = position_of(await last_event(self._calls, streams))
        following = Following(self._address, streams, after, self._newest, SILENCE)
        async with aclosing(up_to(following, until)) as batches:
            async for batch in batches:
                if page := [
                    as_recorded(event, self._codec) for event in batch if not notes(self.hidden, event)
                ]:
                    yield page

    def follow(self, after: int) -> AsyncIterator[Sequence[AnyRecorded]]:
        """The log behind a position, without end."""
        return self._store.follow(after)

    async def behind_last(self, count: int) -> int:
        """The position behind which the last ``count`` events stand. Raises StoreUnavailable."""
        return await behind_last(self._calls, STREAMS, count)

    async def stands_at(self, position: int) -> bool:
        """Whether something begins at ``position``. Raises StoreUnavailable."""
        return await stands_at(self._calls, position)

    async def close(self) -> None:
        await self._calls.close()
        await self._store.close()

    async def _newest(self) -> int:
        return position_of(await last_event(self._calls, STREAMS))
