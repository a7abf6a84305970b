"""What happened to a ticket, and why an order is as it is: under /api/v1, as JSON and as pages.

Whoever reads is told of others by what they are ("the seller", "a buyer") and never by an id of theirs.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import groupby

from msgspec import Struct

from domain import order, ticket
from domain.decider import AnyRecorded
from gateways.http.answer import Answer, Header, json
from gateways.http.as_of import AS_OF, AsOf, true_at
from gateways.http.bodies import Number, Status, moment, status_of
from gateways.http.call import Call
from gateways.http.errors import Forbidden, NotFound
from gateways.http.etags import tagged
from gateways.http.pages import page, wants_page
from gateways.http.routes import Route
from processmanager.archive import END, Archive, PastPurchase, fold, is_frozen
from processmanager.explaining import explain
from processmanager.timeline import Entry, Name, timeline

NOT_YOURS = "This order is somebody else's"

# ── What is answered ──────────────────────────────────────────────────────────────────────────────


class EntryBody(Struct, frozen=True):
    """One event. who: by whom. why: the reason in the log. lasted: seconds until the next; null: until now.

    holder: who has the ticket from then on.
    """

    position: int
    at: str
    event: str
    who: str
    what: str
    why: str | None
    price: Number | None
    currency: str | None
    holder: str | None
    lasted: float | None


class HistoryBody(Struct, frozen=True):
    """frozen: sold, and the buyer's bank has what was paid for it in question. position: of the log, at which
    this is true."""

    id: str
    title: str
    frozen: bool
    position: int
    history: list[EntryBody]


class ExplanationBody(Struct, frozen=True):
    """state, because, next: plain words. nextAt: when; null for at once, or for never. over: nothing is to
    come. position: of the log, at which this is true."""

    id: str
    status: Status
    state: str
    because: list[str]
    next: str
    nextAt: str | None  # noqa: N815 - the clients' spelling
    over: bool
    position: int
    history: list[EntryBody]


# ── The routes ────────────────────────────────────────────────────────────────────────────────────


class Histories:
    def __init__(self, archive: Archive, as_of: AsOf, late: timedelta | None) -> None:
        """late: as for ``next_step``."""
        self._late = late
        self._archive = archive
        self._as_of = as_of

    def routes(self) -> list[Route]:
        return [
            Route(
                method="GET",
                path="/api/v1/tickets/:ticket/history",
                handle=self.of_ticket,
                summary="Everything that happened to a ticket",
                query=(AS_OF,),
                answers={200: HistoryBody},
                errors=(400, 404),
                page=True,
            ),
            Route(
                method="GET",
                path="/api/v1/orders/:order/explain",
                handle=self.of_order,
                summary="Why an order is as it is, and what happens next: for its buyer and its seller",
                query=(AS_OF,),
                answers={200: ExplanationBody},
                errors=(400, 403, 404),
                signed_in=True,
                page=True,
            ),
        ]

    async def of_ticket(self, call: Call) -> Answer:
        ticket_id = call.path_id("ticket")
        then = await self._as_of.position(call)
        facts = await self._archive.of_ticket(ticket_id, END if then is None else then)
        own = [fact for fact in facts if fact.category == ticket.ticket.category]
        state = fold(ticket.ticket, ticket.ticket.stream(ticket_id), own).state
        if isinstance(state, ticket.Unlisted):
            raise NotFound
        session, listing, frozen = call.session, state.listing, is_frozen(state, facts)
        name = named(facts, listing.seller, session.user if session else None)
        entries, position = timeline(facts, name, discreet=True), facts[-1].position
        if not wants_page(call):
            body = HistoryBody(ticket_id, listing.title, frozen, position, [*map(entry_body, entries)])
            return tagged(call, json(200, body, VARY, *true_at(then)))
        return tagged(
            call,
            page(
                "ticket.html",
                true_at(then),
                id=ticket_id,
                ticket_title=listing.title,
                standing=FROZEN if frozen else _STANDING[type(state)],
                price=listing.price,
                holder=name(state.buyer) if isinstance(state, ticket.Reserved | ticket.Sold) else None,
                seller=name(listing.seller),
                days=_by_day(entries),
                position=position,
            ),
        )

    async def of_order(self, call: Call) -> Answer:
        user, order_id = call.user(), call.path_id("order")
        then = await self._as_of.position(call)
        purchase = await self._archive.purchase(order_id, END if then is None else then)
        placed = purchase.order
        if isinstance(placed, order.Unplaced):
            raise NotFound
        if user not in {placed.terms.buyer, placed.terms.seller}:
            raise Forbidden(NOT_YOURS)
        return await self._explained(call, purchase, placed.terms, then, discreet=user != placed.terms.buyer)

    async def _explained(
        self, call: Call, purchase: PastPurchase, terms: order.Terms, then: int | None, *, discreet: bool
    ) -> Answer:
        """discreet: for the seller, who does not learn what a bank told its customer."""
        told = explain(purchase, await self._as_of.clock(then), late=self._late, discreet=discreet)
        name = named(purchase.facts, terms.seller, call.user())
        entries, status = timeline(purchase.facts, name, discreet=discreet), status_of(purchase.order)
        if not wants_page(call):
            body = ExplanationBody(
                purchase.order_id,
                status,
                told.state,
                [*told.because],
                told.next,
                None if told.at is None else moment(told.at),
                told.over,
                purchase.position,
                [*map(entry_body, entries)],
            )
            return tagged(call, json(200, body, VARY, *true_at(then)))
        return tagged(
            call,
            page(
                "order.html",
                true_at(then),
                id=purchase.order_id,
                ticket_title=terms.title,
                price=terms.price,
                standing=_PROGRESS[status],
                told=told,
                days=_by_day(entries),
                position=purchase.position,
            ),
        )


VARY: Header = (b"vary", b"accept, cookie")
FROZEN = "sold, and frozen: the buyer's bank has the payment in question"
_STANDING: dict[type, str] = {
    ticket.Available: "for sale",
    ticket.Reserved: "held",
    ticket.Sold: "sold",
    ticket.Delisted: "off the list",
}
_PROGRESS: dict[Status, str] = {
    "created": "not paid for yet",
    "awaiting:payment": "being paid for",
    "complete": "complete",
    "cancelled": "over without a sale",
}

# ── How people are called ─────────────────────────────────────────────────────────────────────────


def named(facts: Iterable[AnyRecorded], seller: str, reader: str | None) -> Name:
    """How ``reader`` is told of everybody: by what they are. Buyers are numbered when there are several."""
    buyers = dict.fromkeys(buyer for fact in facts if (buyer := getattr(fact.event, "buyer", None)))
    names = {buyer: f"buyer {number}" for number, buyer in enumerate(buyers, 1)}
    if len(names) == 1:
        names = dict.fromkeys(names, "the buyer")
    names[seller] = "the seller"
    if reader in names:
        names[reader] = "you"
    return lambda who: names.get(who, "the shop")


def entry_body(entry: Entry) -> EntryBody:
    return EntryBody(
        entry.position,
        moment(entry.at),
        entry.event,
        entry.who,
        entry.what,
        entry.why or None,
        entry.price.major if entry.price else None,
        entry.price.currency if entry.price else None,
        entry.holder,
        entry.lasted.total_seconds() if entry.lasted is not None else None,
    )


def _by_day(entries: list[Entry]) -> list[tuple[datetime, list[Entry]]]:
    days = groupby(entries, lambda entry: entry.at.date())
    return [(same[0].at, same) for same in ([*group] for _, group in days)]
