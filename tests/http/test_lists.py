"""Lists: what is for sale, searched, sorted and in pages; a seller's own; a buyer's own."""

import asyncio
from typing import Any

import httpx
import pytest

from gateways.identity import HASHERS, QUEUE
from tests.http.shop import Shop, errors, made, message


async def pages(client: httpx.AsyncClient, path: str) -> list[list[str]]:
    """The titles on each page, by following the links."""
    found: list[list[str]] = []
    while True:
        response = await client.get(path)
        assert response.status_code == 200, response.text
        found.append([item.get("title") or item["ticket"]["title"] for item in response.json()])
        if "next" not in response.links:
            return found
        path = response.links["next"]["url"]


async def test_a_list_is_read_in_pages_by_following_its_links(shop: Shop) -> None:
    for title, price in (("b", 3), ("a", 1), ("d", 2), ("c", 1), ("e", 9.5)):
        await shop.ordered(await shop.listed(title=title, price=price))
        await shop.listed(title=title, price=price)
    seller, buyer = shop.client("seller"), shop.client("buyer")
    await seller.get("/api/tickets")
    assert await pages(seller, "/api/tickets") == [["b", "a", "d", "c", "e"]]
    assert await pages(seller, "/api/tickets?limit=2") == [["b", "a"], ["d", "c"], ["e"]]
    assert await pages(seller, "/api/tickets?limit=2&order=desc") == [["e", "c"], ["d", "a"], ["b"]]
    assert await pages(seller, "/api/tickets?sort=title&limit=3") == [["a", "b", "c"], ["d", "e"]]
    by_price = "/api/tickets?sort=price&order=desc&limit=4"
    assert await pages(seller, by_price) == [["e", "b", "d", "c"], ["a"]]
    await buyer.get("/api/orders")
    assert await pages(buyer, "/api/orders?limit=4") == [["b", "a", "d", "c"], ["e"]]


@pytest.mark.parametrize("path", ["/api/tickets?q=", "/api/tickets/search/", "/API/Tickets/Search/"])
async def test_titles_are_searched_for_words_in_any_letter_case(shop: Shop, path: str) -> None:
    for title in ("Chamber Music", "Open-Air MUSIC", "Cinema"):
        await shop.listed(title=title)
    seller = shop.client("seller")
    assert await pages(seller, path + "music") == [["Chamber Music", "Open-Air MUSIC"]]
    assert await pages(seller, path + "Music%20Chamber") == [["Chamber Music"]]
    assert await pages(seller, path + "opera") == [[]]


async def test_a_profile_shows_the_sellers_tickets_in_any_state_and_the_shop_only_those_for_sale(
    shop: Shop,
) -> None:
    free, held, gone = [await shop.listed("one", title) for title in ("free", "held", "gone")]
    await shop.listed("two", "another's")
    await shop.ordered(held)
    one = shop.client("one")
    assert (await one.delete(f"/api/tickets/{gone['id']}")).json() == gone
    assert await pages(one, "/api/tickets") == [["free", "another's"]]
    assert await pages(one, "/api/tickets?userId=one") == [["free"]]
    profile = "/api/tickets?userId=one&forProfilePage=true"
    assert await pages(one, profile) == [["free", "held", "gone"]]
    assert [ticket.get("orderId") for ticket in (await one.get(profile)).json()][0::2] == [None, None]
    assert free["id"] == (await one.get(profile)).json()[0]["id"]


async def test_a_seller_takes_back_what_nobody_holds_and_nothing_else(shop: Shop) -> None:
    ticket = await shop.listed()
    path = f"/api/tickets/{ticket['id']}"
    assert (await shop.client().delete(path)).status_code == 401
    assert (await shop.client("other").delete(path)).status_code == 401
    order = await shop.ordered(ticket)
    seller = shop.client("seller")
    response = await seller.delete(path)
    assert (response.status_code, message(response)) == (400, "Cannot edit a reserved ticket")
    await shop.client("buyer").delete(f"/api/orders/{order['id']}")
    for _ in range(2):
        assert (await seller.delete(path)).status_code == 200
    refused = await shop.client("buyer").post("/api/orders", json={"ticketId": ticket["id"]})
    assert refused.status_code == 400


async def test_a_flood_of_sign_ins_is_turned_away_and_others_are_served(shop: Shop) -> None:
    client = shop.client()
    body = {"email": "test@test.com", "password": "password"}
    made(await client.post("/api/users/signup", json=body))

    async def sign_in() -> httpx.Response:
        return await shop.client().post("/api/users/signin", json={**body, "password": "wrong"})

    flood: Any = asyncio.gather(*(sign_in() for _ in range(QUEUE + 30)))
    await asyncio.sleep(0.05)
    assert (await client.get("/api/tickets")).status_code == 200
    assert not flood.done()
    responses = await flood
    statuses = sorted(response.status_code for response in responses)
    turned_away = statuses.count(429)
    assert statuses.count(400) == len(statuses) - turned_away
    assert 0 < turned_away <= 30 - HASHERS
    for response in responses:
        assert errors(response)
        assert ("retry-after" in response.headers) == (response.status_code == 429)
