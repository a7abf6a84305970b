"""What facts mean for purchases, and how long others are given before a purchase is looked at here too."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from msgspec.structs import replace

from domain.decider import Recorded
from domain.order import PaymentStarted
from processmanager.meaning import Closes, OfPayment, Opens, OrdersOfPayments, meaning
from processmanager.patience import Deference
from processmanager.ports import Due
from tests.processmanager.house import START, House, cause
from tests.processmanager.tills import OpenTill

WAIT = timedelta(seconds=30)


async def lived() -> House:
    """A house in which a ticket was sold."""
    house = House(OpenTill())
    await house.offer()
    await house.reserve()
    await house.marketplace.pay("o1", "p1", "ann", "tok_visa", cause("pay"))
    return house


async def test_each_fact_of_a_purchase_opens_it_until_the_next_rest_closes_it() -> None:
    house = await lived()
    said = {type(fact.event).__name__: meaning(fact) for fact in house.log.facts}
    assert said["TicketListed"] is None
    opens = {name: each.order for name, each in said.items() if isinstance(each, Opens)}
    assert opens == dict.fromkeys(
        ("TicketReserved", "PaymentStarted", "PaymentRequested", "TicketSold"), "o1"
    )
    closes = {name: each.order for name, each in said.items() if isinstance(each, Closes)}
    assert closes == dict.fromkeys(("OrderPlaced", "OrderCompleted"), "o1")
    assert said["PaymentAuthorized"] == said["PaymentCaptured"] == OfPayment("p1")


async def test_which_order_a_payment_is_for_is_learnt_from_what_passes() -> None:
    house, orders = await lived(), OrdersOfPayments(capacity=1)
    for fact in house.log.facts:
        orders.heed(fact)
    assert orders.get("p1") == "o1"
    (started,) = [fact for fact in house.log.facts if isinstance(fact.event, PaymentStarted)]
    orders.heed(Recorded("order-o2", 1, 99, uuid4(), replace(started.event, payment="p2"), started.metadata))
    assert (orders.get("p1"), orders.get("p2")) == (None, "o2")


# ── Leaving it to others ──────────────────────────────────────────────────────────────────────────


def due(ends: float | None = None) -> Due:
    return Due("o1", "t1", START, ends=None if ends is None else START + timedelta(seconds=ends))


def at(seconds: float) -> Any:
    return START + timedelta(seconds=seconds)


def test_what_others_were_given_is_left_to_them_for_a_while_and_then_taken_over() -> None:
    deference = Deference(lambda: WAIT)
    assert [deference.left_to_others(due(), at(seconds)) for seconds in (0, 29, 30)] == [True, True, False]


def test_a_hold_that_must_end_is_left_to_nobody() -> None:
    deference = Deference(lambda: WAIT)
    assert deference.left_to_others(due(ends=10), at(9))
    assert not deference.left_to_others(due(ends=10), at(10))


def test_a_purchase_that_was_settled_meanwhile_begins_afresh() -> None:
    deference = Deference(lambda: WAIT)
    assert deference.left_to_others(due(), at(0))
    deference.forget_all_but(set())
    assert deference.left_to_others(due(), at(100))


def test_nothing_is_left_to_others_where_no_signals_come() -> None:
    deference = Deference(lambda: timedelta(0))
    assert not deference.left_to_others(due(), at(0))


def test_what_waits_for_its_buyer_is_ours_for_a_while() -> None:
    deference = Deference(lambda: WAIT)
    deference.is_ours("o1", at(60), at(0))
    assert not deference.left_to_others(due(), at(59))
    assert deference.left_to_others(due(), at(61))


def test_what_is_remembered_is_bounded() -> None:
    deference = Deference(lambda: WAIT, capacity=1)
    deference.is_ours("o1", at(60), at(0))
    deference.is_ours("o2", at(60), at(0))
    assert deference.left_to_others(Due("o2", "t2", START), at(1))
    deference.is_ours("o2", at(100), at(61))
    assert not deference.left_to_others(Due("o2", "t2", START), at(62))
