"""The composition root: the one place that knows how the parts of a serving process fit together.

``build`` takes the parts that touch the outside as arguments, so a test swaps one of them by passing
another, and everything else is the product as it is shipped.
"""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Protocol

from deploy import demo_listings
from deploy.background import Background
from deploy.driver import Driver
from deploy.keys import kept_key
from deploy.places import Places
from deploy.settings import Settings
from gateways.agenda import ProjectedAgenda
from gateways.clock import SystemClock
from gateways.embedded import EmbeddedStore
from gateways.http.app import build_http
from gateways.http.edge import Edge
from gateways.http.options import HttpOptions, Services
from gateways.identity import Accounts
from gateways.leases import Lease, claim_slot
from gateways.payments import CardSimulator
from gateways.scheduler import Waker
from processmanager.desk import Desk
from processmanager.marketplace import Marketplace, Policy
from processmanager.patience import Patience
from processmanager.ports import Clock, EventStore, Payments
from processmanager.pump import Pump
from processmanager.watchdog import Watchdog
from projections.agenda import AGENDA, AgendaTable
from projections.catalogue import CATALOGUE, Catalogue
from projections.follower import Follower
from projections.ledger import LEDGER
from projections.orders import ORDERS, Orders
from projections.projection import Projection
from projections.read_model import ReadModel

PROJECTIONS: Sequence[Projection] = (CATALOGUE, ORDERS, LEDGER, AGENDA)


class Store(EventStore, Protocol):
    """An event store that also says how far it has got and how it is."""

    def head(self) -> int: ...
    def health(self) -> str | None: ...


class Application:
    """One serving process, put together. ``start`` sets its background work going, ``stop`` ends it."""

    def __init__(
        self,
        settings: Settings,
        asgi: Edge,
        marketplace: Marketplace,
        store: Store,
        follower: Follower,
        driver: Driver,
        background: Background,
        closing: AsyncExitStack,
    ) -> None:
        self.asgi = asgi
        self.marketplace = marketplace
        self.store = store
        self._settings = settings
        self._follower = follower
        self._driver = driver
        self._background = background
        self._closing = closing

    async def start(self) -> None:
        """Follow the log and watch over purchases from now on; give an empty shop its demonstration."""
        self._background.begin("follower", self._follower.run())
        self._background.begin("driver", self._driver.run())
        if self._settings.demo:
            await demo_listings.seed(self.marketplace, self.store.head, self._settings.currency)

    def drain(self) -> None:
        """Say from now on that requests had better go elsewhere. All are still served."""
        self.asgi.draining = True

    async def stop(self) -> None:
        """End the background work, then close what it used, the log last. A second call does nothing."""
        await self._background.end()
        await self._closing.aclose()


async def build(
    settings: Settings,
    *,
    store: Store | None = None,
    payments: Payments | None = None,
    clock: Clock | None = None,
) -> Application:
    """Put a serving process together, without starting it.

    store, payments, clock: in place of the parts that ``settings`` ask for; whoever gives them closes them.
    Raises what keeps the process from serving (StoreDamaged, AccountsDamaged, OSError, …).
    """
    async with AsyncExitStack() as closing:
        places = Places(settings.data)
        if store is None:
            embedded = await EmbeddedStore.open(places.log)
            closing.push_async_callback(embedded.close)
            store = embedded
        accounts = await Accounts.open(places.accounts)
        closing.push_async_callback(accounts.close)
        if payments is None:
            cards = CardSimulator.open(places.cards)
            closing.push_async_callback(cards.close)
            payments = cards
        models = _read_models(places, closing)
        return _put_together(
            settings, store, payments, clock or SystemClock(), accounts, models, closing.pop_all()
        )


def _read_models(places: Places, closing: AsyncExitStack) -> dict[str, ReadModel]:
    """The read models of a place that no other process has. A restarted process finds them again."""
    slot = claim_slot(places.read_models)
    closing.callback(slot.release)
    models = {}
    for projection in PROJECTIONS:
        models[projection.name] = ReadModel(projection, slot.path / f"{projection.name}.sqlite")
        closing.callback(models[projection.name].close)
    return models


def _put_together(
    settings: Settings,
    store: Store,
    payments: Payments,
    clock: Clock,
    accounts: Accounts,
    models: dict[str, ReadModel],
    closing: AsyncExitStack,
) -> Application:
    places = Places(settings.data)
    background = Background()
    desk = Desk(store, clock)
    pump = Pump(desk, payments, clock)
    marketplace = Marketplace(desk, pump, clock, Policy(settings.hold, settings.grace, settings.own_tickets))
    follower = Follower(store, list(models.values()))
    agenda = ProjectedAgenda(AgendaTable(models[AGENDA.name]))
    watchdog = Watchdog(agenda, pump, desk, clock, Patience(settings.retry_delays))
    driver = Driver(Lease(places.driver), watchdog, lambda: Waker(watchdog.wake, agenda.next_due))
    services = Services(
        marketplace=marketplace,
        accounts=accounts,
        catalogue=Catalogue(models[CATALOGUE.name]),
        orders=Orders(models[ORDERS.name]),
        head=store.head,
        live={name: partial(background.check, name) for name in ("follower", "driver")},
        ready={"log": store.health, "projections": follower.health},
    )
    asgi = build_http(services, _http_options(settings, places))
    closing.callback(asgi.close)
    return Application(settings, asgi, marketplace, store, follower, driver, background, closing)


def _http_options(settings: Settings, places: Places) -> HttpOptions:
    return HttpOptions(
        jwt_keys=settings.jwt_key or (kept_key(places.key),),
        classic_sessions=settings.classic_sessions,
        session_cookie=settings.session_cookie,
        secure_cookies=settings.secure_cookies,
        rate_limit=settings.rate_limit,
        rate_file=places.rates if settings.workers > 1 else None,
        trusted_proxies=settings.trusted_proxies,
        origins=settings.origins,
        currency=settings.currency,
    )
