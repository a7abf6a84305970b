"""What the embedded store costs, measured by hand: ``python -m tests.store.measure [directory]``.

Not a test: figures belong to the machine. The loop's own CPU time an append is what the product's
target hangs on, since all else of a request runs on the same loop.
"""

import asyncio
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import uvloop

from domain.decider import NO_STREAM, AnyProposed, Metadata, Proposed
from domain.money import Money
from domain.order import OrderPlaced
from domain.ticket import TicketListed, TicketReserved
from gateways.embedded import EmbeddedStore

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
TERMS = ("buyer-1", "ticket-1", "seller-1", "A seat in the front row", Money(1999, "usd"), AT, 3)


def reserved() -> AnyProposed:
    """The event of a hold, as the desk proposes it."""
    metadata = Metadata(str(uuid4()), str(uuid4()), "buyer-1", AT)
    return Proposed(uuid4(), TicketReserved(str(uuid4()), "buyer-1", Money(1999, "usd"), AT), metadata)


def placed() -> AnyProposed:
    """The event of an order, as the desk proposes it."""
    metadata = Metadata(str(uuid4()), str(uuid4()), "buyer-1", AT)
    return Proposed(uuid4(), OrderPlaced(*TERMS), metadata)


async def appends(store: EmbeddedStore, workers: int, each: int) -> None:
    """Reservations as the marketplace makes them: one append behind a listing, one to a new stream."""
    listed = Proposed(uuid4(), TicketListed("seller-1", "A seat", Money(1999, "usd")), reserved().metadata)
    tickets = [[f"ticket-{uuid4()}" for _ in range(each)] for _ in range(workers)]
    work = [[(ticket, reserved(), f"order-{uuid4()}", placed()) for ticket in own] for own in tickets]
    await asyncio.gather(*[store.append(t, [listed], NO_STREAM) for own in tickets for t in own[:30]])
    for own in tickets:
        for ticket in own[30:]:
            await store.append(ticket, [listed], NO_STREAM)
    took: list[float] = []

    async def worker(jobs: list[tuple[str, AnyProposed, str, AnyProposed]]) -> None:
        for ticket, hold, order, place in jobs:
            begun = time.perf_counter()
            await store.append(ticket, [hold], 0)
            await store.append(order, [place], NO_STREAM)
            took.append(time.perf_counter() - begun)

    wall, loop_cpu, cpu = time.perf_counter(), time.thread_time(), time.process_time()
    await asyncio.gather(*map(worker, work))
    wall, loop_cpu, cpu = time.perf_counter() - wall, time.thread_time() - loop_cpu, time.process_time() - cpu
    count = 2 * workers * each
    took.sort()
    print(
        f"{workers:3d} appenders: {count / wall:8,.0f} appends/s; CPU an append: "
        f"loop {loop_cpu / count * 1e6:.1f} us, process {cpu / count * 1e6:.1f} us; a reservation: "
        f"p50 {took[len(took) // 2] * 1e3:.2f} ms, p99 {took[len(took) * 99 // 100] * 1e3:.2f} ms"
    )


async def follow(store: EmbeddedStore) -> None:
    """Catch up over the whole log."""
    head, count, begun, cpu = store.head(), 0, time.perf_counter(), time.thread_time()
    async for batch in store.follow():
        count += len(batch)
        if batch[-1].position >= head:
            break
    wall, cpu = time.perf_counter() - begun, time.thread_time() - cpu
    print(f"follow: {count:,} events, {count / wall:,.0f}/s, CPU an event: loop {cpu / count * 1e6:.2f} us")


async def reads(store: EmbeddedStore, streams: list[str]) -> None:
    """Point reads of short streams."""
    cpu = time.thread_time()
    for stream in streams:
        await store.read(stream)
    print(f"read of one stream: CPU {(time.thread_time() - cpu) / len(streams) * 1e6:.1f} us")


async def main(directory: Path) -> None:
    """All figures on one new log."""
    store = await EmbeddedStore.open(directory / "log.sqlite")
    for workers, each in ((1, 300), (8, 300), (64, 100), (256, 40)):
        await appends(store, workers, each)
    await reads(store, [event.stream for event in await anext(store.follow())])
    await follow(store)
    await store.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as place:
        uvloop.run(main(Path(place)))
