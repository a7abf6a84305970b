"""Stripe's objects, as far as they are read here. Names and meanings: https://docs.stripe.com/api

The SDK would make an object of each part of a reply, which cost a third of what its calls cost; of fifty
fields these are the ones that decide something.
"""

from typing import Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")


class Redirect(Struct, frozen=True):
    url: str | None = None


class NextAction(Struct, frozen=True):
    type: str
    redirect_to_url: Redirect | None = None


class Failure(Struct, frozen=True):
    """Why the last attempt to pay an intent failed."""

    code: str | None = None
    decline_code: str | None = None
    message: str | None = None


class Charge(Struct, frozen=True):
    disputed: bool


class Named(Struct, frozen=True):
    """Anything that was asked for to be spelt out, of which only the name matters."""

    id: str


class Intent(Struct, frozen=True, kw_only=True):
    """A PaymentIntent. ``amount``, ``amount_received``: in Stripe's units. ``created``: seconds since 1970.

    latest_charge: its name, or itself where it was asked for.
    """

    id: str
    status: str
    amount: int
    currency: str
    created: int
    amount_received: int = 0
    client_secret: str | None = None
    metadata: dict[str, str] | None = None
    next_action: NextAction | None = None
    last_payment_error: Failure | None = None
    latest_charge: str | Charge | None = None

    def __repr__(self) -> str:
        """Without the buyer's secret."""
        return f"Intent({self.id}, {self.status})"


class Refund(Struct, frozen=True, kw_only=True):
    id: str
    amount: int
    currency: str
    created: int
    status: str | None = None
    failure_reason: str | None = None
    metadata: dict[str, str] | None = None
    payment_intent: str | Named | None = None


class Dispute(Struct, frozen=True, kw_only=True):
    id: str
    status: str
    reason: str
    created: int
    payment_intent: str | Named | None = None


class Subject(Struct, frozen=True):
    """What an event is about. payment_intent: the name of the intent that it belongs to."""

    payment_intent: str | Named | None = None


class EventData(Struct, frozen=True):
    object: Subject


class Event(Struct, frozen=True):
    id: str
    data: EventData


class Page(Struct, Generic[T], frozen=True):
    """Some of what was asked for, newest first, and whether there is more behind."""

    data: list[T]
    has_more: bool = False


def noted(thing: Intent | Refund, name: str) -> str | None:
    """What we noted under ``name`` in the metadata of an object."""
    return thing.metadata.get(name) if thing.metadata is not None else None


def named(thing: str | Named | None) -> str | None:
    """The name of what an object points to."""
    return thing.id if isinstance(thing, Named) else thing
