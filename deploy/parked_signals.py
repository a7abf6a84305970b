"""What is set aside where the log is on EventStoreDB: parked purchases, and parked signals without one."""

from collections.abc import Awaitable, Callable, Iterable, Sequence

from deploy.parked import Signal
from domain.decider import AnyRecorded, Unreadable
from gateways.clock import SystemClock
from gateways.eventstoredb import EventStoreDBStore
from gateways.eventstoredb_parked import ParkedSignal, ParkedSignals
from processmanager.desk import Desk
from processmanager.meaning import Opens, meaning


class OnEventStoreDB:
    """Satisfies ``deploy.parked.Office``."""

    @classmethod
    async def open(cls, uri: str) -> "OnEventStoreDB":
        """Connect. Raises BadAddress, NotAuthorised, StoreUnavailable."""
        return cls(uri, await ParkedSignals.open(uri))

    def __init__(self, uri: str, signals: ParkedSignals) -> None:
        """``open`` is the way in."""
        self._uri = uri
        self._signals = signals

    async def facts(self) -> Iterable[AnyRecorded]:
        return await self._signals.facts()

    async def signals(self) -> Sequence[Signal]:
        return [_signal(parked) for parked in await self._signals.signals()]

    async def say(self, word: Callable[[Desk], Awaitable[None]]) -> None:
        store = await EventStoreDBStore.open(self._uri)
        try:
            await word(Desk(store, SystemClock()))
        finally:
            await store.close()

    async def waiting(self) -> int:
        return await self._signals.count()

    async def replay(self) -> None:
        await self._signals.replay()

    async def close(self) -> None:
        await self._signals.close()


def _signal(parked: ParkedSignal) -> Signal:
    fact = parked.fact
    says = meaning(fact)
    subject = says.order if isinstance(says, Opens) else fact.stream
    reason = (
        f"it cannot be read: {fact.event.reason}" if isinstance(fact.event, Unreadable) else parked.reason
    )
    return Signal(subject, fact, reason, parked.since)
