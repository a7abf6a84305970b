"""The past: folding, proving, exporting, rebuilding, backing up and restoring a long log, as shares of a
raw read of the same log by the store's own driver with every event decoded by msgspec.

Each is the command that an operator gives, in a process of its own from its start to its end, so that its
memory can be told too.
"""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from random import Random
from typing import TypeVar

from msgspec import Struct, json

from benchmarks import history, shop
from benchmarks.figures import Figure, median, megabytes
from benchmarks.load import Script, drive, request
from benchmarks.serving import platform
from deploy import log_reader
from domain.deciders import DECIDERS
from domain.ids import derived_id
from domain.money import Money
from domain.ticket import EditTicket, ListTicket, ticket
from gateways.clock import SystemClock
from gateways.embedded import EmbeddedStore
from processmanager.archive import END
from processmanager.desk import Cause, Desk

T = TypeVar("T")

SHORT, LONG = 200_000, 2_000_000
FLOOR = "raw read of the log and msgspec decoding alone"
MEMORY = 300
"""Megabytes that nothing may need, however long the log is."""
ASKED = 50
"""Questions of each kind about the past."""
STREAM = 20_000
"""Events of the one stream that is folded."""
AGAIN = 20
"""Times that it is, so that it takes as long as a moment of the machine's."""


class Run(Struct, frozen=True):
    """What a command took: seconds, and megabytes at most of the largest of its processes."""

    seconds: float
    megabytes: int


class Task(Struct, frozen=True):
    """name: of the figure. words: of the command. wanted: the least share of the floor.

    In the words DATA stands for the log's directory and OUT for a place that is empty at first.
    """

    name: str
    words: str
    wanted: float | None = None


TASKS = (
    Task("proof of the whole log: verify-log", "verify-log --data DATA", 0.5),
    Task("export of the events to Parquet", "export --data DATA --out OUT/events.parquet", 0.3),
    Task("backup, compressed", "backup OUT/backup --data DATA"),
    Task("restore from that backup", "restore OUT/backup --data OUT/restored"),
)
REBUILD = Task("rebuild of the catalogue beside the serving one", "rebuild catalogue --yes --data DATA", 0.3)


async def measure(place: Path, *, short: int = SHORT, long: int = LONG) -> list[Figure]:
    if short >= long:
        raise ValueError("a short log is shorter than a long one")
    small, large = place / "past-short", place / "past-long"
    for data, events in ((small, short), (large, long)):
        data.mkdir(parents=True)
        await history.write(data, events)
    floor = Floor(large)
    figures = [await _one_stream(place / "stream.sqlite", floor), _whole_log(small, large, floor)]
    figures += _commands(place, small, large, short, long, floor)
    figures += await _as_of(large, long, floor)
    note = f"{long:,} events, read {len(floor.rates)} times: before and after each of the others"
    return [Figure(name=FLOOR, value=median(floor.rates), unit="events/s", note=note), *figures]


# ── The floor, and folding ────────────────────────────────────────────────────────────────────────


class Floor:
    """The raw read, measured anew beside everything that is compared with it: machines have their moods.

    rates: events a second, each time.
    """

    def __init__(self, data: Path) -> None:
        self._log = data / "log.sqlite"
        self._decoders = {
            event.__name__: json.Decoder(event).decode for decider in DECIDERS for event in decider.events
        }
        self.rates: list[float] = []

    def beside(self, run: Callable[[], T]) -> tuple[T, float]:
        """What a run gives, and the floor around it: events a second."""
        if not self.rates:
            self._read()  # the first one finds nothing in memory
            self.rates.clear()
        self._read()
        found = run()
        self._read()
        return found, sum(self.rates[-2:]) / 2

    def _read(self) -> None:
        began, count, decoders = time.perf_counter(), 0, self._decoders
        with closing(sqlite3.connect(self._log)) as connection:
            for _, _, _, topic, state, *_ in connection.execute("SELECT * FROM stored_events ORDER BY rowid"):
                decoders[topic](state)
                count += 1
        self.rates.append(count / (time.perf_counter() - began))


async def _one_stream(path: Path, floor: Floor) -> Figure:
    store = await EmbeddedStore.open(path)
    desk, cause = Desk(store, SystemClock()), Cause("bench", "bench", "bench")
    await desk.execute(ticket, "long", ListTicket("s", "t", Money(1, "usd")), cause)
    for number in range(2, STREAM + 1):
        await desk.execute(ticket, "long", EditTicket("s", "t", Money(number, "usd")), cause)
    await store.close()
    rate, beside = await asyncio.to_thread(floor.beside, lambda: asyncio.run(_fold_one(path)))
    name = f"replay of a stream of {STREAM:,} events into its state"
    return Figure(name=name, value=rate, unit="events/s", share=rate / beside, floor=FLOOR, wanted=0.5)


async def _fold_one(path: Path) -> float:
    began = time.perf_counter()
    for _ in range(AGAIN):
        await log_reader.state(path, ticket, "long", END)
    return AGAIN * STREAM / (time.perf_counter() - began)


class Folded(Struct, frozen=True):
    """events: a second. megabytes: at most, and before the first event was read."""

    events: float
    megabytes: int
    before: int


def _whole_log(small: Path, large: Path, floor: Floor) -> Figure:
    """Every stream folded: in a process of its own, for its memory."""
    tenth = _folded(small)
    whole, beside = floor.beside(lambda: _folded(large))
    return Figure(
        name="replay of the whole log into all states",
        value=whole.events,
        unit="events/s",
        share=whole.events / beside,
        floor=FLOOR,
        wanted=0.5,
        note=f"{whole.megabytes} MB at most, {whole.before} MB before; "
        f"{whole.events / tenth.events:.2f} of the rate of a tenth of the log",
    )


def _folded(data: Path) -> Folded:
    run = [sys.executable, "-m", "benchmarks.past", str(data)]
    return json.decode(subprocess.run(run, check=True, capture_output=True).stdout, type=Folded)


async def _fold(data: Path) -> Folded:
    log = data / "log.sqlite"
    head, before, began = log_reader.head(log), megabytes(), time.perf_counter()
    async for _ in log_reader.states(log, DECIDERS, END):
        pass  # some thousand states at a time
    return Folded(head / (time.perf_counter() - began), megabytes(), before)


# ── Commands ──────────────────────────────────────────────────────────────────────────────────────


def _commands(place: Path, small: Path, large: Path, short: int, long: int, floor: Floor) -> list[Figure]:
    few, many = place / "out-short", place / "out-long"
    few.mkdir()
    many.mkdir()
    try:
        figures = []
        for task in TASKS:
            tenth = short / _run(task, small, few).seconds
            whole, beside = floor.beside(partial(_run, task, large, many))
            figures.append(_figure(task, whole, long / whole.seconds, tenth, beside))
        return figures
    finally:
        shutil.rmtree(few)
        shutil.rmtree(many)


def _run(task: Task, data: Path, out: Path) -> Run:
    """Run ``admitone`` to its end."""
    words = [word.replace("DATA", str(data)).replace("OUT", str(out)) for word in task.words.split()]
    command = [str(Path(sys.executable).with_name("admitone")), *words]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    took = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    return Run(took, used.ru_maxrss // 1024)


def _figure(task: Task, run: Run, rate: float, tenth: float, floor: float) -> Figure:
    """rate, tenth: events a second of the whole log, and of a tenth of it."""
    return Figure(
        name=task.name,
        value=rate,
        unit="events/s",
        share=rate / floor,
        floor=FLOOR,
        wanted=task.wanted,
        note=f"{run.megabytes} MB at most in one process (≤ {MEMORY}); "
        f"{rate / tenth:.2f} of the rate of a tenth of the log",
    )


# ── As of ─────────────────────────────────────────────────────────────────────────────────────────


async def _as_of(data: Path, events: int, floor: Floor) -> list[Figure]:
    """Asked over HTTP, one question at a time; the read models are made first."""
    began = time.perf_counter()
    async with platform(data):
        took = time.perf_counter() - began
    rebuilt, beside = floor.beside(lambda: _run(REBUILD, data, data))
    figures = [
        Figure(name="all read models made, from start to ready", value=events / took, unit="events/s"),
        Figure(
            name=REBUILD.name,
            value=events / rebuilt.seconds,
            unit="events/s",
            share=events / rebuilt.seconds / beside,
            floor=FLOOR,
            wanted=REBUILD.wanted,
            note=f"{rebuilt.megabytes} MB at most (≤ {MEMORY}); compared row by row too",
        ),
    ]
    rng = Random(7)
    async with platform(data) as port:
        orders = [_order(rng.randrange(1, events // 20)) for _ in range(ASKED)]
        found = await drive(port, [_each(orders, events)])
        far = await drive(port, [_lists([events // 2])])
        near = await drive(port, [_lists(range(events // 2 + 1, events // 2 + ASKED))])
    return [
        *figures,
        _asked("one order as of a position", found.quantile(0.5), 20.0),
        _asked("a list as of a position half the log ago", far.quantile(1.0), 2_000.0),
        _asked("the same list, asked again near it", near.quantile(0.5), 100.0),
    ]


def _asked(name: str, milliseconds: float, wanted: float) -> Figure:
    return Figure(name=name, value=milliseconds, unit="ms", wanted=wanted, at_most=True, note="over HTTP")


def _order(number: int) -> tuple[str, str]:
    """The order of the listing ``number``, if it was asked for, and its buyer."""
    number -= number % 10
    return derived_id("past", "o", str(number)), derived_id("past", "buyer", str(number % history.BUYERS))


def _each(orders: Sequence[tuple[str, str]], position: int) -> Script:
    for order, buyer in orders:
        answer = yield request("GET", f"/api/orders/{order}?asOf={position}", cookie=shop.cookie_of(buyer))
        shop.expect(answer, 200)


def _lists(positions: Sequence[int]) -> Script:
    for position in positions:
        answer = yield request("GET", f"/api/tickets?limit=50&asOf={position}")
        shop.expect(answer, 200)


if __name__ == "__main__":
    print(json.encode(asyncio.run(_fold(Path(sys.argv[1])))).decode())
