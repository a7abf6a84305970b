"""Several processes on one log: each sees all, none overtakes another, and none waits for ever."""

import asyncio
import os
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Barrier
from time import monotonic
from typing import Any

import pytest

from domain.decider import NO_STREAM, AnyRecorded
from gateways import embedded as embedded_store
from gateways.embedded import EmbeddedStore
from gateways.embedded_file import open_to_write
from tests.store import worker
from tests.store.contract import event

KILLS = int(os.environ.get("ADMITONE_TEST_KILLS", "20"))
"""How many processes are killed in the middle of appending. 1,000 take about five minutes."""


def reports(pipe: Connection, limit: float = 30.0) -> list[Any]:
    """All that a process reported, up to its end or its kill."""
    found: list[Any] = []
    give_up = monotonic() + limit
    while monotonic() < give_up and pipe.poll(max(0.0, give_up - monotonic())):
        try:
            report = pipe.recv()
        except (EOFError, ConnectionError):
            return found
        if report is None:
            return found
        found.append(report)
    pytest.fail("the process neither reported nor ended in time")


def run_together(work: worker.Work, path: Path, names: Sequence[str]) -> list[list[Any]]:
    """Do ``work`` in one process a name, all at the same time, and give what each reported."""
    with ExitStack() as running:
        pipes = [running.enter_context(worker.started(work, path, name))[1] for name in names]
        return [reports(pipe) for pipe in pipes]


async def follow(store: EmbeddedStore, count: int) -> list[AnyRecorded]:
    found: list[AnyRecorded] = []
    async with asyncio.timeout(30):
        async for batch in store.follow():
            found.extend(batch)
            if len(found) >= count:
                break
    return found


async def test_a_follower_sees_the_appends_of_all_processes_in_one_order(path: Path) -> None:
    store = await EmbeddedStore.open(path)
    following = asyncio.create_task(follow(store, 1_200))
    await asyncio.to_thread(run_together, worker.append_own, path, ["a", "b"])
    found = await following
    assert [one.position for one in found] == list(range(1, 1_201))
    assert len({one.stream for one in found}) == 600
    for first, second in zip(found[::2], found[1::2], strict=True):
        assert (first.stream, first.revision, second.revision) == (second.stream, 0, 1)
    await store.close()


async def test_a_process_s_own_appends_are_seen_without_polling(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_store, "POLL", 3_600)
    store = await EmbeddedStore.open(path)
    following = store.follow()
    for number in range(5):
        waiting = asyncio.ensure_future(anext(following))
        await store.append(f"parking-{number}", [event()], NO_STREAM)
        (seen,) = await asyncio.wait_for(waiting, 5)
        assert seen.stream == f"parking-{number}"
    await store.close()


async def test_another_process_is_seen_within_a_tenth_of_a_second(path: Path) -> None:
    here, there = await EmbeddedStore.open(path), await EmbeddedStore.open(path)
    following = here.follow()
    took: list[float] = []
    for number in range(20):
        waiting = asyncio.ensure_future(anext(following))
        await asyncio.sleep(0.001 * number)
        begun = monotonic()
        await there.append(f"parking-{number}", [event()], NO_STREAM)
        (seen,) = await asyncio.wait_for(waiting, 5)
        took.append(monotonic() - begun)
        assert seen.stream == f"parking-{number}"
    assert sorted(took)[10] < 0.1
    await here.close()
    await there.close()


async def test_processes_that_contend_for_a_stream_all_get_in_without_gaps(path: Path) -> None:
    run_together(worker.contend, path, ["a", "b", "c"])
    store = await EmbeddedStore.open(path)
    found = await store.read("parking-contended")
    assert [one.revision for one in found] == list(range(300))
    assert sorted(one.event.by for one in found) == sorted(f"{p}-{n}" for p in "abc" for n in range(100))
    await store.close()


async def test_each_of_many_streams_is_begun_by_one_process_only(path: Path) -> None:
    won = run_together(worker.sell_once, path, ["a", "b", "c"])
    assert sorted(number for own in won for number in own) == list(range(50))


async def test_processes_may_make_the_log_at_the_same_time(path: Path) -> None:
    assert run_together(worker.open_only, path, [str(n) for n in range(6)]) == [[]] * 6
    store = await EmbeddedStore.open(path)
    assert store.head() == 6
    await store.close()


def test_whoever_finds_a_log_half_made_by_another_waits_for_it(tmp_path: Path) -> None:
    """As many processes do that start at the same moment, so one hundred times over."""
    together = Barrier(4)

    def make(log: int) -> None:
        together.wait(10)
        open_to_write(tmp_path / f"{log}.sqlite").close()

    with ThreadPoolExecutor(4) as pool:
        for log in range(100):
            for made in [pool.submit(make, log) for _ in range(4)]:
                made.result(20)


@pytest.mark.timeout(60 + 2 * KILLS)
async def test_nothing_that_was_answered_is_lost_when_a_process_is_killed(path: Path) -> None:
    """The log is the same for all kills, so each begins where the last one was cut off."""
    chance = random.Random(7)
    answered = 0
    for kill in range(KILLS):
        with worker.started(worker.append_for_ever, path, str(kill)) as (process, pipe):
            assert pipe.poll(30)
            await asyncio.sleep(chance.uniform(0, 0.05))
            process.kill()
            done = reports(pipe)
        store = await EmbeddedStore.open(path)
        for stream, expected, ids in done:
            assert [one.id for one in (await store.read(stream, expected))[:2]] == ids
        for number in range(8):  # what was not answered is there as a whole, or not at all
            assert len(await store.read(f"parking-{kill}-{number}")) % 2 == 0
        answered += len(done)
        await store.close()
    assert answered > KILLS


async def test_a_process_that_is_killed_does_not_keep_the_others_waiting(path: Path) -> None:
    store = await EmbeddedStore.open(path)
    with worker.started(worker.append_for_ever, path, "doomed") as (process, pipe):
        assert pipe.poll(30)
        alive = [await store.append(f"parking-{n}", [event()], NO_STREAM) for n in range(20)]
        process.kill()
        process.join()
        begun = monotonic()
        after = await store.append("parking-after", [event()], NO_STREAM)
        assert monotonic() - begun < 2
    assert after > alive[-1]
    await store.close()
