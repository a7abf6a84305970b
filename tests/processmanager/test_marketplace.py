"""Asking twice is asking once; and what a request leaves undone, the pump finishes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from domain import order, payment, ticket
from domain.decider import Refused
from gateways.payments import CardSimulator
from processmanager.marketplace import Paid
from processmanager.pump import StepFailed
from tests.processmanager.house import PRICE, House, cause
from tests.processmanager.tills import ClosedTill, OvertakenTill

BOUGHT = ["TicketListed", "TicketReserved", "TicketSold"]


@pytest.fixture
async def cards(tmp_path: Path) -> AsyncIterator[CardSimulator]:
    simulator = CardSimulator.open(tmp_path / "cards.sqlite")
    yield simulator
    await simulator.close()


@pytest.fixture
async def house(cards: CardSimulator) -> House:
    house = House(cards)
    await house.offer()
    return house


async def reserve(house: House, key: str = "once", order_id: str = "o1", buyer: str = "ann") -> order.State:
    done = await house.marketplace.reserve(order_id, "t1", buyer, cause(key), repeatable=True)
    return done.state


async def pay(house: House, payment_id: str, token: str = "tok_visa", order_id: str = "o1") -> Paid:
    return await house.marketplace.pay(order_id, payment_id, "ann", token, cause(f"pay {payment_id}"))


# ── Reserving ─────────────────────────────────────────────────────────────────────────────────────


async def test_a_reservation_asked_for_twice_is_one_hold_and_one_order(house: House) -> None:
    first = await reserve(house)
    house.clock.forward(60)
    assert await reserve(house, "again") == first
    assert house.events("ticket-t1") == ["TicketListed", "TicketReserved"]
    assert house.events("order-o1") == ["OrderPlaced"]


async def test_a_repeat_gets_the_order_as_it_is_by_now(house: House) -> None:
    await reserve(house)
    await house.marketplace.cancel("o1", "ann", cause("cancel"))
    assert isinstance(await reserve(house, "again"), order.Cancelled)
    assert house.events("ticket-t1") == ["TicketListed", "TicketReserved", "TicketReleased"]


async def test_a_repeat_by_somebody_else_is_refused(house: House) -> None:
    await reserve(house)
    with pytest.raises(Refused) as refusal:
        await reserve(house, "again", buyer="bob")
    assert refusal.value == order.EXISTS


async def test_a_repeat_that_takes_the_ticket_for_an_order_that_is_over_lets_go_of_it(house: House) -> None:
    """It had looked before the order was placed, and went on when all was over."""
    await reserve(house)
    await house.marketplace.cancel("o1", "ann", cause("cancel"))
    done = await house.marketplace.reserve("o1", "t1", "ann", cause("late"))
    assert isinstance(done.state, order.Cancelled)
    assert isinstance((await house.marketplace.ticket("t1")).state, ticket.Available)


async def test_a_refused_reservation_leaves_no_trace(house: House) -> None:
    await reserve(house)
    written = house.log.head
    for buyer, code in (("bob", "ticket_reserved"), ("sue", "ticket_reserved")):
        with pytest.raises(Refused) as refusal:
            await reserve(house, "other", "o2", buyer)
        assert refusal.value.code == code
    assert house.log.head == written


async def test_a_hold_whose_order_was_never_placed_is_placed_by_the_watchdog(house: House) -> None:
    """The process died between taking the ticket and placing the order."""
    command = ticket.ReserveTicket("o1", "ann", house.clock.now())
    await house.desk.execute(ticket.ticket, "t1", command, cause("reserve"))
    house.clock.forward(4)
    assert await house.look_after_what_is_due() == []
    house.clock.forward(2)
    assert await house.look_after_what_is_due() == ["o1"]
    assert house.events("order-o1") == ["OrderPlaced", "OrderCancelled"], "its time was over already"


# ── Paying ────────────────────────────────────────────────────────────────────────────────────────


async def test_a_purchase_in_one_go(house: House, cards: CardSimulator) -> None:
    await reserve(house)
    paid = await pay(house, "p1")
    assert isinstance(paid.order, order.Completed)
    assert isinstance(paid.payment, payment.Captured)
    assert paid.position == house.log.head
    assert house.events("ticket-t1") == BOUGHT
    assert cards.balance("o1") == PRICE


async def test_a_payment_asked_for_twice_takes_the_money_once(house: House, cards: CardSimulator) -> None:
    await reserve(house)
    first = await pay(house, "p1")
    assert await pay(house, "p1") == replace(first, repeated=True)
    assert len(list(cards.entries())) == 1
    assert cards.balance("o1") == PRICE


async def test_who_is_overtaken_while_he_repeats_a_payment_is_told_what_became_of_it() -> None:
    """By his own request, sent twice at once: both begin to do what the first left undone."""
    till = OvertakenTill()
    house = House(till)
    await house.offer()
    await house.reserve()
    till.away = True
    with pytest.raises(StepFailed):
        await pay(house, "p1")
    till.away = False
    till.meanwhile = lambda: pay(house, "p1")
    paid = await pay(house, "p1")
    assert isinstance(paid.order, order.Completed)
    assert isinstance(paid.payment, payment.Captured)


async def test_a_lost_answer_is_found_again_within_the_same_request(
    house: House, cards: CardSimulator
) -> None:
    await reserve(house)
    assert isinstance((await pay(house, "p1", "tok_lostAnswer")).order, order.Completed)
    assert cards.balance("o1") == PRICE


async def test_a_second_card_pays_after_the_first_was_declined(house: House, cards: CardSimulator) -> None:
    await reserve(house)
    refused = await pay(house, "p1", "tok_chargeDeclined")
    assert isinstance(refused.payment, payment.Declined)
    assert isinstance(refused.order, order.AwaitingPayment)
    assert isinstance((await pay(house, "p2")).order, order.Completed)
    assert cards.balance("o1") == PRICE


async def test_a_declined_attempt_asked_for_again_is_still_declined(house: House) -> None:
    await reserve(house)
    first = await pay(house, "p1", "tok_chargeDeclined")
    again = await pay(house, "p1", "tok_chargeDeclined")
    assert (again.payment, again.order) == (first.payment, first.order)


async def test_two_attempts_are_never_in_flight_together(house: House, cards: CardSimulator) -> None:
    await reserve(house)
    waiting = await pay(house, "p1", "tok_threeDSecure2Required")
    assert isinstance(waiting.payment, payment.ActionRequired)
    with pytest.raises(Refused) as refusal:
        await pay(house, "p2")
    assert refusal.value == order.IN_FLIGHT
    await cards.confirm("p1", True)
    assert isinstance((await pay(house, "p1")).order, order.Completed)


async def test_a_payment_that_comes_late_is_refused(house: House) -> None:
    await reserve(house)
    house.clock.forward(15 * 60)
    with pytest.raises(Refused) as refusal:
        await pay(house, "p1")
    assert refusal.value == order.HOLD_ENDED


async def test_money_set_aside_for_a_hold_that_ended_is_let_go(house: House, cards: CardSimulator) -> None:
    await reserve(house)
    await pay(house, "p1", "tok_threeDSecure2Required")
    house.clock.forward(15 * 60)
    await house.look_after_what_is_due()
    assert house.events("ticket-t1")[-1] == "TicketReleased", "which waits for no provider"
    house.clock.forward(2)
    await house.look_after_what_is_due()
    assert house.events("payment-p1")[-1] == "PaymentVoided"
    assert cards.balance("o1") is None


async def test_a_provider_that_is_away_leaves_the_purchase_to_be_taken_up_again() -> None:
    till = ClosedTill()
    house = House(till)
    await house.offer()
    await house.reserve()
    with pytest.raises(StepFailed):
        await pay(house, "p1")
    assert till.asked == 2, "a lost answer is worth one more try at once"
    assert house.events("payment-p1") == ["PaymentRequested"]


# ── Cancelling ────────────────────────────────────────────────────────────────────────────────────


async def test_cancelling_twice_gives_the_ticket_back_once(house: House) -> None:
    await reserve(house)
    for _ in range(2):
        done = await house.marketplace.cancel("o1", "ann", cause("cancel"))
        assert isinstance(done.state, order.Cancelled)
    assert house.events("ticket-t1") == ["TicketListed", "TicketReserved", "TicketReleased"]


async def test_a_cancelled_order_touches_nobody_else_s_hold(house: House) -> None:
    await reserve(house)
    await house.marketplace.cancel("o1", "ann", cause("cancel"))
    await reserve(house, "bob's", "o2", "bob")
    house.clock.forward(15 * 60 - 1)
    await house.marketplace.cancel("o1", "ann", cause("cancel again"))
    await house.look_after_what_is_due()
    held = (await house.marketplace.ticket("t1")).state
    assert isinstance(held, ticket.Reserved)
    assert held.order == "o2"


async def test_only_the_buyer_pays_and_cancels(house: House) -> None:
    await reserve(house)
    with pytest.raises(Refused) as refusal:
        await house.marketplace.cancel("o1", "bob", cause("cancel"))
    assert refusal.value == order.NOT_OWNER
    with pytest.raises(Refused):
        await house.marketplace.pay("o1", "p1", "bob", "tok_visa", cause("pay"))
    assert house.log.head == 3
