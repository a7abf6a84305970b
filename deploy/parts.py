"""The parts that every serving process has, and the read models: opened and put together in one place."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from deploy.places import Places
from deploy.provider import stripe_access
from deploy.reading import EMBEDDED
from deploy.settings import Settings, variable
from deploy.stores import named_by
from gateways.clock import SystemClock
from gateways.embedded import POLL, EmbeddedStore
from gateways.payments import CardSimulator
from gateways.raw_log import RawEvent
from processmanager.desk import Desk
from processmanager.hints import Hints, News, Reconciler
from processmanager.marketplace import Marketplace, Policy
from processmanager.ports import Clock, EventStore, Payments, Signals
from processmanager.pump import Pump
from projections.agenda import AGENDA
from projections.catalogue import CATALOGUE
from projections.held import RetryRule
from projections.ledger import LEDGER
from projections.orders import ORDERS
from projections.projection import Projection
from projections.read_model import ReadModel
from projections.reconciliation import RECONCILIATION
from projections.temporal import Kept, temporal
from projections.turning import adopt

TICKETS_KEPT = Kept(CATALOGUE, "ticket", born="listed", owner="seller", whole="for_sale = 1")
ORDERS_KEPT = Kept(ORDERS, "placed_order", born="placed", owner="buyer", whole="1")
PAST = temporal("past", 1, (TICKETS_KEPT, ORDERS_KEPT))
"""What lists as of any position are read from."""

PROJECTIONS: Sequence[Projection] = (CATALOGUE, ORDERS, LEDGER, AGENDA, RECONCILIATION)
MODELS: Sequence[Projection] = (*PROJECTIONS, PAST)
"""What is fed while serving."""
NAMES = [projection.name for projection in MODELS]


class Store(EventStore, Protocol):
    """An event store that also says how far it has got and how it is.

    kind: of what kind it is, for whoever remembers positions of it.
    """

    kind: str

    def head(self) -> int: ...
    async def reaches(self, position: int) -> bool: ...
    async def raw(self, stream: str) -> Sequence[RawEvent]: ...
    async def id_at(self, position: int) -> UUID | None: ...
    def health(self) -> str | None: ...
    async def close(self) -> None: ...


class Provider(Payments, Protocol):
    """A payment provider that is let go of in the end."""

    async def close(self) -> None: ...


class Parts(Struct, frozen=True):
    """What decides and remembers, in one process.

    signals: what is given to this process, where the store shares purchases among processes.
    """

    settings: Settings
    places: Places
    store: Store
    clock: Clock
    payments: Payments
    desk: Desk
    pump: Pump
    marketplace: Marketplace
    signals: Signals | None = None
    hints: Hints | None = None
    reconciler: Reconciler | None = None


async def open_parts(
    settings: Settings,
    closing: AsyncExitStack,
    *,
    store: Store | None = None,
    payments: Payments | None = None,
    clock: Clock | None = None,
    poll: float = POLL,
) -> Parts:
    """What ``settings`` ask for, but for what is given; what is opened here is closed by ``closing``.

    poll: as for the embedded store. Raises what keeps a process from serving (StoreDamaged, OSError, …).
    """
    places, clock = Places(settings.data), clock or SystemClock()
    signals: Signals | None = None
    if store is None:
        store, signals = await _open_store(settings, places, poll)
        closing.push_async_callback(store.close)
    if payments is None:
        provider = _open_payments(settings, clock)
        closing.push_async_callback(provider.close)
        payments = provider
    desk = Desk(store, clock)
    policy = Policy(settings.hold, settings.grace, settings.own_tickets, settings.late_sales)
    pump = Pump(desk, payments, clock, policy.late)
    marketplace = Marketplace(desk, pump, clock, policy)
    hints, reconciler = None, None
    if isinstance(payments, News):
        hints = Hints(pump, payments)
        closing.push_async_callback(hints.close)
        reconciler = Reconciler(hints, payments, clock)
    return Parts(
        settings, places, store, clock, payments, desk, pump, marketplace, signals, hints, reconciler
    )


def _open_payments(settings: Settings, clock: Clock) -> Provider:
    if not settings.stripe_secret_key:
        return CardSimulator.open(settings.ledger)
    access = stripe_access(settings)
    from gateways.stripe_payments import StripePayments

    return StripePayments(access, clock)


async def _open_store(settings: Settings, places: Places, poll: float) -> tuple[Store, Signals | None]:
    if settings.store == EMBEDDED:
        return await EmbeddedStore.open(places.log, poll=poll), None
    with named_by(variable("store")):
        from gateways.eventstoredb import EventStoreDBStore

        store = await EventStoreDBStore.open(settings.store)
    return store, store.group(settings.retry_delays)


def open_models(parts: Parts, slot: Path, closing: AsyncExitStack) -> dict[str, ReadModel]:
    """The read models in ``slot``, to be fed by this process and no other."""
    retry = RetryRule(tuple(delay.total_seconds() for delay in parts.settings.retry_delays))
    models = {}
    for projection in MODELS:
        path = model_file(slot, projection)
        adopt(projection, path)
        models[projection.name] = ReadModel(projection, path, retry=retry, now=parts.clock.now)
        closing.callback(models[projection.name].close)
    return models


def model_file(slot: Path, projection: Projection) -> Path:
    """Where the read model of ``projection`` is kept."""
    return slot / f"{projection.name}.sqlite"
