"""What is set aside and waits for an operator: purchases, and streams that a read model holds back."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from datetime import datetime
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from deploy.failing import known_place
from deploy.places import Places
from deploy.reading import EMBEDDED
from deploy.settings import Settings, option_name
from deploy.stores import named_by
from domain.decider import AnyRecorded
from domain.parking import Parked, State, parking
from gateways.clock import SystemClock
from gateways.codec import EventMapper
from gateways.embedded import EmbeddedStore
from gateways.embedded_recorder import EventRecorder
from processmanager.desk import Desk
from projections.held import Held, held_back


class ParkedPurchase(Struct, frozen=True):
    """``since``: when it was parked last."""

    order: str
    step: str
    error: str
    tries: int
    since: datetime


class HeldStream(Struct, frozen=True):
    """A stream that the read model in the file ``model`` holds back."""

    model: Path
    held: Held


class Signal(Struct, frozen=True):
    """A fact that the store has set aside without a parked purchase to it: it could not be read, or no
    process could answer for it in time. subject: its order, or its stream."""

    subject: str
    fact: AnyRecorded
    reason: str
    since: datetime


class Office(Protocol):
    """Where purchases that are set aside lie, and where an operator's word on them is heard."""

    async def facts(self) -> Iterable[AnyRecorded]:
        """All facts about parking, in order. Raises StoreUnavailable, sqlite3.Error."""
        ...

    async def signals(self) -> Sequence[Signal]:
        """What the store has set aside by itself. Raises StoreUnavailable."""
        ...

    async def say(self, word: Callable[[Desk], Awaitable[None]]) -> None:
        """Write an operator's word into the log; servers may be running. Raises Refused, StoreUnavailable."""
        ...

    async def waiting(self) -> int:
        """How many signals the store would give out again. Raises StoreUnavailable."""
        ...

    async def replay(self) -> None:
        """Have the store give out again what it has set aside. Raises StoreUnavailable."""
        ...


@asynccontextmanager
async def office(told: Settings) -> AsyncIterator[Office]:
    """The office of ``told``'s store. Raises BadSettings, StoreUnavailable."""
    if told.store == EMBEDDED:
        yield InDirectory(Places(told.data).log)
        return
    with named_by(option_name("store")):
        from deploy.parked_signals import OnEventStoreDB

        opened = await OnEventStoreDB.open(told.store)
    try:
        yield opened
    finally:
        await opened.close()


class InDirectory:
    """The log of a data directory. Its purchases are parked by facts alone."""

    def __init__(self, log: Path) -> None:
        self._log = log

    async def facts(self) -> Iterable[AnyRecorded]:
        recorder, mapper = EventRecorder.at(self._log), EventMapper()
        with closing(recorder.datastore), known_place(self._log):
            types = [event.__name__ for event in parking.events]
            stored = recorder.select_notifications(None, limit=-1, topics=types)
            return [mapper.to_domain_event(each) for each in stored]

    async def signals(self) -> Sequence[Signal]:
        return ()

    async def say(self, word: Callable[[Desk], Awaitable[None]]) -> None:
        store = await EmbeddedStore.open(self._log)
        try:
            await word(Desk(store, SystemClock()))
        finally:
            await store.close()

    async def waiting(self) -> int:
        return 0

    async def replay(self) -> None:
        """There are no signals: whoever drives purchases looks at the facts."""


async def parked_purchases(office: Office) -> list[ParkedPurchase]:
    """What is parked now, longest first. Raises StoreUnavailable, sqlite3.Error."""
    states: dict[str, tuple[State, datetime]] = {}
    for fact in await office.facts():
        state, _ = states.pop(fact.key, (parking.initial, None))
        states[fact.key] = parking.evolve(state, fact.event), fact.metadata.at
    return [
        ParkedPurchase(order, state.step, state.error, state.tries, since)
        for order, (state, since) in states.items()
        if isinstance(state, Parked)
    ]


def model_files(places: Places) -> list[Path]:
    """The files of all read models, of every process that ever served."""
    return sorted(places.read_models.glob("*/*.sqlite"))


def held_streams(places: Places) -> Iterator[HeldStream]:
    """What read models hold back. Raises sqlite3.Error."""
    for path in model_files(places):
        with known_place(path):
            found = held_back(path)
        yield from (HeldStream(path, held) for held in found)
