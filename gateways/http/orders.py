"""Orders: /api/orders. One order is read from its stream, lists from the read model of orders."""

from domain import order
from gateways.http.answer import Answer, empty, json
from gateways.http.as_of import AS_OF, AsOf, true_at
from gateways.http.bodies import OrderBody, OrderForm, order_body, ordered, placed_body
from gateways.http.call import Call
from gateways.http.errors import NotFound, NotSignedIn
from gateways.http.freshness import Freshness, followed
from gateways.http.keys import REPLAYED, Keys
from gateways.http.paging import AFTER, LIMIT, linked, page_of
from gateways.http.parsing import read_form, ticket_id
from gateways.http.routes import Handler, Route
from processmanager.archive import Archive
from processmanager.desk import Done
from processmanager.marketplace import Marketplace
from projections.orders import Orders as OrdersByBuyer


class Orders:
    def __init__(
        self,
        marketplace: Marketplace,
        orders: OrdersByBuyer,
        freshness: Freshness,
        keys: Keys,
        archive: Archive,
        as_of: AsOf,
    ) -> None:
        self._marketplace = marketplace
        self._orders = orders
        self._model = followed(orders.model)
        self._freshness = freshness
        self._keys = keys
        self._archive = archive
        self._as_of = as_of

    def routes(self) -> list[Route]:
        return [
            Route(
                method="POST",
                path="/api/orders",
                handle=self.create,
                summary="Reserve a ticket",
                takes=OrderForm,
                answers={201: OrderBody},
                errors=(400, 404, 422),
                signed_in=True,
                key=True,
            ),
            Route(
                method="GET",
                path="/api/orders",
                handle=self.mine,
                summary="My orders in all states, oldest first",
                query=(LIMIT, AFTER, AS_OF),
                answers={200: list[OrderBody]},
                errors=(400,),
                signed_in=True,
            ),
            self._one("GET", "/api/orders/:order", self.show, "One of my orders", {200: OrderBody}),
            self._one("DELETE", "/api/orders/:order", self.delete, "Cancel an order", {204: None}),
            self._one("PATCH", "/api/orders/:order", self.cancel, "Cancel an order", {200: OrderBody}),
            self._one("PATCH", "/api/orders/cancel/:order", self.cancel, "Cancel an order", {200: OrderBody}),
        ]

    @staticmethod
    def _one(
        method: str, path: str, handle: Handler, summary: str, answers: dict[int, type[OrderBody] | None]
    ) -> Route:
        return Route(
            method=method,
            path=path,
            handle=handle,
            summary=summary,
            query=(AS_OF,) if method == "GET" else (),
            answers=answers,
            errors=(400, 404),
            signed_in=True,
        )

    async def create(self, call: Call) -> Answer:
        user = call.user()
        wanted = ticket_id(await read_form(call))
        # An order id belongs to one ticket, so the ticket takes part in it.
        order_id = self._keys.id_for(call, "order", user, wanted)
        repeatable = call.key() is not None
        done = await self._marketplace.reserve(
            order_id, wanted, user, call.cause(user, order_id), repeatable=repeatable
        )
        headers = self._freshness.wrote(call, user, done.position)
        if done.events:
            return json(201, order_body(order_id, done.state), *headers)
        return json(201, placed_body(order_id, done.state), *headers, REPLAYED)

    async def mine(self, call: Call) -> Answer:
        user = call.user()
        page = page_of(call.query)
        then = await self._as_of.position(call)
        if then is None:
            age = await self._freshness.settle(call, self._model)
            found = self._orders.of_buyer(user, limit=page.limit, after=page.after)
        else:
            age = true_at(then)
            async with self._as_of.orders(then, user) as model:
                found = OrdersByBuyer(model).of_buyer(user, limit=page.limit, after=page.after)
        return json(200, [ordered(item) for item in found.items], *age, *linked(call, found.next, then))

    async def show(self, call: Call) -> Answer:
        user, order_id = call.user(), call.path_id("order")
        then = await self._as_of.position(call)
        if then is None:
            placed = (await self._marketplace.order(order_id)).state
        else:
            placed = (await self._archive.load(order.order, order_id, then)).state
        if isinstance(placed, order.Unplaced):
            raise NotFound
        if placed.terms.buyer != user:
            # The classic surface says so, where others would say that there is no such order.
            raise NotSignedIn
        return json(200, order_body(order_id, placed), *true_at(then))

    async def cancel(self, call: Call) -> Answer:
        user, order_id, done = await self._cancelled(call)
        return json(200, order_body(order_id, done.state), *self._freshness.wrote(call, user, done.position))

    async def delete(self, call: Call) -> Answer:
        user, _, done = await self._cancelled(call)
        return empty(*self._freshness.wrote(call, user, done.position))

    async def _cancelled(self, call: Call) -> tuple[str, str, Done[order.State]]:
        user, order_id = call.user(), call.path_id("order")
        done = await self._marketplace.cancel(order_id, user, call.cause(user, order_id))
        return user, order_id, done
