"""A whole purchase over the wire: what it costs in calls, and that no fault at any step does it harm."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from msgspec import Struct

from domain import order, ticket
from domain.money import Money
from gateways.clock import SystemClock
from gateways.payments import CardSimulator
from processmanager.desk import Cause, Desk, TooManyConflicts
from processmanager.marketplace import Marketplace, Policy
from processmanager.ports import OutcomeUnknown, StoreUnavailable
from processmanager.pump import Pump, StepFailed
from tests.eventstoredb.adapting import opened
from tests.eventstoredb.answers import Failure, aborted, unavailable
from tests.eventstoredb.clients import until
from tests.eventstoredb.cluster import Cluster
from tests.eventstoredb.faults import Action, delay_answer, in_band, lose, refuse, swallow

PRICE = Money(4500, "usd")
WRITES = "Streams/BatchAppend"


class Shop(Struct, frozen=True):
    """The business on the double."""

    double: Cluster
    marketplace: Marketplace
    pump: Pump
    cards: CardSimulator


@asynccontextmanager
async def shop(directory: Path) -> AsyncIterator[Shop]:
    cards = CardSimulator.open(directory / "cards.sqlite")
    async with Cluster() as double, opened(double.uri()) as store:
        clock = SystemClock()
        desk = Desk(store, clock)
        pump = Pump(desk, cards, clock)
        yield Shop(double, Marketplace(desk, pump, clock, Policy()), pump, cards)
    await cards.close()


def cause(key: str) -> Cause:
    return Cause(correlation=key, causation=key, actor="buyer")


async def listed(here: Shop) -> str:
    ticket_id = uuid4().hex
    await here.marketplace.list_ticket(ticket_id, "seller", "A seat", PRICE, cause("list"))
    return ticket_id


async def bought(here: Shop, ticket_id: str, order_id: str, payment_id: str) -> None:
    """Reserve and pay, as often as a patient client would."""
    reserve = here.marketplace.reserve
    await _patiently(lambda: reserve(order_id, ticket_id, "buyer", cause(order_id), repeatable=True))
    pay = here.marketplace.pay
    await _patiently(lambda: pay(order_id, payment_id, "buyer", "tok_visa", cause(payment_id)))


async def _patiently(action: Callable[[], Any]) -> None:
    for _ in range(5):
        try:
            await action()
        except (StoreUnavailable, OutcomeUnknown, StepFailed, TooManyConflicts):
            continue
        return
    raise AssertionError("it never got through")


async def test_a_reservation_costs_two_appends_and_a_purchase_at_most_eight(tmp_path: Path) -> None:
    async with shop(tmp_path) as here:
        ticket_id, order_id = await listed(here), uuid4().hex
        await until(lambda: not here.double.calls.open())
        here.double.calls.clear()
        await here.marketplace.reserve(order_id, ticket_id, "buyer", cause("reserve"))
        assert [call.method for call in here.double.calls] == [WRITES] * 2
        await here.marketplace.pay(order_id, uuid4().hex, "buyer", "tok_visa", cause("pay"))
        assert here.double.calls.count(WRITES) <= 8
        # Of the payment twice: that it is not there, and that it was not deleted either.
        assert here.double.calls.count("Streams/Read") <= 4


FAULTS: dict[str, Callable[[], Action]] = {
    "not_done": lambda: refuse(unavailable()),
    "answer_lost": lambda: lose(unavailable()),
    "answer_aborted": lambda: lose(aborted()),
    "no_answer": swallow,
    "reset": lambda: lose(Failure("INTERNAL", "stream reset")),
    "late": lambda: delay_answer(0.9),
    "not_ready": in_band,
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_no_fault_at_any_step_of_a_purchase_does_harm(
    tmp_path: Path, fault: Callable[[], Action]
) -> None:
    async with shop(tmp_path) as here:
        for step in range(8):
            ticket_id, order_id, payment_id = await listed(here), uuid4().hex, uuid4().hex
            broken = here.double.faults.add(WRITES, fault(), skip=step)
            await bought(here, ticket_id, order_id, payment_id)
            broken.stop()
            await _is_sold_once(here, ticket_id, order_id)


@pytest.mark.parametrize("forget_ids", [False, True], ids=["ids_kept", "ids_lost"])
async def test_a_restart_at_any_step_of_a_purchase_does_no_harm(tmp_path: Path, *, forget_ids: bool) -> None:
    async with shop(tmp_path) as here:
        for step in range(0, 8, 2):
            ticket_id, order_id, payment_id = await listed(here), uuid4().hex, uuid4().hex
            broken = here.double.faults.add(WRITES, lose(unavailable()), skip=step, times=1)
            if step:
                await here.double.restart(forget_ids=forget_ids)
            await bought(here, ticket_id, order_id, payment_id)
            broken.stop()
            await _is_sold_once(here, ticket_id, order_id)


async def _is_sold_once(here: Shop, ticket_id: str, order_id: str) -> None:
    sold = (await here.marketplace.ticket(ticket_id)).state
    done = (await here.marketplace.order(order_id)).state
    assert isinstance(sold, ticket.Sold), sold
    assert sold.order == order_id
    assert isinstance(done, order.Completed), done
    assert here.cards.balance(order_id) == PRICE
    for stream in (f"ticket-{ticket_id}", f"order-{order_id}"):
        ids = [record.id for record in here.double.log.streams[stream]]
        assert len(ids) == len(set(ids))
