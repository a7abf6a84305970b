"""``admitone serve --store esdb://…``: the product as it is started, on the double's real protocol.

The double stands for a server here and never in the product: a real node is named the same way.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.deploy.running import admitone, running
from tests.eventstoredb.cluster import Cluster
from tests.live.crowd import KEY, ask, list_tickets, pay, reserve, said, show


@asynccontextmanager
async def serving(data: Path, *options: str, **variables: str) -> AsyncIterator[int]:
    """A running product; gives its port. In a thread, for the double lives on this event loop."""
    server = running(data, *options, jwt_key=KEY, rate_limit="off", **variables)
    started = await asyncio.to_thread(server.__enter__)
    try:
        yield started.port
    finally:
        await asyncio.to_thread(server.__exit__, None, None, None)


async def test_a_ticket_is_sold_on_eventstoredb_and_the_log_outlives_the_server(
    double: Cluster, tmp_path: Path
) -> None:
    options = ("--no-demo", "--store", double.uri())
    async with serving(tmp_path / "data", *options) as port:
        (ticket,) = await list_tickets(port, 1)
        (placed,) = await ask(port, [reserve(ticket, "buyer")])
        assert placed is not None
        assert placed.status == 201
        (late,) = await ask(port, [reserve(ticket, "another")])
        assert late is not None
        assert late.status == 400
        (paid,) = await ask(port, [pay(said(placed)["id"], "buyer")])
        assert paid is not None
        assert paid.status == 201
    # Another place for read models, as another machine has: everything comes from the store.
    async with serving(tmp_path / "elsewhere", *options) as port:
        (mine,) = await ask(port, [show("/api/orders", "buyer")])
        assert mine is not None
        assert [order["status"] for order in said(mine)] == ["complete"]


def test_a_server_that_is_not_there_is_said_in_one_line_within_ten_seconds(tmp_path: Path) -> None:
    began = time.monotonic()
    ended = admitone(
        "serve", "--port", "0", "--data", str(tmp_path), "--store", "esdb://127.0.0.1:9?Tls=false"
    )
    assert ended.returncode != 0
    assert len(ended.stderr.strip().splitlines()) == 1, ended.stderr
    assert "127.0.0.1:9" in ended.stderr
    assert time.monotonic() - began < 10


def test_an_address_that_is_none_is_said_without_its_password(tmp_path: Path) -> None:
    uri = "esdb://admin:changeit@127.0.0.1:2113?NoSuchOption=1"
    ended = admitone("serve", "--port", "0", "--data", str(tmp_path), "--store", uri)
    assert ended.returncode == 2
    assert len(ended.stderr.strip().splitlines()) == 1, ended.stderr
    assert "changeit" not in ended.stderr
