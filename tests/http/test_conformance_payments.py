"""The conformance suite of the classic surface: payments, expiry and versions, rows 38 to 45.

The numbers are those of the reference's suite, drawn from the test suites of twelve such projects. What a
row says about published events is checked in the log: it is what is published here.
"""

from datetime import timedelta
from typing import Any

import pytest

from domain.payment import PaymentCaptured, PaymentRequested
from tests.http.shop import SOME_ID, Shop, errors, made, message, soon


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


@pytest.mark.parametrize("token", ["4242424242424242", "tok_4242424242424242", "tok visa", "x" * 300, "<b>"])
async def test_what_could_be_a_cards_number_never_gets_into_the_log(shop: Shop, token: str) -> None:
    order = await shop.ordered(await shop.listed())
    buyer, head = shop.client("buyer"), shop.head()
    response = await buyer.post("/api/payments", json={"token": token, "orderId": order["id"]})
    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == "token"
    assert token not in response.text
    assert shop.head() == head
