"""EventStoreDB: what the adapter costs beside the bare client, in the same run and on the same server.

The server is the protocol double, in a process of its own, unless ADMITONE_TEST_ESDB names a real node.
The double is written in Python and is itself the bottleneck of the figures per second, so those say
little about a real node; shares and counts of calls do.
"""

import asyncio
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import aclosing, asynccontextmanager
from itertools import count, islice
from pathlib import Path
from typing import Any
from uuid import uuid4

from esdbclient import AsyncEventStoreDBClient, NewEvent, StreamState

from benchmarks import shop
from benchmarks.figures import Figure, median
from benchmarks.load import drive
from benchmarks.serving import platform
from domain.decider import NO_STREAM
from domain.money import Money
from domain.ticket import EditTicket, ListTicket, ticket
from gateways.clock import SystemClock
from gateways.eventstoredb import STREAMS, EventStoreDBStore
from gateways.payments import CardSimulator
from processmanager.desk import Cause, Desk
from processmanager.marketplace import Marketplace, Policy
from processmanager.pump import Pump
from tests.eventstoredb.clients import until
from tests.eventstoredb.cluster import Cluster

IN_FLIGHT = 64
COMMANDS = 1_280
"""Reservations of one round."""
ROUNDS = 5
LONG = 5_000
"""Events of the stream that is read, and about as many of the whole log."""
CPU = "CPU of two bare appends of esdbclient"
READ = "a bare esdbclient read"
STARTING = 30.0
"""Seconds in which the double must have started."""


async def measure(place: Path) -> list[Figure]:
    real = os.environ.get("ADMITONE_TEST_ESDB")
    async with _server(real) as uri:
        where = "a real node" if real else "the protocol double"
        return [
            *await _costs(uri, place / "cards.sqlite", where),
            *await _reading(uri, where),
            *await _over_http(uri, place, where),
            *await _counted(place / "counted.sqlite"),
            await _leader_change(),
        ]


@asynccontextmanager
async def _server(real: str | None) -> AsyncIterator[str]:
    """The address to measure against."""
    if real:
        yield real
        return
    command = [sys.executable, "-m", "tests.eventstoredb", "--port", "0", "--no-projections"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(STARTING):
            async for line in process.stdout:
                if found := re.match(r"Address: (\S+)", line.decode()):
                    break
            else:
                raise RuntimeError("the double did not start")
        yield found.group(1)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


# ── What a command costs the client ───────────────────────────────────────────────────────────────


async def _costs(uri: str, cards: Path, where: str) -> list[Figure]:
    """CPU of this process, all threads: gRPC works in threads of its own."""
    floors, reservations = [], []
    client = AsyncEventStoreDBClient(uri)
    await client.connect()
    async with _house(uri, cards) as (desk, marketplace):
        for number in range(ROUNDS + 1):
            tickets = range(number * COMMANDS, (number + 1) * COMMANDS)
            await shop.fill(desk, tickets)
            bare = await _cpu([_two_appends(client) for _ in tickets])
            own = await _cpu([_reserve(marketplace, each) for each in tickets])
            if number:  # the first round warms both up
                floors.append(bare)
                reservations.append(own)
    await client.close()
    shares = [own / bare for own, bare in zip(reservations, floors, strict=True)]
    return [
        Figure(name=CPU, value=median(floors) * 1e6, unit="µs", note=f"against {where}"),
        Figure(
            name="CPU of a reservation, EventStoreDB",
            value=median(reservations) * 1e6,
            unit="µs",
            share=median(shares),
            floor=CPU,
            wanted=1.3,
            at_most=True,
            note=f"{IN_FLIGHT} in flight, against {where}",
        ),
    ]


@asynccontextmanager
async def _house(uri: str, cards: Path) -> AsyncIterator[tuple[Desk, Marketplace]]:
    store, clock = await EventStoreDBStore.open(uri), SystemClock()
    till = CardSimulator.open(cards)
    desk = Desk(store, clock)
    try:
        yield desk, Marketplace(desk, Pump(desk, till, clock), clock, Policy())
    finally:
        await till.close()
        await store.close()


async def _cpu(work: Iterable[Coroutine[Any, Any, Any]]) -> float:
    """Seconds of CPU for each piece of ``work``."""
    pieces = [*work]
    limit = asyncio.Semaphore(IN_FLIGHT)

    async def one(piece: Coroutine[Any, Any, Any]) -> None:
        async with limit:
            await piece

    began = time.process_time()
    await asyncio.gather(*(one(piece) for piece in pieces))
    return (time.process_time() - began) / len(pieces)


async def _two_appends(client: AsyncEventStoreDBClient) -> None:
    """Two events of a reservation's size, one after the other, each to a stream of its own."""
    for name in ("bare", "other"):
        event = NewEvent("Bare", b'{"a":"%s"}' % (b"x" * 130), b'{"b":"%s"}' % (b"x" * 190))
        await client.append_to_stream(
            f"{name}-{uuid4().hex}", current_version=StreamState.NO_STREAM, events=[event]
        )


def _reserve(marketplace: Marketplace, number: int) -> Coroutine[Any, Any, Any]:
    order = uuid4().hex
    return marketplace.reserve(order, shop.ticket_id(number), "buyer", Cause(order, order, "buyer"))


# ── Reading ───────────────────────────────────────────────────────────────────────────────────────


async def _reading(uri: str, where: str) -> list[Figure]:
    store = await EventStoreDBStore.open(uri)
    client = AsyncEventStoreDBClient(uri)
    await client.connect()
    key = uuid4().hex
    desk, cause = Desk(store, SystemClock()), Cause("bench", "bench", "bench")
    await desk.execute(ticket, key, ListTicket("s", "t", Money(1, "usd")), cause, new=True)
    for number in range(2, LONG + 1):
        await desk.execute(ticket, key, EditTicket("s", "t", Money(number, "usd")), cause)
    stream, end = ticket.stream(key), store.head()

    async def bare_stream() -> int:
        return len(await client.get_stream(stream))

    async def replay() -> int:
        recorded = await store.read(stream, NO_STREAM)
        ticket.fold(ticket.initial, (fact.event for fact in recorded))
        return len(recorded)

    async def bare_log() -> int:
        wanted = [STREAMS]
        found = await client.read_all(filter_include=wanted, filter_by_stream_name=True)
        return sum([1 async for _ in found])

    async def catch_up() -> int:
        seen = 0
        async with aclosing(store.follow(0)) as batches:  # type: ignore[type-var]  # a generator
            async for batch in batches:
                seen += len(batch)
                if batch[-1].position >= end:
                    break
        return seen

    figures = [
        await _compared("replay of one stream, EventStoreDB", replay, bare_stream, where),
        await _compared("catching up with the log, EventStoreDB", catch_up, bare_log, where),
    ]
    await client.close()
    await store.close()
    return figures


async def _compared(
    name: str, own: Callable[[], Awaitable[int]], bare: Callable[[], Awaitable[int]], where: str
) -> Figure:
    rates, shares = [], []
    for _ in range(ROUNDS):
        floor, rate = await _rate(bare), await _rate(own)
        rates.append(rate)
        shares.append(rate / floor)
    return Figure(
        name=name,
        value=median(rates),
        unit="events/s",
        share=median(shares),
        floor=READ,
        wanted=0.8,
        note=f"decoded and folded, against {where}",
    )


async def _rate(work: Callable[[], Awaitable[int]]) -> float:
    began = time.perf_counter()
    return await work() / (time.perf_counter() - began)


# ── Over HTTP ─────────────────────────────────────────────────────────────────────────────────────


async def _over_http(uri: str, place: Path, where: str, *, each: int = 12) -> list[Figure]:
    first = (ROUNDS + 1) * COMMANDS
    stocked = IN_FLIGHT * each * 4
    async with _house(uri, place / "stock.sqlite") as (desk, _):
        await shop.fill(desk, range(first, first + stocked))
    tickets = count(first)
    figures = []
    for workers in (1, 2):
        data = place / f"workers-{workers}"
        data.mkdir(parents=True)
        async with platform(data, workers=workers, store=uri) as port:
            for name, script, requests in (
                ("reservations", shop.reserve_each, 1),
                ("purchases", shop.buy_each, 2),
            ):
                scripts = [script(iter([*islice(tickets, each)]), buyer) for buyer in range(IN_FLIGHT)]
                outcome = await drive(port, scripts)
                figures.append(
                    Figure(
                        name=f"{name} over HTTP, EventStoreDB, {workers} worker{'s'[: workers - 1]}",
                        value=outcome.per_second / requests,
                        unit="/s",
                        note=f"a request: p50 {outcome.quantile(0.5):.1f} ms, "
                        f"p99 {outcome.quantile(0.99):.1f} ms; against {where}",
                    )
                )
    return figures


# ── Counted by the double, so never against a real node ───────────────────────────────────────────


async def _counted(cards: Path) -> list[Figure]:
    """The calls that reach the server, for one command of a process that has seen the ticket."""
    async with Cluster() as double, _house(double.uri(), cards) as (desk, marketplace):
        await shop.fill(desk, [0])
        order = uuid4().hex
        await until(lambda: not double.calls.open())  # an answered call is not over at once
        double.calls.clear()
        cause = Cause(order, order, "buyer")
        await marketplace.reserve(order, shop.ticket_id(0), "buyer", cause)
        reserving = double.calls.count()
        await marketplace.pay(order, uuid4().hex, "buyer", "tok_visa", cause)
        appends = sum(call.method.endswith("Append") for call in double.calls)
        return [
            Figure(
                name="gRPC calls of a reservation, counted",
                value=reserving,
                unit="calls",
                wanted=2,
                at_most=True,
            ),
            Figure(
                name="gRPC appends of a purchase, counted",
                value=appends,
                unit="calls",
                wanted=8,
                at_most=True,
                note=f"and {double.calls.count() - appends} reads",
            ),
        ]


async def _leader_change() -> Figure:
    """From the moment that another node leads until a write is accepted again."""
    took = []
    async with Cluster(3) as double:
        store = await EventStoreDBStore.open(double.cluster_uri())
        desk, cause = Desk(store, SystemClock()), Cause("bench", "bench", "bench")
        for number in range(ROUNDS):
            await shop.fill(desk, [number])
            double.elect(double.nodes[(number + 1) % 3])
            began = time.perf_counter()
            await desk.execute(ticket, uuid4().hex, ListTicket("s", "t", Money(1, "usd")), cause, new=True)
            took.append(time.perf_counter() - began)
        await store.close()
    return Figure(
        name="from a leader change to the next accepted write",
        value=1000 * median(took),
        unit="ms",
        note="against the protocol double, three nodes",
    )
