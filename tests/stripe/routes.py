"""Which endpoint a request is for. The operations' names are those of the SDK's services."""

from collections.abc import Callable
from typing import Any, TypeAlias

from msgspec import Struct

from tests.stripe import balance, customers, disputes, intents, methods, refunds, searching
from tests.stripe.bank import Bank, Call
from tests.stripe.errors import StripeError, refused
from tests.stripe.lists import Listing
from tests.stripe.params import Given, read
from tests.stripe.shapes import (
    BalanceTransaction,
    Charge,
    Customer,
    Dispute,
    Event,
    PaymentIntent,
    PaymentMethod,
    Refund,
    Stored,
)

Endpoint: TypeAlias = Callable[[Bank, Call], Any]


class Retrieving(Struct, frozen=True):
    """The endpoint that gives one object as it is."""

    kind: type[Stored]
    what: str

    def __call__(self, bank: Bank, call: Call) -> Stored:
        read(Given, call.params)
        return bank.find(self.kind, self.what, call.id)


class Route(Struct, frozen=True):
    operation: str
    endpoint: Endpoint
    path: tuple[str, ...] = ()


_ENDPOINTS: dict[str, Endpoint] = {
    "POST payment_intents": intents.create,
    "GET payment_intents": Listing(PaymentIntent, "/v1/payment_intents", "customer"),
    "GET payment_intents/search": searching.search,
    "GET payment_intents/*": intents.retrieve,
    "POST payment_intents/*": intents.update,
    "POST payment_intents/*/confirm": intents.confirm_one,
    "POST payment_intents/*/capture": intents.capture,
    "POST payment_intents/*/cancel": intents.cancel,
    "POST payment_methods": methods.create,
    "GET payment_methods": Listing(PaymentMethod, "/v1/payment_methods", "customer", "type"),
    "GET payment_methods/*": methods.retrieve,
    "POST payment_methods/*/attach": methods.attach,
    "POST payment_methods/*/detach": methods.detach,
    "POST customers": customers.create,
    "GET customers": Listing(Customer, "/v1/customers", "email"),
    "GET customers/*": customers.retrieve,
    "GET charges": Listing(Charge, "/v1/charges", "customer", "payment_intent"),
    "GET charges/*": Retrieving(Charge, "charge"),
    "POST refunds": refunds.create,
    "GET refunds": Listing(Refund, "/v1/refunds", "charge", "payment_intent"),
    "GET refunds/*": refunds.retrieve,
    "POST refunds/*": refunds.update,
    "POST refunds/*/cancel": refunds.cancel,
    "GET disputes": Listing(Dispute, "/v1/disputes", "charge", "payment_intent"),
    "GET disputes/*": disputes.retrieve,
    "POST disputes/*": disputes.update,
    "POST disputes/*/close": disputes.close,
    "GET balance": balance.retrieve,
    "GET balance_transactions": Listing(
        BalanceTransaction, "/v1/balance_transactions", "currency", "source", "type"
    ),
    "GET balance_transactions/*": Retrieving(BalanceTransaction, "balance transaction"),
    "GET events": Listing(Event, "/v1/events", "type"),
    "GET events/*": Retrieving(Event, "event"),
}
_VERBS = {"POST": "create", "GET": "list"}
_VERBS_OF_ONE = {"POST": "update", "GET": "retrieve"}


def route(method: str, path: str) -> Route:
    """The endpoint for ``/v1/…``. Raises StripeError when there is none."""
    parts = path.strip("/").split("/")
    if parts[0] == "v1" and 2 <= len(parts) <= 4 and all(parts):
        _, resource, *rest = parts
        shape = "/".join((resource, *_shape(rest)))
        endpoint = _ENDPOINTS.get(f"{method} {shape}")
        if endpoint is not None:
            ids = () if not rest or rest == ["search"] else (rest[0],)
            return Route(f"{resource}.{_verb(method, rest)}", endpoint, ids)
    raise _nothing_there(method, path)


def _shape(rest: list[str]) -> list[str]:
    return rest if rest in ([], ["search"]) else ["*", *rest[1:]]


def _verb(method: str, rest: list[str]) -> str:
    if not rest:
        return _VERBS[method]
    if rest == ["search"]:
        return "search"
    return rest[1] if len(rest) == 2 else _VERBS_OF_ONE[method]


def _nothing_there(method: str, path: str) -> StripeError:
    return refused(f"Unrecognized request URL ({method}: {path}).", status=404, kept=False)
