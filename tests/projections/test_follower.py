"""The follower feeds all read models of a process, and goes on whatever happens to one of them."""

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from domain.decider import AnyRecorded
from domain.money import Money
from domain.ticket import TicketEdited, TicketListed
from projections.agenda import AGENDA
from projections.catalogue import CATALOGUE, Catalogue
from projections.follower import Follower
from projections.held import RetryRule, retry_held
from projections.orders import ORDERS
from projections.outside import dump
from projections.projection import Statement
from projections.read_model import ReadModel
from tests.projections.memory_log import MemoryLog

PRICE = Money(100, "usd")
LISTED = TicketListed("s", "Show", PRICE)


@contextlib.asynccontextmanager
async def following(log: MemoryLog, *models: ReadModel, linger: float = 0.005) -> AsyncIterator[Follower]:
    follower = Follower(log, models, linger=linger)
    task = asyncio.create_task(follower.run())
    try:
        yield follower
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        for model in models:
            model.close()


async def until(condition: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        await asyncio.sleep(0.002)


def tickets(log: MemoryLog, count: int) -> None:
    for _ in range(count):
        log.append(f"ticket-{log.head()}", LISTED)


def total(model: ReadModel) -> int | None:
    return Catalogue(model).for_sale().total


async def test_a_follower_of_an_empty_log_is_ready() -> None:
    async with following(MemoryLog(), ReadModel(CATALOGUE, ":memory:")) as follower:
        await until(lambda: follower.ready)
        assert follower.health() is None


async def test_a_stopped_follower_says_so() -> None:
    model = ReadModel(CATALOGUE, ":memory:")
    async with following(MemoryLog(), model) as follower:
        await until(lambda: follower.ready)
    assert not follower.ready
    assert "not followed" in (follower.health() or "")


async def test_each_model_is_fed_from_where_it_stands(tmp_path: Path) -> None:
    log = MemoryLog()
    tickets(log, 1_200)
    ahead = ReadModel(CATALOGUE, tmp_path / "ahead")
    ahead.feed(log.events[:1000])
    behind = ReadModel(CATALOGUE, tmp_path / "behind")
    async with following(log, ahead, behind) as follower:
        await until(lambda: follower.ready)
        assert total(ahead) == total(behind) == 1_200
        assert dump(ahead) == dump(behind)
        assert [each.behind for each in follower.progress()] == [0, 0]
        assert log.follows == 1


async def test_a_reader_waits_for_what_he_wrote_and_not_longer() -> None:
    log, model = MemoryLog(), ReadModel(CATALOGUE, ":memory:")
    async with following(log, model, linger=5.0) as follower:
        await until(lambda: follower.ready)
        position = log.append("ticket-a", LISTED)
        begun = time.monotonic()
        assert await model.wait(position, timeout=2)
        assert time.monotonic() - begun < 1, "he waited for the linger"
        assert total(model) == 1
        assert await model.wait(position, timeout=0)


async def test_a_reader_who_comes_while_events_are_gathered_is_served_at_once() -> None:
    log, model = MemoryLog(), ReadModel(CATALOGUE, ":memory:")
    async with following(log, model, linger=5.0) as follower:
        await until(lambda: follower.ready)
        position = log.append("ticket-a", LISTED)
        await asyncio.sleep(0.05)
        assert model.position < position
        assert await model.wait(position, timeout=2)


async def test_a_wait_for_what_does_not_come_ends_in_time() -> None:
    log, model = MemoryLog(), ReadModel(CATALOGUE, ":memory:")
    async with following(log, model):
        begun = time.monotonic()
        assert not await model.wait(99, timeout=0.05)
        assert time.monotonic() - begun < 1
        assert not model.awaited


async def test_the_number_of_waiting_readers_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.waiting.MOST", 3)
    model = ReadModel(CATALOGUE, ":memory:")
    waiting = [asyncio.create_task(model.wait(1, timeout=5)) for _ in range(3)]
    await asyncio.sleep(0)
    assert not await model.wait(1, timeout=5)
    log = MemoryLog()
    tickets(log, 1)
    model.feed(log.events)
    assert await asyncio.gather(*waiting) == [True] * 3
    model.close()


async def test_what_is_appended_is_visible_within_a_tenth_of_a_second() -> None:
    log = MemoryLog()
    models = [ReadModel(each, ":memory:") for each in (CATALOGUE, ORDERS, AGENDA)]
    async with following(log, *models, linger=0.008) as follower:
        await until(lambda: follower.ready)
        for _ in range(50):
            begun = time.monotonic()
            tickets(log, 1)
            await until(lambda: models[0].position == log.head())
            assert time.monotonic() - begun < 0.1
            await asyncio.sleep(0.001)


async def test_where_others_share_the_machine_a_busy_feed_leaves_them_their_time() -> None:
    log, model, took, shown = MemoryLog(), ReadModel(CATALOGUE, ":memory:"), 0.01, list[int]()

    def show() -> None:
        shown.append(model.position)
        time.sleep(took)  # what showing it costs, here and in the other processes

    follower = Follower(log, [model], linger=0, share=show)
    task = asyncio.create_task(follower.run())
    await until(lambda: follower.ready)
    begun = time.monotonic()
    while (passed := time.monotonic() - begun) < 0.5:
        tickets(log, 1)
        await asyncio.sleep(0.001)
    times = len({*shown})
    await until(lambda: model.position == log.head())
    task.cancel()
    await asyncio.wait({task})
    model.close()
    assert times * took < passed / 2, "it took the time that others were to have"


async def test_events_are_seen_at_once_and_saved_together_within_a_second_or_so(tmp_path: Path) -> None:
    log, model = MemoryLog(), ReadModel(CATALOGUE, tmp_path / "model")
    async with following(log, model) as follower:
        await until(lambda: follower.ready)
        tickets(log, 40)
        await until(lambda: model.position == 40)
        assert total(model) == 40
        assert model.saved == 0
        await until(lambda: model.saved == 40, seconds=3)


async def test_who_catches_up_saves_as_he_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.feeding.SAVE_EVERY", 1_000)
    log, model = MemoryLog(), ReadModel(CATALOGUE, tmp_path / "model")
    tickets(log, 4_000)
    saved = set[int]()
    async with following(log, model) as follower:
        while not follower.ready:
            saved.add(model.saved)
            await asyncio.sleep(0)
    assert saved >= {1_000, 2_000, 3_000}


async def test_a_stopped_follower_has_saved_what_was_seen(tmp_path: Path) -> None:
    log, model = MemoryLog(), ReadModel(CATALOGUE, tmp_path / "model")
    follower = Follower(log, [model])
    running = asyncio.create_task(follower.run())
    tickets(log, 40)
    assert await model.wait(40, timeout=5)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert model.saved == 40
    model.close()


@pytest.mark.parametrize("how", ["ends", "fails"])
async def test_a_feed_that_stops_is_begun_anew(how: str) -> None:
    log, model = MemoryLog(), ReadModel(CATALOGUE, ":memory:")
    async with following(log, model) as follower:
        await until(lambda: follower.ready)
        if how == "ends":
            log.ends = True
        else:
            log.fails = OSError("the store went away")
        log.wake()
        await until(lambda: not follower.ready)
        assert ("its feed ended" if how == "ends" else "the store went away") in (follower.health() or "")
        position = log.append("ticket-a", LISTED)
        assert await model.wait(position, timeout=5)
        await until(lambda: follower.ready)
        assert log.follows == 2


async def test_a_model_in_trouble_does_not_stop_the_others_and_comes_back(tmp_path: Path) -> None:
    log = MemoryLog()
    troubled, sound = ReadModel(CATALOGUE, tmp_path / "model"), ReadModel(CATALOGUE, ":memory:")
    async with following(log, troubled, sound) as follower:
        await until(lambda: follower.ready)
        intruder = sqlite3.connect(tmp_path / "model", isolation_level=None)
        intruder.execute("BEGIN IMMEDIATE")
        tickets(log, 40)
        await until(lambda: sound.position == 40)
        await until(lambda: "catalogue is set aside" in (follower.health() or ""))
        assert not follower.ready
        tickets(log, 40)
        await until(lambda: sound.position == 80)
        assert troubled.position == 0
        intruder.execute("ROLLBACK")
        intruder.close()
        await until(lambda: follower.ready)
        assert dump(troubled) == dump(sound)


async def test_a_file_that_is_destroyed_while_it_is_used_is_made_again(tmp_path: Path) -> None:
    log, model = MemoryLog(), ReadModel(CATALOGUE, tmp_path / "model")
    tickets(log, 2_000)
    async with following(log, model) as follower:
        await until(lambda: follower.ready and model.saved == 2_000)
        model.checkpoint()
        model.begin_log_anew()
        size = (tmp_path / "model").stat().st_size
        (tmp_path / "model").write_bytes(b"\xff" * size)
        model.rows("PRAGMA shrink_memory")  # what is still in memory would do for long
        tickets(log, 2_000)
        await until(lambda: not follower.ready)
        await until(lambda: follower.ready)
        assert total(model) == 4_000


async def test_a_held_stream_is_tried_again_by_itself() -> None:
    log = MemoryLog()
    poisoned = True

    def apply(recorded: AnyRecorded) -> Iterable[Statement]:
        if poisoned and isinstance(recorded.event, TicketEdited):
            raise ValueError("poison")
        return CATALOGUE.apply(recorded)

    often = RetryRule((0.01,) * 50)
    model = ReadModel(replace(CATALOGUE, apply=apply), ":memory:", retry=often, now=lambda: datetime.now(UTC))
    async with following(log, model) as follower:
        log.append("ticket-a", LISTED, TicketEdited("New", PRICE), TicketEdited("Newer", PRICE))
        tickets(log, 1)
        await until(lambda: model.held)
        await until(lambda: follower.ready)
        assert "holds back 1 streams" in (follower.health() or "")
        assert follower.progress()[0].held == 1
        poisoned = False
        await until(lambda: not model.held)
        assert model.rows("SELECT title FROM ticket WHERE id = 'a'") == [("Newer",)]
        assert follower.health() is None


async def test_an_operators_word_is_heard_within_a_second_or_two(tmp_path: Path) -> None:
    log = MemoryLog()
    poisoned = True

    def apply(recorded: AnyRecorded) -> Iterable[Statement]:
        if poisoned and isinstance(recorded.event, TicketEdited):
            raise ValueError("poison")
        return CATALOGUE.apply(recorded)

    model = ReadModel(replace(CATALOGUE, apply=apply), tmp_path / "model", retry=RetryRule(()))
    async with following(log, model) as follower:
        log.append("ticket-a", LISTED, TicketEdited("New", PRICE))
        await until(lambda: model.held and model.held[0].parked)
        poisoned = False
        await until(lambda: retry_held(tmp_path / "model", "ticket-a"))  # once it is saved
        await until(lambda: not model.held, seconds=3)
        assert model.rows("SELECT title FROM ticket") == [("New",)]
        assert follower.ready


async def test_catching_up_leaves_the_event_loop_its_turns(tmp_path: Path) -> None:
    log = MemoryLog()
    log.events = [
        replace(recorded, stream=f"ticket-{recorded.position}") for recorded in many(LISTED, 30_000)
    ]
    model = ReadModel(CATALOGUE, tmp_path / "model")
    longest = 0.0
    async with following(log, model) as follower:
        while not follower.ready:
            begun = time.thread_time()
            await asyncio.sleep(0)
            longest = max(longest, time.thread_time() - begun)
    assert model.position == 30_000
    # Counted in this thread's own work, so a busy machine does not matter.
    assert longest < 0.05


def many(event: object, count: int) -> list[AnyRecorded]:
    log = MemoryLog()
    log.append("ticket-x", event)
    [first] = log.events
    return [replace(first, position=number + 1) for number in range(count)]
