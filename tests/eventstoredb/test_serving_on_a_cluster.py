"""The shop on three nodes: over TLS or not, named or discovered, while the leader changes under it."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from tests.eventstoredb.certificates import Certificates
from tests.eventstoredb.cluster import Cluster
from tests.eventstoredb.shoppers import Shoppers
from tests.http.shop import opened

HOLD = timedelta(seconds=3)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("discovered", [False, True], ids=["named", "discovered"])
async def test_people_buy_while_the_leader_changes(
    tmp_path: Path, certificates: Certificates, *, tls: bool, discovered: bool
) -> None:
    async with Cluster(3, certificates=certificates if tls else None) as trio, AsyncExitStack() as closing:
        uri = trio.discovery_uri(trio.nodes[1]) if discovered else trio.cluster_uri()
        shops = [await closing.enter_async_context(opened(tmp_path, store=uri, hold=HOLD)) for _ in range(2)]
        shoppers = Shoppers(shops)
        for leader in (*trio.nodes[1:], trio.nodes[0]):
            crowd = asyncio.create_task(shoppers.crowd(f"led-by-{leader.endpoint.port}"))
            await asyncio.sleep(0.05)
            trio.elect(leader)
            await crowd
        await shoppers.all_is_well(trio, tmp_path)
        assert {call.node for call in trio.calls.of("BatchAppend") if call.status == "OK"} == {0, 1, 2}


async def test_people_buy_while_the_leader_dies_and_another_is_elected(tmp_path: Path) -> None:
    async with Cluster(3) as trio, AsyncExitStack() as closing:
        told = {"store": trio.cluster_uri(), "hold": HOLD}
        shops = [await closing.enter_async_context(opened(tmp_path, **told)) for _ in range(2)]
        shoppers = Shoppers(shops)
        crowd = asyncio.create_task(shoppers.crowd("before-and-after"))
        await asyncio.sleep(0.05)
        await trio.nodes[0].stop()
        await asyncio.sleep(1)
        trio.elect(trio.nodes[2])
        await crowd
        await shoppers.all_is_well(trio, tmp_path)
