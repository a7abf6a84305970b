"""The HTTP application: routes, wired to the services that they speak to, inside the edge."""

from collections.abc import Sequence
from typing import cast

from litestar import Litestar

from gateways.http import published
from gateways.http.answer import App
from gateways.http.edge import Edge
from gateways.http.errors import handle
from gateways.http.freshness import Freshness
from gateways.http.health import Health
from gateways.http.histories import Histories
from gateways.http.keys import Keys
from gateways.http.openapi import Document
from gateways.http.operators import Operators
from gateways.http.options import HttpOptions, Services
from gateways.http.orders import Orders
from gateways.http.paid import Paid
from gateways.http.payments import Payments
from gateways.http.routes import Route, endpoints, mounted
from gateways.http.session import SessionCookies
from gateways.http.tickets import Tickets
from gateways.http.users import Users
from gateways.sessions import Sessions


def build_http(services: Services, options: HttpOptions) -> Edge:
    """The ASGI application that serves ``services``. Raises ValueError for a weak or missing session key."""
    sessions = Sessions(
        options.jwt_keys,
        classic=options.classic_sessions,
        lifetime=options.session_lifetime,
        erased=services.erased,
    )
    cookies = SessionCookies(sessions, options.session_cookie)
    document = Document(options.session_cookie)
    health = Health(services.live, services.ready, services.notes, lambda: edge.draining)
    histories = Histories(services.archive, services.as_of, services.marketplace.policy.late)
    hooks = services.webhooks.routes() if services.webhooks is not None else ()
    returns = services.returns.routes() if services.returns is not None else ()
    routes = [
        *_classic(services, options, cookies),
        *histories.routes(),
        *services.receipts.routes(),
        *Paid(services.archive, services.as_of, Operators(options.operator_keys)).routes(),
        *published.routes(),
        *hooks,
        *returns,
        *health.routes(),
        document.route(),
    ]
    document.describe(routes)
    answering = endpoints(routes)
    app = Litestar(
        mounted(answering),
        exception_handlers={Exception: handle},
        openapi_config=None,
        logging_config=None,
    )
    edge = Edge(cast("App", app), answering, options, cookies, routes)
    return edge


def _classic(services: Services, options: HttpOptions, cookies: SessionCookies) -> Sequence[Route]:
    """The classic surface, frozen: what clients of such marketplaces have always called."""
    freshness = Freshness(services.reaches, options.read_wait)
    keys = Keys()
    marketplace, archive, as_of = services.marketplace, services.archive, services.as_of
    return (
        *Users(services.accounts, cookies).routes(),
        *Tickets(marketplace, services.catalogue, freshness, keys, options.currency, archive, as_of).routes(),
        *Orders(marketplace, services.orders, freshness, keys, archive, as_of).routes(),
        *Payments(marketplace, freshness, keys).routes(),
    )
