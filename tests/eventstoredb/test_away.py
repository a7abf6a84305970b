"""While the store is away: lists go on and say how old they are, writes say when to come again, all heals."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from domain.decider import NO_STREAM
from processmanager.ports import OutcomeUnknown, StoreUnavailable
from tests.eventstoredb.adapting import facts, opened, parking
from tests.eventstoredb.answers import Failure, unavailable
from tests.eventstoredb.cluster import Cluster
from tests.eventstoredb.faults import hold, refuse
from tests.eventstoredb.test_serving import serving
from tests.live.crowd import list_tickets, signed_in

BOUND = 5.0
"""Seconds within which everything is answered here: it takes less than two where the machine is not busy,
and much longer where something waits for the store."""

Do = Callable[[Cluster], Awaitable[None]]


async def stop(double: Cluster) -> None:
    await double.stop()


async def silence(double: Cluster) -> None:
    double.faults.add("", hold(), times=None)
    double.calls.end("", Failure("UNAVAILABLE", "gone"))


async def refuse_all(double: Cluster) -> None:
    double.faults.add("", refuse(Failure("UNAVAILABLE", "gone")), times=None)
    double.calls.end("", Failure("UNAVAILABLE", "gone"))


async def not_ready(double: Cluster) -> None:
    double.nodes[0].ready = False
    double.calls.end("", Failure("UNAVAILABLE", "Server Is Not Ready"))


async def come_back(double: Cluster) -> None:
    double.faults.clear()
    double.nodes[0].ready = True
    await double.start()


class Shop:
    """A running product, and somebody who buys and looks there."""

    def __init__(self, port: int) -> None:
        self._client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20)
        self.port = port

    async def get(self, path: str) -> httpx.Response:
        return await self._client.get(path, headers={"cookie": signed_in("buyer")})

    async def reserve(self, ticket: str, key: str) -> httpx.Response:
        headers = {"cookie": signed_in("buyer"), "idempotency-key": key}
        return await self._client.post("/api/orders", json={"ticketId": ticket}, headers=headers)

    async def parts(self) -> dict[str, str]:
        """What readiness says of each part."""
        found: dict[str, str] = (await self.get("/readyz")).json()["parts"]
        return found

    async def until(self, holds: Callable[[httpx.Response], Any], path: str) -> httpx.Response:
        """The first answer of which ``holds`` is true."""
        end = time.monotonic() + 40
        while not holds(answer := await self.get(path)):
            assert time.monotonic() < end, f"{path} still says {answer.status_code}: {answer.text}"
            await asyncio.sleep(0.05)
        return answer

    async def close(self) -> None:
        await self._client.aclose()


@pytest.fixture
async def shop(double: Cluster, tmp_path: Path) -> AsyncIterator[Shop]:
    async with serving(tmp_path / "data", "--no-demo", "--store", double.uri()) as port:
        made = Shop(port)
        try:
            yield made
        finally:
            await made.close()


@pytest.mark.parametrize("away", [stop, silence, refuse_all, not_ready])
async def test_a_store_that_is_away_costs_writes_only_and_all_resumes_by_itself(
    double: Cluster, shop: Shop, away: Do
) -> None:
    one, other = await list_tickets(shop.port, 2)
    await shop.until(lambda answer: len(answer.json()) == 2, "/api/tickets")
    await shop.until(lambda answer: answer.status_code == 200, "/readyz")
    await away(double)

    # Nobody need ask for anything for readiness to find out, and lists say how old they are.
    await shop.until(lambda answer: answer.status_code == 503, "/readyz")
    assert "is not followed" in (await shop.parts())["feed"]
    assert (await shop.get("/livez")).status_code == 200
    aged = await shop.until(lambda answer: int(answer.headers.get("admitone-age", 0)) >= 2, "/api/tickets")
    assert (aged.status_code, len(aged.json())) == (200, 2)

    # Writes are answered soon, and all of them: nothing waits for the store behind them.
    began = time.monotonic()
    answers = await asyncio.gather(*(shop.reserve(one, f"key-{number}") for number in range(40)))
    assert {answer.status_code for answer in answers} == {503}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers)
    assert time.monotonic() - began < BOUND

    await come_back(double)
    # No request but for its health is made until it is well again.
    await shop.until(lambda answer: answer.status_code == 200, "/readyz")
    assert (await shop.reserve(other, "afterwards")).status_code == 201
    mine = await shop.until(lambda answer: len(answer.json()) >= 1, "/api/orders")
    assert "admitone-age" not in mine.headers
    assert other in {order["ticket"]["id"] for order in mine.json()}
    sold = [each for each in double.log.records if each.type == "TicketReserved"]
    assert len({each.stream for each in sold}) == len(sold), "no ticket is held twice"


async def test_a_write_that_found_the_store_away_is_done_once_by_its_repeat(
    double: Cluster, shop: Shop
) -> None:
    (ticket,) = await list_tickets(shop.port, 1)
    await double.stop()
    assert (await shop.reserve(ticket, "the-key")).status_code == 503
    await double.start()
    await shop.until(lambda answer: answer.status_code == 200, "/readyz")
    first, second = await shop.reserve(ticket, "the-key"), await shop.reserve(ticket, "the-key")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] == second.json()["id"]
    assert [each.type for each in double.log.records].count("TicketReserved") == 1


async def test_a_call_that_was_given_up_leaves_its_connection_to_nobody(double: Cluster) -> None:
    async with opened(double.uri()) as store:
        await store.append(parking(), facts(1), NO_STREAM)
        first = store._calls._client
        double.faults.add("BatchAppend", refuse(unavailable()), times=None)
        with pytest.raises((StoreUnavailable, OutcomeUnknown)):
            await store.append(parking(), facts(1), NO_STREAM)
        double.faults.clear()
        await asyncio.gather(*(store.append(parking(), facts(1), NO_STREAM) for _ in range(5)))
        second = store._calls._client
        assert second is not first
        await store.append(parking(), facts(1), NO_STREAM)
        assert store._calls._client is second
