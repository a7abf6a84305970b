"""The defects of the classic implementations that must not be here, as far as HTTP shows them.

D4, D9, D10 and D11 are about brokers and replicas that do not exist in this house.
"""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec

from domain.money import Money
from domain.order import OrderCancelled
from domain.payment import PaymentCaptured
from domain.ticket import TicketReleased
from gateways.http.answer import json
from gateways.http.bodies import TicketBody
from gateways.http.parsing import Form, title_and_price
from tests.http.shop import Shop, made, message, soon


async def pay(shop: Shop, order: dict[str, Any], token: str = "tok_visa", key: str | None = None) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    body = {"token": token, "orderId": order["id"]}
    return await shop.client(order["userId"]).post("/api/payments", json=body, headers=headers)


async def captures(shop: Shop) -> int:
    return sum(isinstance(recorded.event, PaymentCaptured) for recorded in await shop.log())


async def test_d1_of_64_buyers_at_once_exactly_one_gets_the_ticket(shop: Shop) -> None:
    ticket = await shop.listed()
    body = {"ticketId": ticket["id"]}
    orders = (shop.client(f"buyer{n}").post("/api/orders", json=body) for n in range(64))
    responses = await asyncio.gather(*orders)
    statuses = sorted(response.status_code for response in responses)
    assert statuses == [201] + [400] * 63
    refused = {message(response) for response in responses if response.status_code == 400}
    assert refused == {"Ticket is already reserved"}
    # The listing, the hold and the order; who was refused has written nothing.
    assert len(await shop.log()) == 3


async def test_d2_an_order_is_not_ended_while_it_is_being_paid_for(open_shop: Any) -> None:
    shop: Shop = await open_shop(hold=timedelta(seconds=1))
    order = await shop.ordered(await shop.listed())
    # tok_slow takes three seconds, and the hold ends after one.
    made(await pay(shop, order, "tok_slow"))
    buyer = shop.client("buyer")
    assert (await buyer.get(f"/api/orders/{order['id']}")).json()["status"] == "complete"
    sold = (await buyer.get(f"/api/tickets/{order['ticket']['id']}")).json()
    assert sold["orderId"] == order["id"]


async def test_d3_a_paid_order_cannot_be_cancelled(shop: Shop) -> None:
    order = await shop.ordered(await shop.listed())
    made(await pay(shop, order))
    buyer = shop.client("buyer")
    for cancel in (buyer.delete, buyer.patch):
        response = await cancel(f"/api/orders/{order['id']}")
        assert (response.status_code, message(response)) == (
            400,
            "Cannot cancel an order that was paid for",
        )
    assert (await buyer.get(f"/api/orders/{order['id']}")).json()["status"] == "complete"


async def test_d5_fifty_payments_at_once_take_the_money_once(shop: Shop) -> None:
    order = await shop.ordered(await shop.listed())
    responses = await asyncio.gather(*(pay(shop, order) for _ in range(50)))
    statuses = sorted(response.status_code for response in responses)
    assert statuses == [201] + [400] * 49
    assert await captures(shop) == 1
    again = await pay(shop, order)
    assert (again.status_code, message(again)) == (400, "Payment already exists for this order")


async def test_d5_the_same_key_pays_once_and_answers_alike(shop: Shop) -> None:
    order = await shop.ordered(await shop.listed())
    responses = await asyncio.gather(*(pay(shop, order, key="pay-1") for _ in range(10)))
    payment = made(responses[0])
    assert {response.status_code for response in responses} == {201}
    assert [response.json() for response in responses] == [payment] * 10
    assert (await pay(shop, order, key="pay-1")).json() == payment
    assert await captures(shop) == 1


async def test_d5_a_payment_whose_answer_got_lost_is_settled_under_its_key(shop: Shop) -> None:
    order = await shop.ordered(await shop.listed())
    first = await pay(shop, order, "tok_lostAnswer", key="lost")
    if first.status_code != 201:
        assert first.status_code == 503
        assert "same Idempotency-Key" in message(first)

    async def settled() -> bool:
        return bool((await pay(shop, order, "tok_lostAnswer", key="lost")).status_code == 201)

    await soon(settled, 15)
    assert await captures(shop) == 1
    assert (await shop.client("buyer").get(f"/api/orders/{order['id']}")).json()["status"] == "complete"


async def test_d6_a_buyer_whose_card_was_declined_pays_with_another(shop: Shop) -> None:
    order = await shop.ordered(await shop.listed())
    declined = await pay(shop, order, "tok_chargeDeclined")
    assert declined.status_code == 400
    assert "declined" in message(declined)
    assert (await shop.client("buyer").get(f"/api/orders/{order['id']}")).json()["status"] == "created"
    made(await pay(shop, order, "tok_visa"))
    assert await captures(shop) == 1


def test_d7_every_price_up_to_a_thousand_is_whole_cents_and_comes_back_as_it_was() -> None:
    decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
    for cents in range(1, 100_001):
        text = f"{cents // 100}.{cents % 100:02}"
        for written in (text, f'"{text}"'):
            _, price = title_and_price(Form(decode(f'{{"title":"x","price":{written}}}')), "usd")
            assert price == Money(cents, "usd")
        answered = json(200, TicketBody("x", price.major, "u", 0, "i")).body
        shown = answered.partition(b'"price":')[2].partition(b",")[0].decode()
        assert Decimal(shown) == Decimal(text), shown
        assert len(shown) <= len(text)


async def test_d8_an_expired_order_cannot_be_paid_for(open_shop: Any) -> None:
    shop: Shop = await open_shop(hold=timedelta(seconds=1))
    order = await shop.ordered(await shop.listed())

    async def over() -> bool:
        shown = (await shop.client("buyer").get(f"/api/orders/{order['id']}")).json()
        return bool(shown["status"] == "cancelled")

    await soon(over)
    response = await pay(shop, order)
    assert response.status_code == 400
    assert await captures(shop) == 0


async def test_d12_the_end_of_a_dead_order_frees_nobody_elses_hold(open_shop: Any) -> None:
    shop: Shop = await open_shop(hold=timedelta(seconds=1))
    ticket = await shop.listed()
    dead = await shop.ordered(ticket, "first")
    first = shop.client("first")
    await first.delete(f"/api/orders/{dead['id']}")
    held = await shop.ordered(ticket, "second")
    # Cancelling again, and the first order's own deadline, leave the second hold alone.
    assert (await first.delete(f"/api/orders/{dead['id']}")).status_code == 204
    assert (await first.get(f"/api/tickets/{ticket['id']}")).json()["orderId"] == held["id"]

    async def second_ended() -> bool:
        return "orderId" not in (await first.get(f"/api/tickets/{ticket['id']}")).json()

    await soon(second_ended)
    events = [recorded.event for recorded in await shop.log()]
    assert [event.order for event in events if isinstance(event, TicketReleased)] == [dead["id"], held["id"]]
    assert sum(isinstance(event, OrderCancelled) for event in events) == 2


async def test_d13_a_seller_cannot_buy_his_own_ticket_unless_the_policy_lets_him(open_shop: Any) -> None:
    shop: Shop = await open_shop()
    ticket = await shop.listed("seller")
    response = await shop.client("seller").post("/api/orders", json={"ticketId": ticket["id"]})
    assert (response.status_code, message(response)) == (400, "You cannot buy your own ticket")


async def test_d13_the_policy_may_let_sellers_buy_their_own_tickets(open_shop: Any) -> None:
    shop: Shop = await open_shop(own_tickets=True)
    await shop.ordered(await shop.listed("seller"), "seller")
