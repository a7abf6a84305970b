"""Appends that share a commit: what one of them suffers is no other's, and each is told the truth."""

import asyncio
import os
import resource
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from domain.decider import NO_STREAM
from gateways import embedded_file, embedded_writer
from gateways.embedded import EmbeddedStore
from processmanager.ports import OutcomeUnknown, StoreUnavailable, WrongRevision
from tests.store.contract import event, events


def connection(store: EmbeddedStore) -> sqlite3.Connection:
    """The writer's connection, to do to it what a disk does."""
    found = store._writer._connection
    assert found is not None
    return found


async def becomes_true(condition: Callable[[], bool]) -> None:
    for _ in range(2_000):
        if condition():
            return
        await asyncio.sleep(0.005)
    pytest.fail("it has not become true within ten seconds")


# ── One commit for many ───────────────────────────────────────────────────────────────────────────


async def test_appends_that_wait_share_a_commit(embedded: EmbeddedStore) -> None:
    statements: list[str] = []
    connection(embedded).set_trace_callback(statements.append)
    streams = [f"parking-{number}" for number in range(100)]
    positions = await asyncio.gather(*[embedded.append(one, [event()], NO_STREAM) for one in streams])
    assert positions == list(range(1, 101))
    assert statements.count("COMMIT") == 1


async def test_a_refused_append_harms_no_other_of_its_batch(embedded: EmbeddedStore) -> None:
    await embedded.append("parking-taken", events(2), NO_STREAM)
    outcomes = await asyncio.gather(
        embedded.append("parking-1", events(2), NO_STREAM),
        embedded.append("parking-taken", events(3), NO_STREAM),
        embedded.append("parking-2", events(2), NO_STREAM),
        embedded.append("parking-3", events(2), 4),
        embedded.append("parking-taken", events(1), 1),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [int, WrongRevision, int, WrongRevision, int]
    assert [outcomes[0], outcomes[2], outcomes[4]] == [4, 6, 7]  # and the positions have no gap


async def test_a_commit_is_on_the_disk_before_it_is_answered(embedded: EmbeddedStore) -> None:
    """No kill of a process can show this, only the loss of power. 2 is FULL: an fsync each commit."""
    assert connection(embedded).execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection(embedded).execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_a_batch_of_refusals_alone_costs_no_commit(embedded: EmbeddedStore) -> None:
    await embedded.append("parking-1", [event()], NO_STREAM)
    statements: list[str] = []
    connection(embedded).set_trace_callback(statements.append)
    contenders = [embedded.append("parking-1", [event()], NO_STREAM) for _ in range(64)]
    outcomes = await asyncio.gather(*contenders, return_exceptions=True)
    assert all(isinstance(outcome, WrongRevision) for outcome in outcomes)
    assert "COMMIT" not in statements


# ── Waiters that go away ──────────────────────────────────────────────────────────────────────────


async def test_an_append_whose_waiter_left_before_it_began_is_not_written(embedded: EmbeddedStore) -> None:
    tasks = [asyncio.create_task(embedded.append(f"parking-{n}", [event()], NO_STREAM)) for n in range(3)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert [len(await embedded.read(f"parking-{n}")) for n in range(3)] == [1, 0, 1]


async def test_a_waiter_that_leaves_during_the_commit_breaks_nothing(embedded: EmbeddedStore) -> None:
    async with busy_disk(embedded) as under_way:
        tasks = [asyncio.create_task(embedded.append(f"parking-{n}", [event()], NO_STREAM)) for n in range(3)]
        await under_way()
        tasks[1].cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [int, asyncio.CancelledError, int]
    assert await embedded.append("parking-1", [event()], 0) == 4


@asynccontextmanager
async def busy_disk(store: EmbeddedStore) -> AsyncIterator[Callable[[], asyncio.Future[None]]]:
    """No commit comes to an end inside this block. Yields a way to wait until one is under way."""
    released = threading.Event()
    held = store._writer._thread.call(released.wait)
    try:
        yield lambda: asyncio.ensure_future(becomes_true(lambda: connection(store).in_transaction))
    finally:
        released.set()
        await held


# ── Disks that are full, fail, or hang ────────────────────────────────────────────────────────────


async def test_a_full_disk_refuses_appends_until_there_is_room_again(embedded: EmbeddedStore) -> None:
    await embedded.append("parking-1", [event()], NO_STREAM)
    (pages,) = connection(embedded).execute("PRAGMA page_count").fetchone()
    connection(embedded).execute(f"PRAGMA max_page_count={pages}")
    large = [event("x" * 5_000) for _ in range(3)]
    outcomes = await asyncio.gather(
        *[embedded.append(f"parking-{n}", large, NO_STREAM) for n in (2, 3)], return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [StoreUnavailable, StoreUnavailable]
    assert "the disk is full" in str(outcomes[0])
    assert "the disk is full" in (embedded.health() or "")
    assert len(await embedded.read("parking-1")) == 1
    assert not await embedded.read("parking-2")

    connection(embedded).execute("PRAGMA max_page_count=1000000")
    assert await embedded.append("parking-2", large, NO_STREAM) == 4
    assert embedded.health() is None


async def test_a_log_whose_mark_cannot_be_written_goes_on(embedded: EmbeddedStore) -> None:
    """The mark only helps to notice a loss, so a disk without room for it is no reason to stop."""
    read_only = os.open(os.devnull, os.O_RDONLY)
    os.dup2(read_only, embedded._mark._file)
    os.close(read_only)
    assert await embedded.append("parking-1", [event()], NO_STREAM) == 1
    assert await embedded.append("parking-2", [event()], NO_STREAM) == 2
    assert embedded.health() is None


@contextmanager
def no_file_grows_beyond(size: int) -> Iterator[None]:
    """The kernel refuses every write behind ``size`` bytes of a file: to SQLite a failing disk."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


async def test_a_failing_disk_leaves_an_unknown_outcome_that_a_repeat_settles(
    embedded: EmbeddedStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_writer, "REOPEN_PAUSE", 60)
    await embedded.append("parking-1", events(3), NO_STREAM)
    batch = [event("x" * 20_000)]
    with no_file_grows_beyond(path.with_name("log.sqlite-wal").stat().st_size):
        with pytest.raises(OutcomeUnknown):
            await embedded.append("parking-2", batch, NO_STREAM)
        assert embedded.health() is not None
        with pytest.raises(StoreUnavailable):  # the connection was given up
            await embedded.append("parking-3", [event()], NO_STREAM)
        assert len(await embedded.read("parking-1")) == 3
    monkeypatch.setattr(embedded_writer, "REOPEN_PAUSE", 0.05)
    await becomes_true(lambda: embedded.health() is None)  # without anybody asking
    position = await embedded.append("parking-2", batch, NO_STREAM)
    assert await embedded.append("parking-2", batch, NO_STREAM) == position
    assert [one.id for one in await embedded.read("parking-2")] == [batch[0].id]


async def test_every_append_is_answered_within_the_deadline_though_the_disk_hangs(
    embedded: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_writer, "DEADLINE", 0.2)
    batch = [event()]
    async with busy_disk(embedded) as under_way:
        first = asyncio.create_task(embedded.append("parking-1", batch, NO_STREAM))
        await under_way()
        second = asyncio.create_task(embedded.append("parking-2", batch, NO_STREAM))
        outcomes = await asyncio.wait_for(asyncio.gather(first, second, return_exceptions=True), 2)
        assert [type(outcome) for outcome in outcomes] == [OutcomeUnknown, StoreUnavailable]
        assert "under way" in (embedded.health() or "")
    assert await embedded.append("parking-1", batch, NO_STREAM) == 1
    assert not await embedded.read("parking-2")
    assert embedded.health() is None


async def test_a_queue_that_is_full_refuses_at_once(
    embedded: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_writer, "MOST_WAITING", 3)
    async with busy_disk(embedded) as under_way:
        tasks = [asyncio.create_task(embedded.append("parking-0", [event()], NO_STREAM))]
        await under_way()
        tasks += [
            asyncio.create_task(embedded.append(f"parking-{n}", [event()], NO_STREAM)) for n in (1, 2, 3)
        ]
        await asyncio.sleep(0)
        with pytest.raises(StoreUnavailable, match="waiting already"):
            await embedded.append("parking-4", [event()], NO_STREAM)
    assert await asyncio.gather(*tasks) == [1, 2, 3, 4]


# ── Somebody else holds the lock ──────────────────────────────────────────────────────────────────


async def test_the_event_loop_runs_on_while_another_process_writes(
    embedded: EmbeddedStore, path: Path
) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(embedded.append("parking-1", [event()], NO_STREAM))
    longest, last = 0.0, asyncio.get_running_loop().time()
    for _ in range(100):
        await asyncio.sleep(0.002)
        now = asyncio.get_running_loop().time()
        longest, last = max(longest, now - last), now
    assert not waiting.done()
    other.execute("COMMIT")
    other.close()
    assert await asyncio.wait_for(waiting, 2) == 1
    assert longest < 0.15


async def test_a_lock_that_is_never_given_back_ends_in_a_clear_refusal(
    embedded: EmbeddedStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_file, "LOCK_WAIT", 0.1)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="another process"):
        await embedded.append("parking-1", [event()], NO_STREAM)
    other.execute("ROLLBACK")
    other.close()
    assert await embedded.append("parking-1", [event()], NO_STREAM) == 1
    assert embedded.health() is None


# ── The end ───────────────────────────────────────────────────────────────────────────────────────


async def test_what_was_accepted_before_closing_is_committed(path: Path) -> None:
    store = await EmbeddedStore.open(path)
    tasks = [asyncio.create_task(store.append(f"parking-{n}", [event()], NO_STREAM)) for n in range(300)]
    await asyncio.sleep(0)
    await store.close()
    assert sorted(await asyncio.gather(*tasks)) == list(range(1, 301))
    again = await EmbeddedStore.open(path)
    assert again.head() == 300
    await again.close()


def commit_threads_beside(others: set[threading.Thread]) -> list[threading.Thread]:
    """The store's own: other tests of this process may have theirs."""
    return [each for each in threading.enumerate() if each.name == "log-commit" and each not in others]


async def test_a_closed_store_leaves_no_thread_and_can_be_closed_again(path: Path) -> None:
    others = {*threading.enumerate()}
    store = await EmbeddedStore.open(path)
    assert commit_threads_beside(others)
    await store.append("parking-1", [event()], NO_STREAM)
    await store.close()
    await store.close()
    assert store.health() == "the log is closed"
    await becomes_true(lambda: not commit_threads_beside(others))
    assert not path.with_name("log.sqlite-wal").exists()


async def test_the_write_ahead_log_does_not_grow_without_end(embedded: EmbeddedStore, path: Path) -> None:
    for n in range(60):
        await asyncio.gather(*[embedded.append(f"parking-{n}-{m}", events(10), NO_STREAM) for m in range(20)])
    assert path.with_name("log.sqlite-wal").stat().st_size < 8 * 1024 * 1024
