"""The conformance suite of the classic surface: orders, rows 28 to 37.

The numbers are those of the reference's suite, drawn from the test suites of twelve such projects. What a
row says about published events is checked in the log: it is what is published here.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.order import OrderCancelled, OrderPlaced
from domain.ticket import TicketReleased, TicketReserved
from tests.http.shop import SOME_ID, Shop, errors, message


async def test_28_ordering_an_unknown_ticket_is_not_found(shop: Shop) -> None:
    response = await shop.client("buyer").post("/api/orders", json={"ticketId": SOME_ID})
    assert (response.status_code, message(response)) == (404, "Not Found")


@pytest.mark.parametrize("body", [{}, {"ticketId": ""}, {"ticketId": 7}, {"ticketId": "asdf"}])
async def test_28_ordering_without_the_id_of_a_ticket_is_refused(shop: Shop, body: dict[str, Any]) -> None:
    response = await shop.client("buyer").post("/api/orders", json=body)
    assert response.status_code == 400
    assert errors(response) == [{"message": "TicketId must be provided", "field": "ticketId"}]


async def test_29_a_reserved_ticket_cannot_be_ordered(shop: Shop) -> None:
    ticket = await shop.listed()
    await shop.ordered(ticket)
    response = await shop.client("other").post("/api/orders", json={"ticketId": ticket["id"]})
    assert (response.status_code, message(response)) == (400, "Ticket is already reserved")


async def test_30_ordering_reserves_the_ticket_for_fifteen_minutes(shop: Shop) -> None:
    ticket = await shop.listed()
    order = await shop.ordered(ticket)
    expires = datetime.strptime(order["expiresAt"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    assert abs(expires - datetime.now(UTC) - timedelta(minutes=15)) < timedelta(seconds=10)
    assert order == {
        "userId": "buyer",
        "status": "created",
        "expiresAt": order["expiresAt"],
        "ticket": {"title": "concert", "price": 20, "version": 0, "id": ticket["id"]},
        "version": 0,
        "id": order["id"],
    }
    held = (await shop.client().get(f"/api/tickets/{ticket['id']}")).json()
    assert held == {**ticket, "version": 1, "orderId": order["id"]}


async def test_31_ordering_publishes_the_reservation_and_the_order(shop: Shop) -> None:
    ticket = await shop.listed()
    order = await shop.ordered(ticket)
    _, reserved, placed = await shop.log()
    assert isinstance(reserved.event, TicketReserved)
    assert isinstance(placed.event, OrderPlaced)
    assert (reserved.event.order, placed.stream) == (order["id"], f"order-{order['id']}")


async def test_32_the_list_has_only_my_orders_in_their_order_and_in_all_states(shop: Shop) -> None:
    mine = [await shop.ordered(await shop.listed(title=title)) for title in ("one", "two", "three")]
    await shop.ordered(await shop.listed(title="not mine"), "other")
    buyer = shop.client("buyer")
    assert (await buyer.get("/api/orders")).json() == mine
    await buyer.delete(f"/api/orders/{mine[1]['id']}")
    mine[1] = {**mine[1], "status": "cancelled", "version": 1}
    assert (await buyer.get("/api/orders")).json() == mine
    assert (await shop.client().get("/api/orders")).status_code == 401


async def test_33_my_order_is_shown(shop: Shop) -> None:
    order = await shop.ordered(await shop.listed())
    response = await shop.client("buyer").get(f"/api/orders/{order['id']}")
    assert (response.status_code, response.json()) == (200, order)


async def test_34_another_buyers_order_is_not_shown(shop: Shop) -> None:
    order = await shop.ordered(await shop.listed())
    response = await shop.client("other").get(f"/api/orders/{order['id']}")
    assert (response.status_code, message(response)) == (401, "Not authorized")
    assert (await shop.client("other").get(f"/api/orders/{SOME_ID}")).status_code == 404
    assert (await shop.client().get(f"/api/orders/{order['id']}")).status_code == 401


async def test_35_deleting_an_order_cancels_it_and_doing_so_twice_changes_nothing(shop: Shop) -> None:
    order = await shop.ordered(await shop.listed())
    buyer = shop.client("buyer")
    response = await buyer.delete(f"/api/orders/{order['id']}")
    assert (response.status_code, response.content) == (204, b"")
    cancelled = (await buyer.get(f"/api/orders/{order['id']}")).json()
    assert cancelled == {**order, "status": "cancelled", "version": 1}
    head = shop.head()
    assert (await buyer.delete(f"/api/orders/{order['id']}")).status_code == 204
    assert shop.head() == head


@pytest.mark.parametrize("path", ["/api/orders/{}", "/api/orders/cancel/{}"])
async def test_35_patching_an_order_cancels_it_and_shows_it(shop: Shop, path: str) -> None:
    order = await shop.ordered(await shop.listed())
    response = await shop.client("buyer").patch(path.format(order["id"]))
    assert (response.status_code, response.json()) == (200, {**order, "status": "cancelled", "version": 1})


@pytest.mark.parametrize(
    ("method", "path"),
    [("DELETE", "/api/orders/{}"), ("PATCH", "/api/orders/{}"), ("PATCH", "/api/orders/cancel/{}")],
)
async def test_36_another_buyers_order_is_not_cancelled(shop: Shop, method: str, path: str) -> None:
    order = await shop.ordered(await shop.listed())
    response = await shop.client("other").request(method, path.format(order["id"]))
    assert (response.status_code, message(response)) == (401, "Not authorized")
    assert (await shop.client("other").request(method, path.format(SOME_ID))).status_code == 404
    assert (await shop.client().request(method, path.format(order["id"]))).status_code == 401
    assert (await shop.client("buyer").get(f"/api/orders/{order['id']}")).json() == order


async def test_37_cancelling_publishes_the_end_of_the_order_and_of_its_hold(shop: Shop) -> None:
    order = await shop.ordered(await shop.listed())
    await shop.client("buyer").delete(f"/api/orders/{order['id']}")
    cancelled, released = [recorded.event for recorded in (await shop.log())[3:]]
    assert isinstance(cancelled, OrderCancelled)
    assert isinstance(released, TicketReleased)
