"""Reading one's own writes, and naming one's requests so that they are done once."""

import asyncio
from time import monotonic
from typing import Any

import pytest

from tests.http.shop import Shop, made, message, raw

# ── Own writes ────────────────────────────────────────────────────────────────────────────────────


async def test_an_answer_to_a_write_carries_the_position_that_it_reached(shop: Shop) -> None:
    ticket = await shop.listed()
    buyer = shop.client("buyer")
    response = await buyer.post("/api/orders", json={"ticketId": ticket["id"]})
    order = made(response)
    head = shop.head()
    assert response.headers["admitone-position"] == str(head)
    assert response.headers["set-cookie"] == f"position={head}; path=/; httponly; samesite=lax"
    response = await buyer.post("/api/payments", json={"token": "tok_visa", "orderId": order["id"]})
    assert response.headers["admitone-position"] == str(shop.head())


async def test_the_next_list_shows_what_was_written(shop: Shop) -> None:
    for number in range(30):
        ticket = await shop.listed(title=f"concert {number}")
        seller = shop.client("seller")
        assert ticket in (await seller.get("/api/tickets")).json()
        order = await shop.ordered(ticket)
        assert (await shop.client("buyer").get("/api/orders")).json()[-1] == order


@pytest.mark.parametrize("by", ["cookie", "header"])
async def test_another_process_shows_it_too(open_shop: Any, by: str) -> None:
    one: Shop = await open_shop()
    two: Shop = await open_shop()
    for number in range(10):
        client = one.client("seller")
        response = await client.post("/api/tickets", json={"title": f"concert {number}", "price": 1})
        ticket, position = made(response), response.headers["admitone-position"]
        reader = two.client("seller")
        if by == "cookie":
            reader.cookies.set("position", position)
        headers = {"admitone-position": position} if by == "header" else {}
        listed = await reader.get("/api/tickets", headers=headers)
        assert ticket in listed.json()
        assert "admitone-age" not in listed.headers


async def test_a_list_that_lags_is_answered_after_a_quarter_of_a_second_and_says_how_old_it_is(
    shop: Shop,
) -> None:
    await shop.listed(title="seen")
    assert len((await shop.client("seller").get("/api/tickets")).json()) == 1
    # The follower stops; the log goes on.
    await shop.application._background.end()
    await shop.listed(title="unseen")
    began = monotonic()
    response = await shop.client("seller").get("/api/tickets")
    assert 0.2 < monotonic() - began < 1
    assert [ticket["title"] for ticket in response.json()] == ["seen"]
    assert int(response.headers["admitone-age"]) >= 0
    # Nobody else has to wait for it.
    began = monotonic()
    await shop.client("other").get("/api/tickets")
    assert monotonic() - began < 0.2


@pytest.mark.parametrize("position", ["9" * 19, "9" * 5000, "-1", "1.5", "garbage", "", "٣"])
async def test_a_position_that_nobody_has_reached_holds_nobody_up(shop: Shop, position: str) -> None:
    await shop.listed()
    assert len((await shop.client("seller").get("/api/tickets")).json()) == 1
    client = shop.client()
    client.cookies.set("position", position.encode().decode("latin-1"))
    began = monotonic()
    headers = raw({"admitone-position": position.encode()})
    response = await client.get("/api/tickets", headers=headers)
    assert (response.status_code, len(response.json())) == (200, 1)
    assert monotonic() - began < 0.2


async def test_a_process_that_only_reads_waits_for_what_another_wrote_and_for_nothing_else(
    open_shop: Any,
) -> None:
    """It has seen nothing of the log itself: what a session says of it is asked of the store."""
    one: Shop = await open_shop()
    two: Shop = await open_shop()
    await two.application._background.end()
    seller = one.client("seller")
    response = await seller.post("/api/tickets", json={"title": "concert", "price": 1})
    written = response.headers["admitone-position"]
    for position, waits in ((written, True), (str(int(written) + 1_000_000), False)):
        began = monotonic()
        listed = await two.client().get("/api/tickets", headers={"admitone-position": position})
        assert listed.json() == []
        assert (monotonic() - began > 0.2) is waits
        assert ("admitone-age" in listed.headers) is waits


# ── Naming one's requests ─────────────────────────────────────────────────────────────────────────

KEY = {"idempotency-key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}


async def test_an_order_under_the_same_key_is_placed_once_and_answered_alike(shop: Shop) -> None:
    ticket = await shop.listed()
    buyer = shop.client("buyer")
    body = {"ticketId": ticket["id"]}
    first = await buyer.post("/api/orders", json=body, headers=KEY)
    order = made(first)
    assert "idempotent-replayed" not in first.headers
    head = shop.head()
    again = await buyer.post("/api/orders", json=body, headers=KEY)
    assert made(again) == order
    assert again.headers["idempotent-replayed"] == "true"
    assert shop.head() == head
    # Whatever has become of it meanwhile; and the ticket is not taken again.
    await buyer.delete(f"/api/orders/{order['id']}")
    assert made(await buyer.post("/api/orders", json=body, headers=KEY)) == order
    assert "orderId" not in (await buyer.get(f"/api/tickets/{ticket['id']}")).json()


async def test_a_listing_under_the_same_key_is_answered_alike_also_after_it_was_edited(shop: Shop) -> None:
    seller, body = shop.client("seller"), {"title": "opera", "price": 20}
    listed = made(await seller.post("/api/tickets", json=body, headers=KEY))
    for price in (25, 30):
        await seller.put(f"/api/tickets/{listed['id']}", json={"title": "the opera", "price": price})
    head = shop.head()
    again = await seller.post("/api/tickets", json=body, headers=KEY)
    assert made(again) == listed
    assert again.headers["idempotent-replayed"] == "true"
    assert shop.head() == head
    assert (await seller.get(f"/api/tickets/{listed['id']}")).json()["price"] == 30


async def test_a_payment_under_the_same_key_is_taken_once_and_said_to_be_a_repeat(shop: Shop) -> None:
    order = await shop.ordered(await shop.listed())
    buyer, body = shop.client("buyer"), {"token": "tok_visa", "orderId": order["id"]}
    first = await buyer.post("/api/payments", json=body, headers=KEY)
    assert "idempotent-replayed" not in first.headers
    head = shop.head()
    again = await buyer.post("/api/payments", json=body, headers=KEY)
    assert made(again) == made(first)
    assert again.headers["idempotent-replayed"] == "true"
    assert shop.head() == head


async def test_the_same_key_sent_ten_times_at_once_is_one_order(shop: Shop) -> None:
    ticket = await shop.listed()
    body = {"ticketId": ticket["id"]}
    posts = (shop.client("buyer").post("/api/orders", json=body, headers=KEY) for _ in range(10))
    orders = [made(response) for response in await asyncio.gather(*posts)]
    assert orders == [orders[0]] * 10
    assert len(await shop.log()) == 3


async def test_another_process_knows_the_key_and_so_does_a_restarted_one(open_shop: Any) -> None:
    one: Shop = await open_shop()
    two: Shop = await open_shop()
    ticket = await one.listed()
    body = {"ticketId": ticket["id"]}
    order = made(await one.client("buyer").post("/api/orders", json=body, headers=KEY))
    again = await two.client("buyer").post("/api/orders", json=body, headers=KEY)
    assert made(again) == order
    assert again.headers["idempotent-replayed"] == "true"


async def test_a_key_belongs_to_one_user_and_one_route(shop: Shop) -> None:
    first, second = await shop.listed(title="first"), await shop.listed(title="second")
    one = made(await shop.client("one").post("/api/orders", json={"ticketId": first["id"]}, headers=KEY))
    two = made(await shop.client("two").post("/api/orders", json={"ticketId": second["id"]}, headers=KEY))
    body = {"title": "third", "price": 1}
    third = made(await shop.client("one").post("/api/tickets", json=body, headers=KEY))
    assert len({one["id"], two["id"], third["id"]}) == 3
    # Nor does it let anybody see what another has done under it.
    response = await shop.client("two").post("/api/orders", json={"ticketId": first["id"]}, headers=KEY)
    assert response.status_code == 422
    three = shop.client("three")
    response = await three.post("/api/orders", json={"ticketId": first["id"]}, headers=KEY)
    assert (response.status_code, message(response)) == (400, "Ticket is already reserved")


async def test_the_same_key_with_other_words_is_422(shop: Shop) -> None:
    first, second = await shop.listed(title="first"), await shop.listed(title="second")
    buyer, seller = shop.client("buyer"), shop.client("seller")
    order = made(await buyer.post("/api/orders", json={"ticketId": first["id"]}, headers=KEY))
    made(await seller.post("/api/tickets", json={"title": "third", "price": 1}, headers=KEY))
    pay = {"token": "tok_visa", "orderId": order["id"]}
    made(await buyer.post("/api/payments", json=pay, headers=KEY))
    head = shop.head()
    for client, path, body in (
        (buyer, "/api/orders", {"ticketId": second["id"]}),
        (seller, "/api/tickets", {"title": "third", "price": 2}),
        (buyer, "/api/payments", {**pay, "token": "tok_mastercard"}),
    ):
        response = await client.post(path, json=body, headers=KEY)
        assert response.status_code == 422
        assert "Idempotency-Key" in message(response)
    assert shop.head() == head


async def test_a_listing_under_the_same_key_is_made_once_and_answered_alike(open_shop: Any) -> None:
    shop: Shop = await open_shop()
    seller = shop.client("seller")
    body = {"title": "concert", "price": 19.99}
    ticket = made(await seller.post("/api/tickets", json=body, headers=KEY))
    await shop.ordered(ticket)
    again = await seller.post("/api/tickets", json={**body, "price": "19.990"}, headers=KEY)
    assert made(again) == ticket
    assert again.headers["idempotent-replayed"] == "true"
    # Another process has not seen the words; the log tells it that they differ.
    other: Shop = await open_shop()
    response = await other.client("seller").post("/api/tickets", json={**body, "price": 2}, headers=KEY)
    assert response.status_code == 422


async def test_a_refusal_is_not_kept_under_the_key(shop: Shop) -> None:
    ticket = await shop.listed()
    order = await shop.ordered(ticket, "first")
    second = shop.client("second")
    body = {"ticketId": ticket["id"]}
    assert (await second.post("/api/orders", json=body, headers=KEY)).status_code == 400
    await shop.client("first").delete(f"/api/orders/{order['id']}")
    made(await second.post("/api/orders", json=body, headers=KEY))
