"""What is set aside and waits for an operator: purchases, and streams that a read model holds back."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from deploy.places import Places
from domain.parking import Parked, State, parking
from gateways.clock import SystemClock
from gateways.codec import Codec, NotifiedFact
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


def parked_purchases(log: Path) -> list[ParkedPurchase]:
    """What is parked now, longest first. Raises StoreUnavailable, sqlite3.Error."""
    states: dict[str, tuple[State, datetime]] = {}
    recorder, codec = EventRecorder.at(log), Codec()
    with closing(recorder.datastore):
        types = [event.__name__ for event in parking.events]
        for stored in recorder.select_notifications(None, limit=-1, topics=types):
            assert isinstance(stored, NotifiedFact)
            event, metadata = codec.decode(stored.topic, stored.state, stored.metadata)
            order = str(stored.originator_id).removeprefix(f"{parking.category}-")
            state, _ = states.pop(order, (parking.initial, None))
            states[order] = parking.evolve(state, event), metadata.at
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
        for held in held_back(path):
            yield HeldStream(path, held)


async def say(log: Path, word: Callable[[Desk], Awaitable[None]]) -> None:
    """Write an operator's word into the log at ``log``; a server may be running on it. Raises Refused."""
    store = await EmbeddedStore.open(log)
    try:
        await word(Desk(store, SystemClock()))
    finally:
        await store.close()
