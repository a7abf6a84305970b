"""What can be said to an order."""

from datetime import datetime
from typing import TypeAlias

from msgspec import Struct

from domain.money import Money


class Terms(Struct, frozen=True, gc=False):
    """What was agreed when the ticket was taken: the ticket as it was ordered.

    ticket_version: the ticket's public version at that moment.
    """

    buyer: str
    ticket: str
    seller: str
    title: str
    price: Money
    expires_at: datetime
    ticket_version: int = 0


class PlaceOrder(Struct, frozen=True):
    terms: Terms


class StartPayment(Struct, frozen=True):
    """Begin one attempt to pay.

    payment: the attempt's id. method: the provider's token of the card, never a card number.
    at: the deciding clock. grace_until: how long expiry is fenced off for this attempt.
    request: the id of the HTTP request that asks for it.
    """

    payment: str
    by: str
    method: str
    at: datetime
    grace_until: datetime
    request: str = ""


class FailPayment(Struct, frozen=True):
    payment: str
    reason: str


class CompleteOrder(Struct, frozen=True):
    """``hold``: the end of the hold from which the ticket was sold; None: whichever the order has."""

    payment: str
    hold: datetime | None = None


class ReviveOrder(Struct, frozen=True):
    """``expires_at``: the end of the hold by which the ticket was taken for it again."""

    payment: str
    expires_at: datetime


class RefuseLatePayment(Struct, frozen=True):
    """The money came late and does not buy the ticket: the order is over for good, and the money goes."""

    payment: str
    reason: str


class CancelOrder(Struct, frozen=True):
    by: str


class ExpireOrder(Struct, frozen=True):
    at: datetime


Command: TypeAlias = (
    PlaceOrder
    | StartPayment
    | FailPayment
    | CompleteOrder
    | ReviveOrder
    | RefuseLatePayment
    | CancelOrder
    | ExpireOrder
)
