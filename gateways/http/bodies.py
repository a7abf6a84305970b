"""The shapes of bodies: what the classic surface's clients send and read, field by field."""

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

from domain import order, ticket
from projections.catalogue import CatalogueItem
from projections.orders import OrderItem

Number: TypeAlias = int | float
Status: TypeAlias = Literal["created", "awaiting:payment", "complete", "cancelled"]

# ── What is answered ──────────────────────────────────────────────────────────────────────────────


class TicketBody(Struct, frozen=True, gc=False):
    """userId: the seller. orderId: only while the ticket is held or sold."""

    title: str
    price: Number
    userId: str  # noqa: N815 - the clients' spelling, here and below
    version: int
    id: str
    orderId: str | UnsetType = UNSET  # noqa: N815


class OrderedTicket(Struct, frozen=True, gc=False):
    """The ticket as it was ordered."""

    title: str
    price: Number
    version: int
    id: str


class OrderBody(Struct, frozen=True, gc=False):
    """userId: the buyer. expiresAt: when the hold ends, in UTC."""

    userId: str  # noqa: N815
    status: Status
    expiresAt: str  # noqa: N815
    ticket: OrderedTicket
    version: int
    id: str


class PaymentBody(Struct, frozen=True):
    id: str


class ActionBody(Struct, frozen=True, rename="camel"):
    """The buyer has to confirm at his bank. ``action``: what he has to do there.

    client_secret: what the payment provider's own script needs for it. page: where the bank asks, if it is
    a page to go to. The same request again, with its Idempotency-Key, tells how it ended.
    """

    id: str
    action: str
    status: Literal["requires_action"] = "requires_action"
    client_secret: str | None = None
    page: str | None = None


class UserBody(Struct, frozen=True):
    email: str
    id: str


class CurrentUser(Struct, frozen=True):
    """iat: when the session began, in seconds since the epoch."""

    id: str
    email: str
    iat: int


class CurrentUserBody(Struct, frozen=True):
    currentUser: CurrentUser | None  # noqa: N815


# ── What is sent ──────────────────────────────────────────────────────────────────────────────────
# For the document alone: bodies are read field by field (parsing.py), so that each problem is named.


class Credentials(Struct):
    email: str
    password: Annotated[str, Meta(min_length=4, max_length=20)]


class ListingForm(Struct):
    title: Annotated[str, Meta(min_length=1, max_length=500)]
    price: Annotated[int, Meta(gt=0)] | Annotated[float, Meta(gt=0)] | str


class OrderForm(Struct):
    ticketId: str  # noqa: N815


class PaymentForm(Struct):
    token: str
    orderId: str  # noqa: N815


# ── From states ───────────────────────────────────────────────────────────────────────────────────

_STATUS: dict[type[Any], Status] = {
    order.AwaitingPayment: "created",
    order.Paying: "awaiting:payment",
    order.Revived: "awaiting:payment",
    order.Completed: "complete",
    order.Cancelled: "cancelled",
}


def status_of(state: order.State) -> Status:
    """How a placed order stands."""
    return _STATUS[type(state)]


def ticket_body(ticket_id: str, state: ticket.State) -> TicketBody:
    """A listed ticket, in any state."""
    assert not isinstance(state, ticket.Unlisted)
    listing = state.listing
    held_by = state.order if isinstance(state, ticket.Reserved | ticket.Sold) else UNSET
    return TicketBody(listing.title, listing.price.major, listing.seller, listing.version, ticket_id, held_by)


def order_body(order_id: str, state: order.State) -> OrderBody:
    """A placed order, in any state."""
    assert not isinstance(state, order.Unplaced)
    version = int(isinstance(state, order.Cancelled)) + 2 * _was_revived(state)
    return _order_body(order_id, state.terms, status_of(state), version)


def placed_body(order_id: str, state: order.State) -> OrderBody:
    """The order as it was on the day it was placed, whatever has become of it."""
    assert not isinstance(state, order.Unplaced)
    return _order_body(order_id, state.terms, "created", 0)


def _was_revived(state: order.State) -> bool:
    match state:
        case order.Revived():
            return True
        case order.Completed(revived=revived) | order.Cancelled(revived=revived):
            return bool(revived)
        case _:
            return False


def _order_body(order_id: str, terms: order.Terms, status: Status, version: int) -> OrderBody:
    return OrderBody(
        terms.buyer,
        status,
        moment(terms.expires_at),
        OrderedTicket(terms.title, terms.price.major, terms.ticket_version, terms.ticket),
        version,
        order_id,
    )


def moment(at: datetime) -> str:
    """A time in UTC as JavaScript writes it: milliseconds and a Z."""
    return at.isoformat(timespec="milliseconds")[:23] + "Z"


# ── From read models ──────────────────────────────────────────────────────────────────────────────


def listed(item: CatalogueItem) -> TicketBody:
    return TicketBody(item.title, item.price.major, item.seller, item.version, item.id, item.order or UNSET)


def ordered(item: OrderItem) -> OrderBody:
    return OrderBody(
        item.buyer,
        item.status,
        moment(item.expires_at),
        OrderedTicket(item.title, item.price.major, item.ticket_version, item.ticket),
        item.version,
        item.id,
    )
