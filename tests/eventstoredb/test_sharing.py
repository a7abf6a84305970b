"""Purchases shared by signals on EventStoreDB's protocol: taken up once, answered when recorded, parked."""

from pathlib import Path

from domain import order
from tests.eventstoredb.cluster import Cluster
from tests.eventstoredb.members import at_work, cards, eventually, left_lying, member


def kinds(double: Cluster, stream: str) -> list[str]:
    return [record.event.type for record in double.log.streams.get(stream, [])]


def is_done(double: Cluster, order_id: str) -> bool:
    return "OrderCompleted" in kinds(double, f"order-{order_id}")


async def test_what_was_left_lying_is_finished_by_whoever_is_given_it(
    double: Cluster, tmp_path: Path
) -> None:
    async with (
        cards(tmp_path) as till,
        member(double.uri(), till) as one,
        member(double.uri(), till) as other,
        member(double.uri(), till, past=True) as dead,
    ):
        async with at_work(one), at_work(other):
            await eventually(lambda: one.group.problem is None and other.group.problem is None, "both are in")
            orders = [await left_lying(dead) for _ in range(20)]
            await eventually(lambda: all(is_done(double, each) for each in orders), "all are finished")
            (group,) = double.groups
            await eventually(lambda: not group.outstanding, "all is answered")
        assert all(kinds(double, f"order-{each}").count("OrderCompleted") == 1 for each in orders)
        taken = [entry.order for entry in till.entries()]
        assert sorted(taken) == sorted(orders)
        for each in orders:
            assert isinstance((await one.marketplace.order(each)).state, order.Completed)
