"""The conformance suite of the classic surface: tickets, rows 13 to 27.

The numbers are those of the reference's suite, drawn from the test suites of twelve such projects. What a
row says about published events is checked in the log: it is what is published here.
"""

from typing import Any

import pytest

from domain.ticket import TicketListed
from tests.http.shop import SOME_ID, Shop, errors, fields, made, message


async def test_13_the_route_to_list_a_ticket_exists(shop: Shop) -> None:
    assert (await shop.client().post("/api/tickets", json={})).status_code != 404


async def test_14_listing_a_ticket_needs_a_session(shop: Shop) -> None:
    response = await shop.client().post("/api/tickets", json={})
    assert (response.status_code, message(response)) == (401, "Not authorized")


@pytest.mark.parametrize("body", [{"title": "", "price": 10}, {"price": 10}, {"title": " ", "price": 10}])
async def test_15_a_ticket_without_a_title_is_refused(shop: Shop, body: dict[str, Any]) -> None:
    response = await shop.client("seller").post("/api/tickets", json=body)
    assert response.status_code == 400
    assert errors(response) == [{"message": "Title is required", "field": "title"}]


@pytest.mark.parametrize("title", [7, 1.5, True, None, ["concert"], {"a": 1}])
async def test_15_a_title_that_is_no_string_is_refused(shop: Shop, title: Any) -> None:
    response = await shop.client("seller").post("/api/tickets", json={"title": title, "price": 10})
    assert (response.status_code, fields(response)) == (400, ["title"])


@pytest.mark.parametrize("body", [{"price": -1}, {}, {"price": "invalid"}, {"price": 0}, {"price": None}])
async def test_16_a_ticket_without_a_price_above_zero_is_refused(shop: Shop, body: dict[str, Any]) -> None:
    response = await shop.client("seller").post("/api/tickets", json={"title": "concert", **body})
    assert response.status_code == 400
    assert errors(response) == [{"message": "Price must be greater than 0", "field": "price"}]


async def test_17_a_ticket_is_made_with_the_values_given(shop: Shop) -> None:
    response = await shop.client("seller").post("/api/tickets", json={"title": "concert", "price": 20})
    ticket = made(response)
    assert len(ticket["id"]) == 24
    expected = {"title": "concert", "price": 20, "userId": "seller", "version": 0, "id": ticket["id"]}
    assert ticket == expected
    assert (await shop.client().get(f"/api/tickets/{ticket['id']}")).json() == expected


async def test_18_listing_a_ticket_publishes_one_event(shop: Shop) -> None:
    ticket = await shop.listed()
    (recorded,) = await shop.log()
    assert recorded.stream == f"ticket-{ticket['id']}"
    assert isinstance(recorded.event, TicketListed)
    assert recorded.metadata.actor == "seller"


async def test_19_three_tickets_are_listed_in_the_order_of_their_making(shop: Shop) -> None:
    tickets = [await shop.listed(title=title) for title in ("first", "second", "third")]
    response = await shop.client("seller").get("/api/tickets")
    assert (response.status_code, response.json()) == (200, tickets)


async def test_20_an_unknown_ticket_is_not_found(shop: Shop) -> None:
    response = await shop.client().get(f"/api/tickets/{SOME_ID}")
    assert (response.status_code, message(response)) == (404, "Not Found")


async def test_21_a_ticket_is_shown(shop: Shop) -> None:
    ticket = await shop.listed(title="opera", price=12.5)
    response = await shop.client().get(f"/api/tickets/{ticket['id']}")
    assert (response.status_code, response.json()) == (200, ticket)


async def test_22_editing_an_unknown_ticket_is_not_found(shop: Shop) -> None:
    response = await shop.client("seller").put(f"/api/tickets/{SOME_ID}", json={"title": "a", "price": 1})
    assert (response.status_code, message(response)) == (404, "Not Found")


async def test_23_editing_needs_a_session(shop: Shop) -> None:
    response = await shop.client().put(f"/api/tickets/{SOME_ID}", json={"title": "a", "price": 1})
    assert (response.status_code, message(response)) == (401, "Not authorized")


async def test_24_editing_another_sellers_ticket_is_refused(shop: Shop) -> None:
    ticket = await shop.listed()
    response = await shop.client("other").put(f"/api/tickets/{ticket['id']}", json={"title": "a", "price": 1})
    assert (response.status_code, message(response)) == (401, "Not authorized")
    assert (await shop.client().get(f"/api/tickets/{ticket['id']}")).json() == ticket


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"title": "", "price": 10}, ["title"]),
        ({"title": "a", "price": -10}, ["price"]),
        ({"price": 10}, ["title"]),
        ({"title": "a"}, ["price"]),
        ({}, ["title", "price"]),
    ],
)
async def test_25_editing_with_bad_input_is_refused(
    shop: Shop, body: dict[str, Any], wrong: list[str]
) -> None:
    ticket = await shop.listed()
    response = await shop.client("seller").put(f"/api/tickets/{ticket['id']}", json=body)
    assert (response.status_code, fields(response)) == (400, wrong)


async def test_26_a_seller_edits_his_ticket(shop: Shop) -> None:
    ticket = await shop.listed()
    seller = shop.client("seller")
    response = await seller.put(f"/api/tickets/{ticket['id']}", json={"title": "new", "price": 100})
    assert response.status_code == 200
    assert response.json() == {**ticket, "title": "new", "price": 100, "version": 1}
    assert (await seller.get(f"/api/tickets/{ticket['id']}")).json() == response.json()


async def test_27_a_reserved_ticket_cannot_be_edited(shop: Shop) -> None:
    ticket = await shop.listed()
    await shop.ordered(ticket)
    response = await shop.client("seller").put(
        f"/api/tickets/{ticket['id']}", json={"title": "a", "price": 1}
    )
    assert (response.status_code, message(response)) == (400, "Cannot edit a reserved ticket")
