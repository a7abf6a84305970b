"""Paying through Stripe's SDK: how many purchases, how many at once, whom it holds up, and what a kill costs.

Stripe is the double in a process of its own, on the same machine; without a delay it is itself the
bottleneck. What others wait for is measured at a pace that leaves the server time: at the same time at a
server where many pay and at one where nobody does, beside payments, and beside as many requests that are
none.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import count, islice
from pathlib import Path

import msgspec
import uvloop

from benchmarks import shop
from benchmarks.figures import Figure, median
from benchmarks.load import Outcome, Script, drive, quantile
from benchmarks.serving import kill, platform, platform_process
from benchmarks.turns import first, go_first
from deploy import log_reader
from domain.order import OrderCompleted
from tests.stripe.faults import Fault
from tests.stripe.running import RunningStripe, running_stripe

CONNECTIONS = 64
DELAY = 0.3
"""Seconds that each call to Stripe takes in the slow half."""
ROUNDS = 5
OTHERS = 16
PAUSE = 0.1
"""Seconds between two requests of one of the OTHERS: 160 requests a second of all of them at most."""
AT_ONCE = 128
"""Payments that are begun together, to see how many reach Stripe before any is answered."""
SETTLING = 5.0
"""Seconds in which they must have reached it."""
RESUMED = 30.0
"""Seconds after which a restart that has not resumed its payments is given up."""


async def measure(place: Path, *, each: int = 20) -> list[Figure]:
    """``each``: purchases of one connection in one round."""
    data, quiet, ledger = place / "paying", place / "not-paying", place / "stripe"
    for folder in (data, quiet, ledger):
        folder.mkdir(parents=True)
    await shop.stock(data, 1 + CONNECTIONS * each * (4 * ROUNDS + 1) + AT_ONCE + CONNECTIONS)
    await shop.stock(quiet, 1)
    tickets = count(1)
    async with running_stripe(ledger) as stripe:
        told = {"stripe_secret_key": stripe.key, "stripe_url": stripe.url, "stripe_timeout": "30"}
        async with platform_process(data, more=told) as (port, server):
            # One round is not counted: it warms the server up.
            fast = [await _buy(port, tickets, each) for _ in range(ROUNDS + 1)][1:]
            async with _slow(stripe), platform(quiet, more=told) as elsewhere:
                figures = [
                    *await _beside_another(port, elsewhere, tickets, each),
                    await _beside_payments(port, server.pid, tickets, each),
                ]
            figures.append(await _at_once(port, stripe, tickets))
        figures.append(await _resumed(data, stripe, tickets, told))
    return [_purchases("0 ms", fast), *figures]


# ── How many ──────────────────────────────────────────────────────────────────────────────────────


async def _buy(port: int, tickets: Iterator[int], each: int) -> Outcome:
    scripts = [shop.buy_each(_own(tickets, each), buyer) for buyer in range(CONNECTIONS)]
    return await drive(port, scripts, spread=2 * DELAY)


def _own(tickets: Iterator[int], each: int) -> Iterator[int]:
    return iter([*islice(tickets, each)])


@asynccontextmanager
async def _slow(stripe: RunningStripe) -> AsyncIterator[None]:
    await stripe.control.fault(Fault(operation="*", action="slow", seconds=DELAY, times=None))
    yield
    await stripe.control.clear_faults()


def _purchases(took: str, rounds: list[Outcome], note: str = "") -> Figure:
    rates = [outcome.per_second / 2 for outcome in rounds]
    p50, p99 = (median([outcome.quantile(share) for outcome in rounds]) for share in (0.5, 0.99))
    return Figure(
        name=f"purchases through Stripe's SDK, each call answered after {took}",
        value=median(rates),
        unit="/s",
        note=f"{CONNECTIONS} connections; a request: p50 {p50:.0f} ms, p99 {p99:.0f} ms{note}",
    )


# ── While Stripe is slow ──────────────────────────────────────────────────────────────────────────


async def _look(port: int, tickets: Iterator[int], each: int) -> Outcome:
    """As many requests as ``_buy`` makes while Stripe is slow, at the same pace: two in twice its delay."""
    scripts = [shop.reserve_and_look(_own(tickets, each), buyer) for buyer in range(CONNECTIONS)]
    return await drive(port, scripts, pause=DELAY, spread=2 * DELAY)


async def _beside_another(port: int, elsewhere: int, tickets: Iterator[int], each: int) -> list[Figure]:
    """Purchases, and what readers wait for meanwhile, here and at a server where nobody pays.

    What the readers of the other server wait for is the price of sharing the machine with payments, with
    Stripe's double and with the load; what readers here wait for on top of that is this server's doing.
    """
    rounds: list[Outcome] = []
    here: list[float] = []
    there: list[float] = []
    for _ in range(ROUNDS):
        async with asyncio.TaskGroup() as meanwhile:
            buying = meanwhile.create_task(_buy(port, tickets, each))
            waited = await asyncio.gather(_others(port, 5 * each), _others(elsewhere, 5 * each))
        here += waited[0]
        there += waited[1]
        rounds.append(buying.result())
    return [
        _purchases(f"{DELAY * 1000:.0f} ms", rounds),
        _waiting(
            f"p99 of unrelated requests at a server where {CONNECTIONS} pay",
            here,
            there,
            floor="the same requests at the same time, at a server of this machine where nobody pays",
            note=f"{OTHERS} connections that read a listing and wait {PAUSE * 1000:.0f} ms",
        ),
    ]


async def _beside_payments(port: int, server: int, tickets: Iterator[int], each: int) -> Figure:
    """What readers wait for beside payments, and beside as many requests that are none.

    server: its process; to it and its children the double of Stripe and the load leave the cores, where that
    can be had: they stand for other machines, and the double has nothing to do when nobody pays.
    """
    alone: list[float] = []
    beside: list[float] = []
    without: list[float] = []
    with first(server) as left_alone:
        for _ in range(ROUNDS):
            alone += await _others(port, 3 * each)
            async with asyncio.TaskGroup() as meanwhile:
                meanwhile.create_task(_buy(port, tickets, each))
                beside += await _others(port, 5 * each)
            async with asyncio.TaskGroup() as meanwhile:
                meanwhile.create_task(_look(port, tickets, each))
                without += await _others(port, 5 * each)
    return _waiting(
        "the same, against as many requests that are no payments",
        beside,
        without,
        floor=f"the same, while {CONNECTIONS} reserve and look at the order, {DELAY * 1000:.0f} ms apart",
        note=f"{_p99(beside) / _p99(alone):.2f} of what it is when nobody else is there; Stripe's double and "
        + ("the load run on what the server leaves" if left_alone else "the server take turns on the cores"),
    )


def _waiting(name: str, waited: list[float], otherwise: list[float], *, floor: str, note: str) -> Figure:
    return Figure(
        name=name,
        value=_p99(waited),
        unit="ms",
        share=_p99(waited) / _p99(otherwise),
        floor=floor,
        wanted=1.2,
        at_most=True,
        note=note,
    )


def _p99(waited: list[float]) -> float:
    """In milliseconds, of all rounds together: one alone has too few slow requests to go by."""
    return quantile(waited, 0.99)


async def _others(port: int, each: int) -> list[float]:
    """How long readers wait, in seconds a request. They are a process of their own, as they are people of
    their own: what this one has to do for those who pay is not to be waited for too."""
    run = [sys.executable, "-m", "benchmarks.paying", str(port), str(each)]
    readers = await asyncio.create_subprocess_exec(*run, stdout=asyncio.subprocess.PIPE)
    told, _ = await readers.communicate()
    return msgspec.json.decode(told, type=list[float])


async def _read(port: int, each: int) -> Sequence[float]:
    go_first()
    path = f"/api/tickets/{shop.ticket_id(0)}"
    scripts = [shop.read_again(path, each, buyer) for buyer in range(OTHERS)]
    return (await drive(port, scripts, pause=PAUSE, spread=PAUSE)).latencies


# ── At once ───────────────────────────────────────────────────────────────────────────────────────


async def _at_once(port: int, stripe: RunningStripe, tickets: Iterator[int]) -> Figure:
    """How many payments of one process wait for Stripe together, when Stripe answers none."""
    paying = await _held(port, stripe, "payment_intents.create", AT_ONCE, tickets)
    with suppress(TimeoutError):
        async with asyncio.timeout(SETTLING):
            await stripe.control.until_struck(AT_ONCE)
    together = (await stripe.control.faults())[0].struck
    await stripe.control.clear_faults()
    await paying
    return Figure(
        name="payments of one process that wait for Stripe at once",
        value=together,
        unit="in flight",
        wanted=64,
        note=f"of {AT_ONCE} that were begun together, before Stripe answered any",
    )


async def _held(
    port: int, stripe: RunningStripe, operation: str, payments: int, tickets: Iterator[int]
) -> asyncio.Task[Outcome]:
    """Begin so many payments together, of which Stripe answers none at this step."""
    orders: list[str] = []
    numbers = _own(tickets, payments)
    await drive(port, [shop.reserve_into(orders, numbers, 0)])
    await stripe.control.fault(Fault(operation=operation, action="hold", times=None))
    scripts: list[Script] = [shop.pay(order, 0) for order in orders]
    return asyncio.create_task(drive(port, scripts))


# ── After a kill ──────────────────────────────────────────────────────────────────────────────────


async def _resumed(data: Path, stripe: RunningStripe, tickets: Iterator[int], told: dict[str, str]) -> Figure:
    """From the start of a process whose predecessor was killed while 64 payments waited to be captured, until
    all of these orders are complete."""
    log = data / "log.sqlite"
    async with platform_process(data, more=told) as (port, process):
        paying = await _held(port, stripe, "payment_intents.capture", CONNECTIONS, tickets)
        await stripe.control.until_struck(CONNECTIONS)
        kill(process)
        with suppress(ConnectionError):
            await paying
    head = log_reader.head(log)
    await stripe.control.clear_faults()
    began = time.perf_counter()
    async with platform(data, more=told), asyncio.timeout(RESUMED):
        completed = 0
        async for fact in log_reader.facts(log, after=head, follow=True):
            completed += isinstance(fact.event, OrderCompleted)
            if completed == CONNECTIONS:
                break
        took = time.perf_counter() - began
    return Figure(
        name=f"restart to {CONNECTIONS} interrupted payments resumed",
        value=took,
        unit="s",
        wanted=5,
        at_most=True,
        note="from the start of the process, killed before the capture, until all are complete",
    )


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(_read(*map(int, sys.argv[1:])))))
