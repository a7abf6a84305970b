"""Two and four real processes on one double share the purchases, and take over from one that is killed."""

import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gateways.card_ledger import CardLedger
from tests.eventstoredb.cluster import Cluster
from tests.eventstoredb.members import (
    PRICE,
    because,
    cards,
    eventually,
    group_of,
    is_done,
    kinds,
    left_lying,
    member,
)
from tests.eventstoredb.processes import machine


def money_was_taken_once_for_each(place: Path, orders: Sequence[str]) -> None:
    ledger = CardLedger(place / "cards.sqlite")
    try:
        assert sorted(entry.order for entry in ledger.entries()) == sorted(orders)
    finally:
        ledger.close()


def each_was_sold_once(double: Cluster, orders: Sequence[str]) -> None:
    for order_id in orders:
        assert kinds(double, f"order-{order_id}").count("OrderCompleted") == 1
    sales = [names for stream in double.log.streams if (names := kinds(double, stream)).count("TicketSold")]
    assert [names.count("TicketSold") for names in sales] == [1] * len(orders)


@pytest.mark.parametrize("count", [2, 4])
async def test_processes_share_the_purchases_and_finish_those_of_one_that_is_killed(
    double: Cluster, tmp_path: Path, count: int
) -> None:
    async with AsyncExitStack() as stack:
        machines = [
            await stack.enter_async_context(machine(double, tmp_path, f"machine-{number}"))
            for number in range(count)
        ]
        group = group_of(double)
        await eventually(lambda: len(group.consumers) == count, "all take part")
        till = await stack.enter_async_context(cards(tmp_path))
        dead = await stack.enter_async_context(member(double.uri(), till, past=True))
        before = {each.name: each.appends() for each in machines}
        orders = [await left_lying(dead, "tok_slow") for _ in range(8 * count)]
        victim = machines[0]
        await eventually(lambda: victim.appends() > before[victim.name], "one is in the middle of a purchase")
        assert not any(is_done(double, order_id) for order_id in orders)
        victim.kill()
        await eventually(
            lambda: all(is_done(double, order_id) for order_id in orders), "all are finished", 60
        )
        await eventually(lambda: not group.outstanding, "all signals are answered")
        assert all(each.appends() > before[each.name] for each in machines), "somebody did nothing"
    each_was_sold_once(double, orders)
    money_was_taken_once_for_each(tmp_path, orders)


async def test_every_process_watches_the_deadlines_and_each_hold_ends_once_and_not_early(
    double: Cluster, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        machines = [
            await stack.enter_async_context(machine(double, tmp_path, f"machine-{number}"))
            for number in range(2)
        ]
        till = await stack.enter_async_context(cards(tmp_path))
        one = await stack.enter_async_context(member(double.uri(), till, hold=timedelta(seconds=3)))
        orders = []
        for number in range(10):
            ticket_id, order_id = f"t{number}", f"o{number}"
            await one.marketplace.list_ticket(ticket_id, "seller", "A seat", PRICE, because(ticket_id))
            await one.marketplace.reserve(order_id, ticket_id, "buyer", because(order_id))
            orders.append(order_id)
        await eventually(
            lambda: all("OrderCancelled" in kinds(double, f"order-{each}") for each in orders), "all end"
        )
        machines[0].kill()
        await one.marketplace.list_ticket("late", "seller", "A seat", PRICE, because("late"))
        await one.marketplace.reserve("last", "late", "buyer", because("last"))
        await eventually(lambda: "OrderCancelled" in kinds(double, "order-last"), "one of them is enough")
        await eventually(
            lambda: all("TicketReleased" in kinds(double, f"ticket-t{n}") for n in range(10)), "all are free"
        )
    for order_id in orders:
        facts = told_of(double, f"order-{order_id}")
        assert [name for name, _, _ in facts] == ["OrderPlaced", "OrderCancelled"]
        (_, placed, _), (_, _, cancelled_at) = facts
        assert datetime.fromisoformat(cancelled_at) >= datetime.fromisoformat(placed["expires_at"])
    for number in range(10):
        assert kinds(double, f"ticket-t{number}") == ["TicketListed", "TicketReserved", "TicketReleased"]


def told_of(double: Cluster, stream: str) -> list[tuple[str, dict[str, str], str]]:
    """Of each event of a stream: its type, its data, and when it was decided."""
    return [
        (record.event.type, json.loads(record.event.data), json.loads(record.event.metadata)["at"])
        for record in double.log.streams[stream]
    ]
