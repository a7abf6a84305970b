"""Tickets: /api/tickets. One ticket is read from its stream, lists from the catalogue."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlencode

from domain import ticket
from gateways.http.answer import Answer, Header, json
from gateways.http.as_of import AS_OF, AsOf, true_at
from gateways.http.bodies import ListingForm, TicketBody, listed, ticket_body
from gateways.http.call import Call
from gateways.http.errors import Invalid, NotFound, Problem
from gateways.http.freshness import Freshness, followed
from gateways.http.keys import REPLAYED, Keys
from gateways.http.pages import page, wants_page
from gateways.http.paging import AFTER, LIMIT, linked, one_of, page_of
from gateways.http.parsing import read_form, title_and_price
from gateways.http.routes import Handler, Query, Route
from processmanager.archive import Archive
from processmanager.desk import Done
from processmanager.marketplace import Marketplace
from projections.catalogue import Catalogue, Sort

SORTS: tuple[Sort, ...] = ("listed", "price", "title")
WAYS = ("asc", "desc")
MAX_TEXT = 200
TEXT_LONG = Problem(f"q must be at most {MAX_TEXT} printable characters", "q")
SELLER = Query("userId", "Only this seller's", {"type": "string"})
PROFILE = Query("forProfilePage", "With userId: all of the seller's, in any state", {"type": "boolean"})
TEXT = Query("q", "Words in the title", {"type": "string"})
SORT = Query("sort", "What to sort by", {"enum": list(SORTS)})
ON_A_PAGE = 50
"""Tickets on one page for people."""
ORDER = Query("order", "Which way to sort", {"enum": list(WAYS)})


class Tickets:
    def __init__(
        self,
        marketplace: Marketplace,
        catalogue: Catalogue,
        freshness: Freshness,
        keys: Keys,
        currency: str,
        archive: Archive,
        as_of: AsOf,
    ) -> None:
        self._marketplace = marketplace
        self._catalogue = catalogue
        self._model = followed(catalogue.model)
        self._freshness = freshness
        self._keys = keys
        self._currency = currency
        self._archive = archive
        self._as_of = as_of

    def routes(self) -> list[Route]:
        return [
            Route(
                method="GET",
                path="/",
                handle=self.front,
                summary="What is for sale, as a page for whoever comes with a browser",
                query=(AFTER, AS_OF),
                answers={200: None},
                errors=(400, 404),
                page=True,
            ),
            Route(
                method="GET",
                path="/api/tickets",
                handle=self.for_sale,
                summary="Tickets for sale, in the order of their listing",
                query=(TEXT, SORT, ORDER, LIMIT, AFTER, SELLER, PROFILE, AS_OF),
                answers={200: list[TicketBody]},
                errors=(400,),
            ),
            Route(
                method="GET",
                path="/api/tickets/search/:text",
                handle=self.search,
                summary="Tickets for sale with these words in the title",
                query=(SORT, ORDER, LIMIT, AFTER, AS_OF),
                answers={200: list[TicketBody]},
                errors=(400, 404),
            ),
            Route(
                method="GET",
                path="/api/tickets/:ticket",
                handle=self.show,
                summary="A ticket in any state",
                query=(AS_OF,),
                answers={200: TicketBody},
                errors=(400, 404),
            ),
            Route(
                method="POST",
                path="/api/tickets",
                handle=self.create,
                summary="List a ticket for sale",
                takes=ListingForm,
                answers={201: TicketBody},
                errors=(400, 422),
                signed_in=True,
                key=True,
            ),
            self._mine("PUT", self.edit, "Change title and price of a ticket that nobody holds", ListingForm),
            self._mine("DELETE", self.delist, "Take a ticket that nobody holds off the list", None),
        ]

    @staticmethod
    def _mine(method: str, handle: Handler, summary: str, takes: type | None) -> Route:
        return Route(
            method=method,
            path="/api/tickets/:ticket",
            handle=handle,
            summary=summary,
            takes=takes,
            answers={200: TicketBody},
            errors=(400, 404),
            signed_in=True,
        )

    # ── Reading ───────────────────────────────────────────────────────────────────────────────────

    async def for_sale(self, call: Call) -> Answer:
        query = call.query
        seller = query.get("userId")
        if seller is not None and query.get("forProfilePage") == "true":
            async with self._reading(call, seller) as (catalogue, _, age):
                return json(200, [listed(item) for item in catalogue.seller(seller)], *age)
        return await self._list(call, query.get("q"), seller)

    async def front(self, call: Call) -> Answer:
        if not wants_page(call):
            raise NotFound
        async with self._reading(call, None) as (catalogue, then, age):
            found = catalogue.for_sale(limit=ON_A_PAGE, after=call.query.get("after"))
        asked = {"after": found.next} if then is None else {"after": found.next, "asOf": str(then)}
        return page(
            "front.html",
            age,
            offers=found.items,
            total=found.total,
            then=then,
            following=f"/?{urlencode(asked)}" if found.next else None,
        )

    async def search(self, call: Call) -> Answer:
        return await self._list(call, call.names["text"], None)

    async def _list(self, call: Call, text: str | None, seller: str | None) -> Answer:
        query = call.query
        part = page_of(query)
        sort, way = one_of(query, "sort", SORTS), one_of(query, "order", WAYS)
        if text is not None and (len(text) > MAX_TEXT or not text.isprintable()):
            raise Invalid(TEXT_LONG)
        async with self._reading(call, seller) as (catalogue, then, age):
            found = catalogue.for_sale(
                text=text,
                seller=seller,
                sort=sort,
                descending=way == "desc",
                limit=part.limit,
                after=part.after,
            )
        return json(200, [listed(item) for item in found.items], *age, *linked(call, found.next, then))

    @asynccontextmanager
    async def _reading(
        self, call: Call, seller: str | None
    ) -> AsyncIterator[tuple[Catalogue, int | None, tuple[Header, ...]]]:
        """The catalogue that is asked for, at which position of the past, and what is said of its age."""
        then = await self._as_of.position(call)
        if then is None:
            yield self._catalogue, None, await self._freshness.settle(call, self._model)
        else:
            async with self._as_of.tickets(then, seller) as model:
                yield Catalogue(model), then, true_at(then)

    async def show(self, call: Call) -> Answer:
        ticket_id = call.path_id("ticket")
        then = await self._as_of.position(call)
        if then is None:
            found = (await self._marketplace.ticket(ticket_id)).state
        else:
            found = (await self._archive.load(ticket.ticket, ticket_id, then)).state
        if isinstance(found, ticket.Unlisted):
            raise NotFound
        return json(200, ticket_body(ticket_id, found), *true_at(then))

    # ── Writing ───────────────────────────────────────────────────────────────────────────────────

    async def create(self, call: Call) -> Answer:
        user = call.user()
        title, price = title_and_price(await read_form(call), self._currency)
        ticket_id = self._keys.id_for(call, "ticket", user, also=(title, str(price)))
        done = await self._marketplace.list_ticket(ticket_id, user, title, price, call.cause(user, ticket_id))
        headers = self._freshness.wrote(call, user, done.position)
        body = TicketBody(title, price.major, user, 0, ticket_id)
        return json(201, body, *headers) if done.events else json(201, body, *headers, REPLAYED)

    async def edit(self, call: Call) -> Answer:
        user, ticket_id = call.user(), call.path_id("ticket")
        title, price = title_and_price(await read_form(call), self._currency)
        done = await self._marketplace.edit_ticket(ticket_id, user, title, price, call.cause(user, ticket_id))
        return self._changed(call, user, ticket_id, done)

    async def delist(self, call: Call) -> Answer:
        user, ticket_id = call.user(), call.path_id("ticket")
        done = await self._marketplace.delist_ticket(ticket_id, user, call.cause(user, ticket_id))
        return self._changed(call, user, ticket_id, done)

    def _changed(self, call: Call, user: str, ticket_id: str, done: Done[ticket.State]) -> Answer:
        headers = self._freshness.wrote(call, user, done.position)
        return json(200, ticket_body(ticket_id, done.state), *headers)
