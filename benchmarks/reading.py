"""Reading over HTTP: an order, the catalogue's first page, and how soon a write is to be seen."""

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import msgspec

from benchmarks import shop
from benchmarks.figures import Figure
from benchmarks.load import Answer, Outcome, Script, drive, request
from benchmarks.serving import noop, platform

CONNECTIONS = 64
LISTINGS = 100_000
COMMANDS_A_SECOND = 200
SECONDS = 10
NOOP = "no-op POST, same server, same concurrency"


async def measure(place: Path, *, each: int = 100) -> list[Figure]:
    data = place / "reading"
    data.mkdir(parents=True)
    await shop.stock(data, LISTINGS)
    async with noop(place / "noop.log") as floor, platform(data) as port:
        order = await _place_order(port)
        idle = await drive(floor, [shop.nothing(each) for _ in range(CONNECTIONS)])
        one = await drive(
            port, [shop.read_again(f"/api/orders/{order}", each, 0) for _ in range(CONNECTIONS)]
        )
        page = await drive(
            port, [shop.read_again("/api/tickets?limit=50", each // 4, 0) for _ in range(CONNECTIONS)]
        )
        seen = await _until_seen(port, data)
    return [
        _shared("a signed-in GET of an order", one, idle),
        _shared(f"the first 50 of {LISTINGS:,} listings", page, idle),
        Figure(
            name=f"append to visible at {COMMANDS_A_SECOND} commands a second, p99",
            value=seen.quantile(0.99),
            unit="ms",
            wanted=100.0,
            at_most=True,
            note=f"p50 {seen.quantile(0.5):.1f} ms, of {len(seen.latencies):,}",
        ),
    ]


def _shared(name: str, outcome: Outcome, floor: Outcome) -> Figure:
    note = f"p50 {outcome.quantile(0.5):.1f} ms, p99 {outcome.quantile(0.99):.1f} ms"
    share = outcome.per_second / floor.per_second
    return Figure(name=name, value=outcome.per_second, unit="/s", share=share, floor=NOOP, note=note)


async def _place_order(port: int) -> str:
    placed: list[Answer] = []

    def script() -> Script:
        body = b'{"ticketId":"%s"}' % shop.ticket_id(LISTINGS - 1).encode()
        placed.append((yield request("POST", "/api/orders", body, cookie=shop.cookie(0))))

    await drive(port, [script()])
    order: str = msgspec.json.decode(placed[0].body)["id"]
    return order


async def _until_seen(port: int, data: Path) -> Outcome:
    """Reserve at a steady rate and look, from outside, when each order stands in the read model."""
    (model,) = (data / "read-models").glob("*/orders.sqlite")
    answered: dict[int, float] = {}
    seen: dict[int, float] = {}
    ended = asyncio.Event()
    looking = asyncio.create_task(asyncio.to_thread(_look, model, seen, ended))
    commands = COMMANDS_A_SECOND * SECONDS
    began = time.perf_counter()

    async def command(number: int) -> None:
        await asyncio.sleep(began + number / COMMANDS_A_SECOND - time.perf_counter())

        def script() -> Script:
            body = b'{"ticketId":"%s"}' % shop.ticket_id(number).encode()
            answer = yield request("POST", "/api/orders", body, cookie=shop.cookie(number % 64))
            at = answer.head.lower().split(b"admitone-position: ")[1].split(b"\r\n")[0]
            answered[int(at)] = time.perf_counter()

        await drive(port, [script()])

    await asyncio.gather(*(command(number) for number in range(commands)))
    await asyncio.sleep(1.0)
    ended.set()
    await looking
    latencies = [_first(seen, position) - at for position, at in answered.items()]
    return Outcome(time.perf_counter() - began, latencies, {201: len(answered)})


def _look(model: Path, seen: dict[int, float], ended: asyncio.Event) -> None:
    """Note when the read model's position was first seen to be where it is."""
    with closing(sqlite3.connect(f"{model.absolute().as_uri()}?mode=ro", uri=True)) as reader:
        while not ended.is_set():
            (position,) = reader.execute("SELECT position FROM feed").fetchone()
            seen.setdefault(position, time.perf_counter())
            time.sleep(0.001)


def _first(seen: dict[int, float], position: int) -> float:
    return min(at for shown, at in seen.items() if shown >= position)
