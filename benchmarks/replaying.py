"""The log itself: folding it into states, feeding it into a read model, starting with a long past."""

import asyncio
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from benchmarks import history
from benchmarks.figures import Figure, megabytes
from benchmarks.serving import platform
from deploy import log_reader
from deploy.memory import settle
from domain.deciders import DECIDERS
from domain.money import Money
from domain.ticket import EditTicket, ListTicket, ticket
from gateways.clock import SystemClock
from gateways.embedded import EmbeddedStore
from processmanager.archive import END
from processmanager.desk import Cause, Desk
from projections.catalogue import CATALOGUE
from projections.follower import Follower
from projections.read_model import ReadModel

RAW = "reading the rows by sqlite3 alone"
EVENTS = 1_000_000
LONG_STREAM = 10_000
READY = 2.0


async def measure(place: Path, *, events: int = EVENTS, tell: Callable[[str], None] = print) -> list[Figure]:
    data = place / "replaying"
    data.mkdir(parents=True)
    tell(f"writing a log of {events:,} events")
    await history.write(data, events)
    raw = _read_raw(data)
    figures = [
        Figure(name=RAW, value=raw, unit="events/s"),
        await _one_stream(data / "stream.sqlite"),
        await _whole_log(data, raw),
        await asyncio.to_thread(_project_apart, data, raw, events),
    ]
    tell("starting on that log")
    return [*figures, await _start(data)]


def _read_raw(data: Path) -> float:
    """Every column of every event in log order, as the store's own driver gives them."""
    began = time.perf_counter()
    with closing(sqlite3.connect(data / "log.sqlite")) as connection:
        count = sum(1 for _ in connection.execute("SELECT * FROM stored_events ORDER BY rowid"))
    return count / (time.perf_counter() - began)


async def _one_stream(path: Path) -> Figure:
    store = await EmbeddedStore.open(path)
    desk, cause = Desk(store, SystemClock()), Cause("bench", "bench", "bench")
    await desk.execute(ticket, "long", ListTicket("s", "t", Money(1, "usd")), cause)
    for number in range(2, LONG_STREAM + 1):
        await desk.execute(ticket, "long", EditTicket("s", "t", Money(number, "usd")), cause)
    await store.close()
    began = time.perf_counter()
    await log_reader.state(path, ticket, "long", END)
    took = time.perf_counter() - began
    return Figure(
        name=f"replay of one stream of {LONG_STREAM:,} events", value=LONG_STREAM / took, unit="events/s"
    )


async def _whole_log(data: Path, raw: float) -> Figure:
    """Every stream of the log, folded to its state."""
    log = data / "log.sqlite"
    began = time.perf_counter()
    states = 0
    async for part in log_reader.states(log, DECIDERS, END):
        states += len(part)
    rate = log_reader.head(log) / (time.perf_counter() - began)
    return Figure(
        name=f"replay of the whole log into {states:,} states",
        value=rate,
        unit="events/s",
        share=rate / raw,
        floor=RAW,
    )


def _project_apart(data: Path, raw: float, events: int) -> Figure:
    """In a process of its own, so that its memory can be told from ours."""
    run = [sys.executable, "-m", "benchmarks.replaying", str(data)]
    rate, before, after = subprocess.run(run, check=True, capture_output=True, text=True).stdout.split()
    return Figure(
        name=f"projection of {events:,} events into the catalogue",
        value=float(rate),
        unit="events/s",
        wanted=100_000,
        note=f"{float(rate) / raw:.2f} of the raw read; memory {before} MB before, {after} MB at most",
    )


async def _project(data: Path) -> None:
    store = await EmbeddedStore.open(data / "log.sqlite")
    model = ReadModel(CATALOGUE, data / "catalogue.sqlite")
    follower = Follower(store, [model])
    settle()  # as the projector does
    before, began = megabytes(), time.perf_counter()
    running = asyncio.create_task(follower.run())
    while not follower.ready:  # noqa: ASYNC110 - polled, so that measuring adds nothing to what is measured
        await asyncio.sleep(0.005)
    rate = store.head() / (time.perf_counter() - began)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    model.close()
    await store.close()
    print(round(rate), before, megabytes())


async def _start(data: Path) -> Figure:
    """Once to make the read models, then again with them at hand."""
    async with platform(data):
        pass
    began = time.perf_counter()
    async with platform(data):
        took = time.perf_counter() - began
    return Figure(
        name="from start to ready, a million events in the log and read models at hand",
        value=took,
        unit="s",
        wanted=READY,
        at_most=True,
    )


if __name__ == "__main__":
    asyncio.run(_project(Path(sys.argv[1])))
