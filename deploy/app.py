"""The composition root: the one place that knows how the parts of a serving process fit together.

``build`` takes the parts that touch the outside as arguments, so a test swaps one of them by passing
another, and everything else is the product as it is shipped. It puts everything into one process;
``admitone serve`` divides the same parts among several (``build_web``, and deploy/projector.py).
"""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from deploy.background import Background
from deploy.hearsay import BOARD, Hearsay
from deploy.keeper import Keeper
from deploy.keys import receipt_keys, session_keys
from deploy.parts import (
    MODELS,
    NAMES,
    ORDERS_KEPT,
    PAST,
    TICKETS_KEPT,
    Parts,
    Store,
    model_file,
    open_models,
    open_parts,
)
from deploy.places import Places
from deploy.reconciled import LastReport
from deploy.settings import Settings
from gateways.erasure import Erasures
from gateways.http.app import build_http
from gateways.http.as_of import AsOf
from gateways.http.edge import Edge
from gateways.http.options import Check, HttpOptions, Services
from gateways.http.receipts import Receipts
from gateways.http.returns import Returns
from gateways.http.webhooks import Webhooks
from gateways.identity import Accounts
from gateways.leases import claim_slot
from processmanager.archive import Archive
from processmanager.ports import Clock, Payments
from projections.board import Board
from projections.catalogue import CATALOGUE, Catalogue
from projections.elsewhere import Elsewhere
from projections.orders import ORDERS, Orders
from projections.outside import Followed
from projections.past import Past


class Application:
    """One serving process, put together. ``start`` sets its background work going, ``stop`` ends it."""

    def __init__(
        self,
        asgi: Edge,
        parts: Parts,
        background: Background,
        keeper: Keeper | None,
        closing: AsyncExitStack,
    ) -> None:
        """keeper: what goes on beside the requests, unless another process sees to it."""
        self.asgi = asgi
        self.marketplace = parts.marketplace
        self.store = parts.store
        self.reconciler = parts.reconciler
        self._background = background
        self._keeper = keeper
        self._closing = closing

    async def start(self) -> None:
        """Begin what goes on beside the requests."""
        if self._keeper is not None:
            await self._keeper.start()

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
    """Put the whole product together in one process, without starting it.

    store, payments, clock: in place of the parts that ``settings`` ask for; whoever gives them closes them.
    Raises what keeps the process from serving (StoreDamaged, AccountsDamaged, OSError, …).
    """
    async with AsyncExitStack() as closing:
        parts = await open_parts(settings, closing, store=store, payments=payments, clock=clock)
        accounts = await _accounts(parts, closing)
        slot = claim_slot(parts.places.read_models)
        closing.callback(slot.release)
        models = open_models(parts, slot.path, closing)
        background = Background()
        keeper = Keeper(parts, models, background)
        asgi = _http(parts, accounts, models, keeper.live, keeper.ready, slot.path, closing)
        return Application(asgi, parts, background, keeper, closing.pop_all())


async def build_web(settings: Settings, slot: Path) -> Application:
    """Put a process together that answers requests, and reads the read models that the projector keeps
    in ``slot``, without starting it. Raises as ``build`` does."""
    async with AsyncExitStack() as closing:
        parts = await open_parts(settings, closing)
        accounts = await _accounts(parts, closing)
        board = Board(slot / BOARD, NAMES)
        models = {}
        for projection in MODELS:
            models[projection.name] = Elsewhere(projection, model_file(slot, projection), board)
            closing.callback(models[projection.name].close)
        heard = Hearsay(board).checks(shares=parts.signals is not None)
        asgi = _http(parts, accounts, models, {}, heard, slot, closing)
        return Application(asgi, parts, Background(), None, closing.pop_all())


async def _accounts(parts: Parts, closing: AsyncExitStack) -> Accounts:
    accounts = await Accounts.open(parts.places.accounts)
    closing.push_async_callback(accounts.close)
    return accounts


def _http(
    parts: Parts,
    accounts: Accounts,
    models: Mapping[str, Followed],
    live: Mapping[str, Check],
    ready: Mapping[str, Check],
    slot: Path,
    closing: AsyncExitStack,
) -> Edge:
    past = Past(PAST, model_file(slot, PAST), parts.store.reaches)
    closing.callback(past.close)
    as_of = AsOf(past, parts.store.reaches, parts.clock.now, TICKETS_KEPT, ORDERS_KEPT)
    erased = Erasures(parts.places.accounts)
    closing.callback(erased.close)
    services = Services(
        marketplace=parts.marketplace,
        archive=Archive(parts.store),
        as_of=as_of,
        accounts=accounts,
        erased=erased,
        catalogue=Catalogue(models[CATALOGUE.name]),
        orders=Orders(models[ORDERS.name]),
        reaches=parts.store.reaches,
        live=live,
        ready={"log": parts.store.health, **ready},
        receipts=Receipts(
            parts.store.raw, receipt_keys(parts.settings, parts.places), parts.clock.now, as_of
        ),
        webhooks=_webhooks(parts),
        returns=None if parts.hints is None else Returns(parts.hints, parts.marketplace),
        notes={"reconciliation": LastReport(parts.places.reconciliation).check},
    )
    asgi = build_http(services, _http_options(parts.settings, parts.places))
    closing.callback(asgi.close)
    return asgi


def _webhooks(parts: Parts) -> Webhooks | None:
    settings = parts.settings
    if parts.hints is None or not settings.stripe_webhook_secrets:
        return None
    from gateways.stripe_webhooks import StripeWebhooks

    live = "_live_" in settings.stripe_secret_key
    signed = StripeWebhooks(settings.stripe_webhook_secrets, settings.stripe_tolerance, live=live)
    return Webhooks(signed, parts.desk, parts.hints, parts.clock.now)


def _http_options(settings: Settings, places: Places) -> HttpOptions:
    return HttpOptions(
        jwt_keys=session_keys(settings, places),
        classic_sessions=settings.classic_sessions,
        session_cookie=settings.session_cookie,
        secure_cookies=settings.secure_cookies,
        operator_keys=settings.operator_key,
        rate_limit=settings.rate_limit,
        rate_file=places.rates if settings.workers > 1 else None,
        trusted_proxies=settings.trusted_proxies,
        origins=settings.origins,
        currency=settings.currency,
    )
