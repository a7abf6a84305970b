"""Two and four real processes on one double share the purchases, and take over from one that is killed."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gateways.card_ledger import CardLedger
from tests.eventstoredb.cluster import Cluster
from tests.eventstoredb.members import cards, eventually, group_of, is_done, kinds, left_lying, member
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
