"""A ticket: Available ⇄ Reserved → Sold, or Delisted.

The append of ``TicketReserved`` is the moment that a ticket is taken. Whoever appends it at the
revision on which the decision was made has it; everybody else decides again and is refused.
"""

from datetime import datetime
from typing import TypeAlias, assert_never, final

from msgspec import Struct

from domain.decider import Decider, Refused
from domain.money import Money

# ── Commands ──────────────────────────────────────────────────────────────────────────────────────


class ListTicket(Struct, frozen=True):
    seller: str
    title: str
    price: Money


class EditTicket(Struct, frozen=True):
    by: str
    title: str
    price: Money


class DelistTicket(Struct, frozen=True):
    by: str


class ReserveTicket(Struct, frozen=True):
    """``own_allowed``: the policy on sellers who buy their own ticket, in force when this was asked."""

    order: str
    buyer: str
    expires_at: datetime
    own_allowed: bool = False


class RetakeTicket(Struct, frozen=True):
    """Hold a ticket again for an order whose money came late, if it is offered as it was ordered."""

    order: str
    buyer: str
    title: str
    price: Money
    expires_at: datetime


class ReleaseTicket(Struct, frozen=True):
    """End *this order's* hold. Nobody else's is touched.

    hold: the end of the hold that is meant, here and below, for an order may come to hold the ticket again;
    None: whichever it has.
    """

    order: str
    reason: str
    hold: datetime | None = None


class SellTicket(Struct, frozen=True):
    order: str
    hold: datetime | None = None


class ReturnTicket(Struct, frozen=True):
    """Take back a ticket sold to this order, whose money was not kept."""

    order: str
    hold: datetime | None = None


Command: TypeAlias = (
    ListTicket
    | EditTicket
    | DelistTicket
    | ReserveTicket
    | RetakeTicket
    | ReleaseTicket
    | SellTicket
    | ReturnTicket
)

# ── Events ────────────────────────────────────────────────────────────────────────────────────────
# Their names and fields are the stored format: they may grow, their meaning may not change.


@final
class TicketListed(Struct, frozen=True, gc=False):
    seller: str
    title: str
    price: Money


@final
class TicketEdited(Struct, frozen=True, gc=False):
    title: str
    price: Money


@final
class TicketReserved(Struct, frozen=True, gc=False):
    order: str
    buyer: str
    price: Money
    expires_at: datetime


@final
class TicketReleased(Struct, frozen=True, gc=False):
    order: str
    reason: str


@final
class TicketSold(Struct, frozen=True, gc=False):
    order: str


@final
class TicketReturned(Struct, frozen=True, gc=False):
    order: str


@final
class TicketDelisted(Struct, frozen=True, gc=False):
    pass


Event: TypeAlias = (
    TicketListed
    | TicketEdited
    | TicketReserved
    | TicketReleased
    | TicketSold
    | TicketReturned
    | TicketDelisted
)

# ── States ────────────────────────────────────────────────────────────────────────────────────────


class Listing(Struct, frozen=True, gc=False):
    """What a seller offers.

    version: the public counter of the classic surface (classic-http §8): 0 when listed, and one more
    for each edit, hold and release. It is dense, which a stream revision is not.
    first: title and price as they were listed, once they were edited: a repeat of the listing says those.
    """

    seller: str
    title: str
    price: Money
    version: int
    first: tuple[str, Money] | None = None


@final
class Unlisted(Struct, frozen=True, gc=False):
    pass


class Available(Struct, frozen=True, gc=False):
    listing: Listing


class Reserved(Struct, frozen=True, gc=False):
    listing: Listing
    order: str
    buyer: str
    expires_at: datetime


class Sold(Struct, frozen=True, gc=False):
    """``expires_at``: of the hold that it was sold from."""

    listing: Listing
    order: str
    buyer: str
    expires_at: datetime


class Delisted(Struct, frozen=True, gc=False):
    listing: Listing


State: TypeAlias = Unlisted | Available | Reserved | Sold | Delisted

# ── Decide ────────────────────────────────────────────────────────────────────────────────────────

UNKNOWN = Refused("ticket_unknown", "There is no such ticket")
EXISTS = Refused("ticket_exists", "A different ticket was listed under this id")
NOT_OWNER = Refused("not_owner", "Only the seller may do this")
RESERVED = Refused("ticket_reserved", "Ticket is already reserved")
LOCKED = Refused("ticket_locked", "Cannot edit a reserved ticket")
WITHDRAWN = Refused("ticket_delisted", "The ticket is no longer for sale")
CHANGED = Refused("ticket_changed", "The ticket is no longer offered as it was ordered")
OWN_TICKET = Refused("own_ticket", "You cannot buy your own ticket")
NOT_HELD = Refused("ticket_not_held", "The ticket is not held for this order")
BAD_TITLE = Refused("title_invalid", "Title is required")
BAD_PRICE = Refused("price_invalid", "Price must be greater than 0")


def decide(command: Command, state: State) -> tuple[Event, ...] | Refused:
    if isinstance(command, ListTicket):
        return _list(command, state)
    if isinstance(state, Unlisted):
        return UNKNOWN
    match command:
        case EditTicket():
            return _edit(command, state)
        case DelistTicket():
            return _delist(command, state)
        case ReserveTicket():
            return _reserve(command, state)
        case RetakeTicket():
            return _retake(command, state)
        case ReleaseTicket(order, reason):
            held = isinstance(state, Reserved) and _is_meant(command, state)
            return (TicketReleased(order, reason),) if held else ()
        case SellTicket():
            return _sell(command, state)
        case ReturnTicket(order):
            sold = isinstance(state, Sold) and _is_meant(command, state)
            return (TicketReturned(order),) if sold else ()
        case _:
            assert_never(command)


def _list(command: ListTicket, state: State) -> tuple[Event, ...] | Refused:
    if not isinstance(state, Unlisted):
        listing = state.listing
        offered = (listing.seller, *_as_listed(listing))
        return () if offered == (command.seller, command.title, command.price) else EXISTS
    return _unfit(command.title, command.price) or (
        TicketListed(command.seller, command.title, command.price),
    )


def _edit(command: EditTicket, state: Available | Reserved | Sold | Delisted) -> tuple[Event, ...] | Refused:
    if command.by != state.listing.seller:
        return NOT_OWNER
    match state:
        case Reserved() | Sold():
            return LOCKED
        case Delisted():
            return WITHDRAWN
        case Available(listing):
            if (listing.title, listing.price) == (command.title, command.price):
                return ()
            return _unfit(command.title, command.price) or (TicketEdited(command.title, command.price),)
        case _:
            assert_never(state)


def _delist(
    command: DelistTicket, state: Available | Reserved | Sold | Delisted
) -> tuple[Event, ...] | Refused:
    if command.by != state.listing.seller:
        return NOT_OWNER
    match state:
        case Available():
            return (TicketDelisted(),)
        case Delisted():
            return ()
        case Reserved() | Sold():
            return LOCKED
        case _:
            assert_never(state)


def _reserve(
    command: ReserveTicket, state: Available | Reserved | Sold | Delisted
) -> tuple[Event, ...] | Refused:
    match state:
        case Available(listing):
            if command.buyer == listing.seller and not command.own_allowed:
                return OWN_TICKET
            return (TicketReserved(command.order, command.buyer, listing.price, command.expires_at),)
        case Reserved() | Sold():
            taken = (state.order, state.buyer) == (command.order, command.buyer)
            return () if taken else RESERVED
        case Delisted():
            return WITHDRAWN
        case _:
            assert_never(state)


def _retake(
    command: RetakeTicket, state: Available | Reserved | Sold | Delisted
) -> tuple[Event, ...] | Refused:
    match state:
        case Available(listing):
            if (listing.title, listing.price) != (command.title, command.price):
                return CHANGED
            return (TicketReserved(command.order, command.buyer, command.price, command.expires_at),)
        case Reserved() | Sold():
            return () if state.order == command.order else RESERVED
        case Delisted():
            return WITHDRAWN
        case _:
            assert_never(state)


def _sell(command: SellTicket, state: Available | Reserved | Sold | Delisted) -> tuple[Event, ...] | Refused:
    match state:
        case Reserved() if _is_meant(command, state):
            return (TicketSold(command.order),)
        case Sold() if _is_meant(command, state):
            return ()
        case _:
            return NOT_HELD


def _is_meant(command: ReleaseTicket | SellTicket | ReturnTicket, state: Reserved | Sold) -> bool:
    """Whether the ticket is this order's, by the hold that is meant."""
    return state.order == command.order and command.hold in {None, state.expires_at}


def _unfit(title: str, price: Money) -> Refused | None:
    if not title.strip():
        return BAD_TITLE
    if price.amount <= 0:
        return BAD_PRICE
    return None


# ── Evolve ────────────────────────────────────────────────────────────────────────────────────────
# By the exact type, for events are final: isinstance takes four times as long to say no.


def evolve(state: State, event: Event) -> State:
    if type(event) is TicketListed:
        return Available(Listing(event.seller, event.title, event.price, version=0))
    if type(state) is Unlisted:
        raise ValueError(f"{type(event).__name__} in a ticket that was never listed")
    listing = state.listing
    if type(event) is TicketReserved:
        return Reserved(_next(listing), event.order, event.buyer, event.expires_at)
    if type(event) is TicketSold:
        if type(state) is not Reserved:
            raise ValueError("TicketSold in a ticket that was not reserved")
        return Sold(listing, event.order, state.buyer, state.expires_at)
    if type(event) is TicketReleased or type(event) is TicketReturned:
        return Available(_next(listing))
    if type(event) is TicketEdited:
        version, first = listing.version + 1, _as_listed(listing)
        return Available(Listing(listing.seller, event.title, event.price, version, first))
    if type(event) is TicketDelisted:
        return Delisted(listing)
    assert_never(event)


def _next(listing: Listing) -> Listing:
    return Listing(listing.seller, listing.title, listing.price, listing.version + 1, listing.first)


def _as_listed(listing: Listing) -> tuple[str, Money]:
    return listing.first or (listing.title, listing.price)


# ── The decider ───────────────────────────────────────────────────────────────────────────────────

ticket: Decider[Command, State, Event] = Decider(
    category="ticket",
    initial=Unlisted(),
    decide=decide,
    evolve=evolve,
    events=(
        TicketListed,
        TicketEdited,
        TicketReserved,
        TicketReleased,
        TicketSold,
        TicketReturned,
        TicketDelisted,
    ),
)
