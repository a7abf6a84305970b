"""The conformance suite of the classic surface, row by row, against the real stack.

The numbers are those of the reference's suite, which was drawn from the test suites of twelve such
projects. Rows about published events are checked in the log: it is what is published here.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.order import OrderCancelled, OrderPlaced
from domain.payment import PaymentCaptured, PaymentRequested
from domain.ticket import TicketListed, TicketReleased, TicketReserved
from tests.http.shop import SOME_ID, Shop, errors, fields, made, message, soon

GOOD = {"email": "test@test.com", "password": "password"}
CLEARED = "session=; path=/; expires=Thu, 01 Jan 1970 00:00:00 GMT; httponly"

# ── Users ─────────────────────────────────────────────────────────────────────────────────────────


async def test_01_signing_up_answers_201_with_the_user_and_no_password(shop: Shop) -> None:
    response = await shop.client().post("/api/users/signup", json=GOOD)
    assert response.status_code == 201
    assert set(response.json()) == {"email", "id"}
    assert response.json()["email"] == "test@test.com"


@pytest.mark.parametrize("email", ["asdf", "", None, 7, "a@b"])
async def test_02_signing_up_with_a_bad_address_is_refused(shop: Shop, email: Any) -> None:
    response = await shop.client().post("/api/users/signup", json={"email": email, "password": "password"})
    assert response.status_code == 400
    assert errors(response) == [{"message": "Email must be valid", "field": "email"}]


@pytest.mark.parametrize("password", ["p", "abc", "  abc  ", "x" * 21, None, 12345])
async def test_03_signing_up_with_a_password_too_short_or_too_long_is_refused(
    shop: Shop, password: Any
) -> None:
    body = {"email": "test@test.com", "password": password}
    response = await shop.client().post("/api/users/signup", json=body)
    assert response.status_code == 400
    assert errors(response) == [
        {"message": "Password must be between 4 and 20 characters", "field": "password"}
    ]


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        ({"email": "test@test.com"}, ["password"]),
        ({"password": "password"}, ["email"]),
        ({}, ["email", "password"]),
    ],
)
async def test_04_signing_up_without_a_field_is_refused(
    shop: Shop, body: dict[str, str], missing: list[str]
) -> None:
    response = await shop.client().post("/api/users/signup", json=body)
    assert response.status_code == 400
    assert fields(response) == missing


async def test_05_an_address_signs_up_once(shop: Shop) -> None:
    made(await shop.client().post("/api/users/signup", json=GOOD))
    response = await shop.client().post("/api/users/signup", json=GOOD)
    assert response.status_code == 400
    assert errors(response) == [{"message": "Email in use"}]


async def test_06_signing_up_sets_the_session_cookie(shop: Shop) -> None:
    response = await shop.client().post("/api/users/signup", json=GOOD)
    value, *attributes = response.headers["set-cookie"].split("; ")
    assert value.startswith("session=")
    assert attributes == ["path=/", "httponly", "samesite=lax"]


async def test_07_signing_in_with_an_unknown_address_is_refused(shop: Shop) -> None:
    response = await shop.client().post("/api/users/signin", json=GOOD)
    assert (response.status_code, message(response)) == (400, "Invalid credentials")


async def test_08_signing_in_with_a_wrong_password_is_refused(shop: Shop) -> None:
    made(await shop.client().post("/api/users/signup", json=GOOD))
    response = await shop.client().post("/api/users/signin", json={**GOOD, "password": "wrong"})
    assert (response.status_code, message(response)) == (400, "Invalid credentials")
    assert "set-cookie" not in response.headers


async def test_09_signing_in_answers_200_with_the_user_and_a_cookie(shop: Shop) -> None:
    user = made(await shop.client().post("/api/users/signup", json=GOOD))
    response = await shop.client().post("/api/users/signin", json={**GOOD, "password": "  password  "})
    assert (response.status_code, response.json()) == (200, user)
    assert response.headers["set-cookie"].startswith("session=")


async def test_09_signing_in_without_a_password_is_refused(shop: Shop) -> None:
    response = await shop.client().post("/api/users/signin", json={**GOOD, "password": "  "})
    assert response.status_code == 400
    assert errors(response) == [{"message": "You must supply a password", "field": "password"}]


@pytest.mark.parametrize("body", [{"json": {}}, {}])
async def test_10_signing_out_clears_the_cookie_with_the_very_string(
    shop: Shop, body: dict[str, Any]
) -> None:
    client = shop.client()
    made(await client.post("/api/users/signup", json=GOOD))
    response = await client.post("/api/users/signout", **body)
    assert (response.status_code, response.json()) == (200, {})
    assert response.headers.get_list("set-cookie") == [CLEARED]
    assert (await client.get("/api/users/currentuser")).json() == {"currentUser": None}


async def test_10_signing_out_ends_a_session_under_the_other_name_as_well(shop: Shop) -> None:
    client = shop.client("somebody", cookie="express:sess")
    response = await client.post("/api/users/signout")
    assert response.headers.get_list("set-cookie") == [CLEARED, CLEARED.replace("session=", "express:sess=")]


@pytest.mark.parametrize(
    "path",
    [
        "/api/users/currentuser",
        "/api/users/currentUser",
        "/api/users/current-user",
        "/api/users/me",
        "/API/Users/CurrentUser/",
    ],
)
async def test_11_the_current_user_is_told_under_every_name(shop: Shop, path: str) -> None:
    client = shop.client()
    user = made(await client.post("/api/users/signup", json=GOOD))
    response = await client.get(path)
    assert response.status_code == 200
    current = response.json()["currentUser"]
    assert abs(current.pop("iat") - datetime.now(UTC).timestamp()) < 60
    assert current == user


async def test_12_without_a_session_the_current_user_is_null(shop: Shop) -> None:
    response = await shop.client().get("/api/users/currentuser")
    assert (response.status_code, response.json()) == (200, {"currentUser": None})


# ── Tickets ───────────────────────────────────────────────────────────────────────────────────────


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


# ── Orders ────────────────────────────────────────────────────────────────────────────────────────


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


# ── Payments ──────────────────────────────────────────────────────────────────────────────────────


async def test_38_paying_for_an_unknown_order_is_not_found(shop: Shop) -> None:
    body = {"token": "tok_visa", "orderId": SOME_ID}
    response = await shop.client("buyer").post("/api/payments", json=body)
    assert (response.status_code, message(response)) == (404, "Not Found")
    assert (await shop.client().post("/api/payments", json=body)).status_code == 401


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"orderId": SOME_ID}, [("Token is required", "token")]),
        ({"token": "tok_visa"}, [("Order Id is required", "orderId")]),
        (
            {"token": "", "orderId": None},
            [("Token is required", "token"), ("Order Id is required", "orderId")],
        ),
    ],
)
async def test_38_paying_without_a_field_is_refused(shop: Shop, body: dict[str, Any], wrong: Any) -> None:
    response = await shop.client("buyer").post("/api/payments", json=body)
    assert response.status_code == 400
    assert [(error["message"], error["field"]) for error in errors(response)] == wrong


async def test_39_paying_for_another_buyers_order_is_refused(shop: Shop) -> None:
    order = await shop.ordered(await shop.listed())
    body = {"token": "tok_visa", "orderId": order["id"]}
    response = await shop.client("other").post("/api/payments", json=body)
    assert (response.status_code, message(response)) == (401, "Not authorized")


async def test_40_paying_for_a_cancelled_order_is_refused(shop: Shop) -> None:
    order = await shop.ordered(await shop.listed())
    buyer = shop.client("buyer")
    await buyer.delete(f"/api/orders/{order['id']}")
    response = await buyer.post("/api/payments", json={"token": "tok_visa", "orderId": order["id"]})
    assert (response.status_code, message(response)) == (400, "Cannot pay for a cancelled order")


async def test_41_paying_takes_the_price_in_cents_by_the_token_given(shop: Shop) -> None:
    order = await shop.ordered(await shop.listed(price=19.99))
    buyer = shop.client("buyer")
    made(await buyer.post("/api/payments", json={"token": "tok_visa", "orderId": order["id"]}))
    (requested,) = [r.event for r in await shop.log() if isinstance(r.event, PaymentRequested)]
    assert (requested.amount.amount, requested.amount.currency, requested.method) == (1999, "usd", "tok_visa")
    paid = (await buyer.get(f"/api/orders/{order['id']}")).json()
    assert paid == {**order, "status": "complete"}


async def test_42_the_payment_is_on_record_under_the_id_that_is_answered(shop: Shop) -> None:
    order = await shop.ordered(await shop.listed())
    body = {"token": "tok_visa", "orderId": order["id"]}
    payment = made(await shop.client("buyer").post("/api/payments", json=body))
    assert set(payment) == {"id"}
    events = [recorded.event for recorded in await shop.stream(f"payment-{payment['id']}")]
    assert isinstance(events[-1], PaymentCaptured)


# ── Across services ───────────────────────────────────────────────────────────────────────────────


async def test_43_a_hold_sets_the_tickets_order_its_end_clears_it_and_both_raise_the_version(
    shop: Shop,
) -> None:
    ticket = await shop.listed()
    order = await shop.ordered(ticket)
    anybody = shop.client()
    held = (await anybody.get(f"/api/tickets/{ticket['id']}")).json()
    assert (held["orderId"], held["version"]) == (order["id"], 1)
    await shop.client("buyer").delete(f"/api/orders/{order['id']}")
    free = (await anybody.get(f"/api/tickets/{ticket['id']}")).json()
    assert free == {**ticket, "version": 2}


async def test_45_versions_are_dense_and_an_orders_is_zero_then_one(shop: Shop) -> None:
    ticket = await shop.listed()
    seller, buyer = shop.client("seller"), shop.client("buyer")
    versions = []
    for round_ in range(2):
        edit = {"title": f"concert {round_}", "price": 20}
        edited = (await seller.put(f"/api/tickets/{ticket['id']}", json=edit)).json()
        order = await shop.ordered(ticket)
        # An attempt to pay that fails is no public event.
        body = {"token": "tok_chargeDeclined", "orderId": order["id"]}
        assert (await buyer.post("/api/payments", json=body)).status_code == 400
        held = (await seller.get(f"/api/tickets/{ticket['id']}")).json()
        cancelled = (await buyer.patch(f"/api/orders/{order['id']}")).json()
        free = (await seller.get(f"/api/tickets/{ticket['id']}")).json()
        versions += [edited["version"], held["version"], free["version"]]
        assert order["ticket"]["version"] == edited["version"]
        assert (order["version"], cancelled["version"]) == (0, 1)
    assert versions == [1, 2, 3, 4, 5, 6]


async def test_44_an_order_that_nobody_pays_ends_and_one_that_was_paid_does_not(open_shop: Any) -> None:
    shop: Shop = await open_shop(hold=timedelta(seconds=1))
    unpaid, paid = [await shop.ordered(await shop.listed(title=title)) for title in ("unpaid", "paid")]
    buyer = shop.client("buyer")
    made(await buyer.post("/api/payments", json={"token": "tok_visa", "orderId": paid["id"]}))

    async def ended() -> bool:
        shown = (await buyer.get(f"/api/orders/{unpaid['id']}")).json()
        assert shown["status"] in {"created", "cancelled"}
        return bool(shown["status"] == "cancelled")

    await soon(ended)
    assert (await buyer.get(f"/api/orders/{paid['id']}")).json()["status"] == "complete"

    async def free() -> bool:
        return "orderId" not in (await buyer.get(f"/api/tickets/{unpaid['ticket']['id']}")).json()

    await soon(free)
