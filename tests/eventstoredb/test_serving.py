"""``admitone serve --store esdb://…``: the product as it is started, on the double's real protocol.

The double stands for a server here and never in the product: a real node is named the same way.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

from gateways.card_ledger import CardLedger
from tests.deploy.running import Running, admitone, running
from tests.eventstoredb.cluster import Cluster
from tests.eventstoredb.members import eventually
from tests.live.crowd import KEY, ask, list_tickets, pay, reserve, said, show


@asynccontextmanager
async def started(data: Path, *options: str, **variables: str) -> AsyncIterator[Running]:
    """A running product. Started in a thread, for the double lives on this event loop."""
    server = running(data, *options, jwt_key=KEY, rate_limit="off", **variables)
    found = await asyncio.to_thread(server.__enter__)
    try:
        yield found
    finally:
        await asyncio.to_thread(server.__exit__, None, None, None)


@asynccontextmanager
async def serving(data: Path, *options: str, **variables: str) -> AsyncIterator[int]:
    """A running product; gives its port."""
    async with started(data, *options, **variables) as server:
        yield server.port


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


async def test_a_machine_that_is_killed_while_a_buyer_pays_is_stood_in_for_by_another(
    double: Cluster, tmp_path: Path
) -> None:
    options, ledger = ("--no-demo", "--store", double.uri()), tmp_path / "cards.sqlite"
    async with (
        started(tmp_path / "one", *options, cards=str(ledger)) as one,
        started(tmp_path / "other", *options, cards=str(ledger)) as other,
    ):
        tickets = await list_tickets(one.port, 4)
        placed = await ask(one.port, [reserve(ticket, "buyer") for ticket in tickets])
        orders = [said(answer)["id"] for answer in placed if answer is not None]
        paying = asyncio.create_task(ask(one.port, [pay(each, "buyer", "tok_slow") for each in orders]))
        await eventually(lambda: _events(double).count("PaymentRequested") == 4, "the provider is asked")
        for pid in (one.process.pid, *one.workers(), *one.projectors()):
            os.kill(pid, signal.SIGKILL)
        assert await paying == [None] * 4, "somebody was answered before it was killed"
        await eventually(lambda: _events(double).count("OrderCompleted") == 4, "the other finishes it", 60)
        shown = await ask(other.port, [show(f"/api/orders/{order}", "buyer") for order in orders])
        assert [said(answer)["status"] for answer in shown if answer] == ["complete"] * 4
    with closing(CardLedger(ledger)) as kept:
        assert sorted(entry.order for entry in kept.entries()) == sorted(orders)


def _events(double: Cluster) -> list[str]:
    return [record.event.type for record in double.log.records]


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
