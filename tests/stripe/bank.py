"""What every endpoint works with: the ledger, the time, the call, and the events that it causes."""

from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from tests.stripe import ids
from tests.stripe.clock import Clock
from tests.stripe.errors import missing
from tests.stripe.form import Params
from tests.stripe.ledger import Ledger
from tests.stripe.shapes import Event, Stored

T = TypeVar("T", bound=Stored)

API_VERSION = "2026-10-28.endive"
"""The account's version, for requests that name none: the one that the locked SDK was made for."""


class Call(Struct, frozen=True):
    """One request to an endpoint. ``path``: the ids in its path, in order."""

    operation: str
    path: tuple[str, ...]
    params: Params
    request_id: str
    key: str | None = None
    version: str = API_VERSION

    @property
    def id(self) -> str:
        return self.path[0]


class Bank(Struct):
    """The account. ``webhook``: whether somebody is to be told of events. ``url``: its own address."""

    ledger: Ledger
    clock: Clock
    url: str = ""
    webhook: bool = False

    def find(self, kind: type[T], what: str, name: str, *, param: str = "id", status: int = 404) -> T:
        """The object by its id. Raises StripeError."""
        found = self.ledger.get(kind, name)
        if found is None:
            raise missing(what, name, param=param, status=status)
        return found

    def emit(
        self, kind: str, about: Stored, call: Call | None, changed: dict[str, Any] | None = None
    ) -> None:
        """Record an event with the object as it is now. https://docs.stripe.com/api/events/types"""
        data: dict[str, Any] = {"object": msgspec.to_builtins(about)}
        if changed:
            data["previous_attributes"] = changed
        event = Event(
            id=ids.new("evt"),
            created=self.clock.stamp(),
            api_version=API_VERSION,
            data=data,
            pending_webhooks=int(self.webhook),
            request={
                "id": call.request_id if call else None,
                "idempotency_key": call.key if call else None,
            },
            type=kind,
        )
        self.ledger.put(event)
        self.ledger.db.execute(
            "INSERT INTO deliveries (event, state, due) VALUES (?, 'new', ?)", (event.id, self.clock.now())
        )
