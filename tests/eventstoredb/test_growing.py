"""A shop that began on one machine moves to EventStoreDB and back, with its data directory."""

import asyncio
from pathlib import Path

from tests.deploy.running import admitone
from tests.eventstoredb.cluster import Cluster
from tests.eventstoredb.test_copying import assert_copied
from tests.eventstoredb.test_serving import serving
from tests.live.crowd import ask, list_tickets, pay, reserve, said, show


async def buy(port: int) -> None:
    (ticket,) = await list_tickets(port, 1)
    (placed,) = await ask(port, [reserve(ticket, "buyer")])
    assert placed is not None
    (paid,) = await ask(port, [pay(said(placed)["id"], "buyer")])
    assert paid is not None
    assert paid.status == 201


async def complete(port: int) -> int:
    """How many orders of the buyer are complete."""
    (mine,) = await ask(port, [show("/api/orders", "buyer")])
    assert mine is not None
    return [order["status"] for order in said(mine)].count("complete")


async def test_a_shop_moves_to_eventstoredb_and_back_and_shows_each_time_what_is_so(
    double: Cluster, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    there = ("--no-demo", "--store", double.uri())
    async with serving(data, "--no-demo") as port:
        await buy(port)
        assert await complete(port) == 1
    await assert_copied(data, double.uri())
    async with serving(data, *there) as port:
        assert await complete(port) == 1
        await buy(port)
        assert await complete(port) == 2
    assert "was made from another log" in (tmp_path / "data.log").read_text()
    await assert_copied(double.uri(), data)
    async with serving(data, "--no-demo") as port:
        assert await complete(port) == 2
        await buy(port)
        assert await complete(port) == 3


async def test_read_models_of_another_log_of_the_same_kind_are_noticed_too(
    double: Cluster, tmp_path: Path
) -> None:
    one, data = ("--no-demo", "--store", double.uri()), tmp_path / "data"
    async with serving(data, *one) as port:
        await buy(port)
    async with Cluster() as second:
        second.log.write_nothing()
        await assert_copied(double.uri(), second.uri())
        words = ("doctor", "--data", str(data), "--store", second.uri())
        found = await asyncio.to_thread(admitone, *words)
        assert "was made from another log" in found.stdout
    async with Cluster() as second:
        second.log.write_nothing()
        other = ("--no-demo", "--store", second.uri())
        async with serving(tmp_path / "elsewhere", *other) as port:
            await list_tickets(port, 30)
        async with serving(data, *other) as port:
            assert await complete(port) == 0
            await buy(port)
            assert await complete(port) == 1
    assert "was made from another log" in (tmp_path / "data.log").read_text()
