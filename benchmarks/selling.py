"""Selling over HTTP: reservations, purchases and a crowd at one ticket, as shares of the no-op."""

from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

from benchmarks import shop
from benchmarks.figures import Figure, median
from benchmarks.load import Outcome, drive
from benchmarks.serving import noop, platform

CONNECTIONS = 64
ROUNDS = 5
NOOP = "no-op POST, same server, same concurrency"


async def measure(place: Path, *, each: int = 100) -> list[Figure]:
    """``each``: requests of one connection in one round."""
    data = place / "selling"
    data.mkdir(parents=True)
    await shop.stock(data, CONNECTIONS * each * (ROUNDS + 1) * 2)
    tickets = count(1)
    floors: list[Outcome] = []
    takings: list[Outcome] = []
    buyings: list[Outcome] = []
    crowds: list[Outcome] = []
    async with noop(place / "noop.log") as floor, platform(data) as port:
        # One round is not counted: it warms both servers up.
        for number in range(ROUNDS + 1):
            rounds = (
                await drive(floor, [shop.nothing(each) for _ in range(CONNECTIONS)]),
                await drive(port, [shop.reserve_each(_own(tickets, each), b) for b in range(CONNECTIONS)]),
                await drive(port, [shop.buy_each(_own(tickets, each // 4), b) for b in range(CONNECTIONS)]),
                await drive(port, [shop.contend(0, each, buyer) for buyer in range(CONNECTIONS)]),
            )
            if number:
                for kept, outcome in zip((floors, takings, buyings, crowds), rounds, strict=True):
                    kept.append(outcome)
    return [
        Figure(name=NOOP, value=_rate(floors), unit="/s", note=_latency(floors)),
        _shared("durable reservations", takings, floors, wanted=0.5),
        _shared("complete purchases (reserve and pay)", buyings, floors, requests=2),
        _shared("refusals of 64 contenders for one ticket", crowds, floors, wanted=0.6),
    ]


def _own(tickets: Iterator[int], each: int) -> Iterator[int]:
    return iter(list(islice(tickets, each)))


def _rate(outcomes: list[Outcome], requests: int = 1) -> float:
    return median([outcome.per_second / requests for outcome in outcomes])


def _latency(outcomes: list[Outcome]) -> str:
    p50, p99 = (median([outcome.quantile(share) for outcome in outcomes]) for share in (0.5, 0.99))
    return f"a request: p50 {p50:.1f} ms, p99 {p99:.1f} ms"


def _shared(
    name: str,
    outcomes: list[Outcome],
    floors: list[Outcome],
    *,
    wanted: float | None = None,
    requests: int = 1,
) -> Figure:
    shares = [
        outcome.per_second / requests / floor.per_second
        for outcome, floor in zip(outcomes, floors, strict=True)
    ]
    return Figure(
        name=name,
        value=_rate(outcomes, requests),
        unit="/s",
        share=median(shares),
        floor=NOOP,
        wanted=wanted,
        note=_latency(outcomes),
    )
