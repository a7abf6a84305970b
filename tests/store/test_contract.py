"""The contract of the store port. The numbers are those of the EventStoreDB contract checklist."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from domain.decider import NO_STREAM, AnyProposed, AnyRecorded, Metadata, Proposed
from domain.money import Money
from domain.order import OrderPlaced
from domain.ticket import TicketDelisted
from processmanager.ports import EventStore, StoreUnavailable, WrongRevision
from tests.eventstoredb.clients import until
from tests.store.contract import AT, STORES, event, events


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[EventStore]:
    async with STORES[request.param](tmp_path) as opened:
        yield opened


async def collect(store: EventStore, after: int, count: int) -> list[AnyRecorded]:
    """The next ``count`` events of the log, or what there is after ten seconds."""
    found: list[AnyRecorded] = []

    async def listen() -> None:
        async for batch in store.follow(after):
            assert 0 < len(batch) <= 500
            found.extend(batch)
            if len(found) >= count:
                return

    await asyncio.wait_for(listen(), 10)
    return found


def ids(proposed: Sequence[AnyProposed]) -> list[object]:
    return [one.id for one in proposed]


async def log(store: EventStore) -> list[AnyRecorded]:
    """All that is in the log, up to a mark that is appended for the purpose."""
    end = await store.append(f"parking-end-{uuid4()}", [event("end")], NO_STREAM)
    found: list[AnyRecorded] = []
    async for batch in store.follow():
        found.extend(batch)
        if found[-1].position >= end:
            break
    return found[:-1]


# ── Append, positions, metadata ───────────────────────────────────────────────────────────────────


async def test_08_13_14_what_is_appended_to_a_new_stream_reads_back_at_revision_0(store: EventStore) -> None:
    """Nothing of it is changed, the metadata and its time least of all."""
    terms = OrderPlaced("b", "t", "s", "Zwölf Sitze – ☕", Money(1999, "usd"), AT + timedelta(minutes=15), 4)
    traced = Metadata("request-7", "command-9", "buyer-3", AT, traceparent="00-abc-def-01")
    proposed = Proposed(uuid4(), terms, traced)
    position = await store.append("order-1", [proposed], NO_STREAM)
    (found,) = await store.read("order-1")
    assert (found.stream, found.revision, found.position) == ("order-1", 0, position)
    assert (found.id, found.event, found.metadata) == (proposed.id, proposed.event, proposed.metadata)


async def test_09_a_batch_follows_its_stream_in_order(store: EventStore) -> None:
    """And the position that comes back is the last event's."""
    await store.append("parking-1", events(3), NO_STREAM)
    more = events(4)
    position = await store.append("parking-1", more, 2)
    found = await store.read("parking-1")
    assert [one.revision for one in found] == [0, 1, 2, 3, 4, 5, 6]
    assert [one.id for one in found[3:]] == ids(more)
    assert found[-1].position == position


async def test_10_a_later_append_has_a_greater_position(store: EventStore) -> None:
    first = await store.append("parking-1", [event()], NO_STREAM)
    second = await store.append("parking-2", [event()], NO_STREAM)
    assert second > first


async def test_11_nothing_comes_between_the_events_of_one_append(store: EventStore) -> None:
    batches = {f"parking-{number}": events(5) for number in range(20)}
    await asyncio.gather(*[store.append(stream, batch, NO_STREAM) for stream, batch in batches.items()])
    found = await log(store)
    assert [one.position for one in found] == sorted({one.position for one in found})
    for number in range(0, len(found), 5):
        together = found[number : number + 5]
        assert {one.stream for one in together} == {together[0].stream}
        assert [one.id for one in together] == ids(batches[together[0].stream])


async def test_15_an_event_that_says_nothing_more_than_its_name_is_kept(store: EventStore) -> None:
    await store.append("ticket-1", [Proposed(uuid4(), TicketDelisted(), event().metadata)], NO_STREAM)
    (found,) = await store.read("ticket-1")
    assert found.event == TicketDelisted()


@pytest.mark.parametrize(
    "stream", ["ticket-Straße", "ticket-東京", "ticket-a b\tc", "ticket-☕", "ticket-'; --"]
)
async def test_16_any_letters_may_stand_in_a_stream_s_name(store: EventStore, stream: str) -> None:
    await store.append(stream, [event()], NO_STREAM)
    (found,) = await store.read(stream)
    assert found.stream == stream


async def test_18_a_large_batch_is_there_as_a_whole(store: EventStore) -> None:
    many = events(500)
    await store.append("parking-1", many, NO_STREAM)
    assert [one.id for one in await store.read("parking-1")] == ids(many)


async def test_19_appending_nothing_where_it_could_be_appended_succeeds(store: EventStore) -> None:
    position = await store.append("parking-1", events(2), NO_STREAM)
    assert await store.append("parking-1", [], 1) == position
    await store.append("parking-2", [], NO_STREAM)
    assert len(await store.read("parking-1")) == 2
    assert not await store.read("parking-2")


# ── Expected revisions ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("expected", [0, 7, NO_STREAM], ids=["behind", "ahead", "no-stream"])
@pytest.mark.parametrize("count", [0, 1, 3])
async def test_20_21_23_a_wrong_expectation_is_refused_and_nothing_is_written(
    store: EventStore, expected: int, count: int
) -> None:
    await store.append("parking-1", events(3), NO_STREAM)
    before = await store.read("parking-1")
    with pytest.raises(WrongRevision):
        await store.append("parking-1", events(count), expected)
    assert await store.read("parking-1") == before


@pytest.mark.parametrize("expected", [0, 1, 2**62, 2**70])
async def test_22_a_stream_that_does_not_exist_is_at_no_revision(store: EventStore, expected: int) -> None:
    """So that there are no gaps."""
    with pytest.raises(WrongRevision):
        await store.append("parking-1", [event()], expected)
    assert not await store.read("parking-1")


async def test_27_of_many_who_expect_the_same_revision_one_succeeds(store: EventStore) -> None:
    await store.append("parking-1", [event()], NO_STREAM)
    contenders = [store.append("parking-1", [event(str(n))], 0) for n in range(20)]
    outcomes = await asyncio.gather(*contenders, return_exceptions=True)
    assert sum(isinstance(one, int) for one in outcomes) == 1
    assert sum(isinstance(one, WrongRevision) for one in outcomes) == 19
    assert len(await store.read("parking-1")) == 2


async def test_28_whoever_reads_again_and_retries_gets_in_exactly_once(store: EventStore) -> None:

    async def insist(name: str) -> None:
        while True:
            seen = await store.read("parking-1")
            try:
                await store.append("parking-1", [event(name)], len(seen) - 1)
            except WrongRevision:
                continue
            return

    async with asyncio.timeout(20):
        await asyncio.gather(*[insist(f"task-{n}") for n in range(20)])
    found = await store.read("parking-1")
    assert [one.revision for one in found] == list(range(20))
    assert {one.event.by for one in found} == {f"task-{n}" for n in range(20)}


# ── Repeats ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("expected", [NO_STREAM, 1], ids=["no-stream", "exact"])
async def test_29_30_31_a_repeated_append_succeeds_and_writes_nothing(
    store: EventStore, expected: int
) -> None:
    """Also when the stream has grown since."""
    await store.append("parking-1", events(expected + 1), NO_STREAM)
    batch = events(3)
    position = await store.append("parking-1", batch, expected)
    assert await store.append("parking-1", batch, expected) == position
    await store.append("parking-1", events(10), expected + 3)
    assert await store.append("parking-1", batch, expected) == position
    assert len(await store.read("parking-1")) == expected + 14


async def test_the_same_append_twice_at_once_is_one_append(store: EventStore) -> None:
    batch = events(2)
    positions = await asyncio.gather(*[store.append("parking-1", batch, NO_STREAM) for _ in range(5)])
    assert len(set(positions)) == 1
    assert len(await store.read("parking-1")) == 2


async def test_32_the_beginning_of_an_earlier_append_is_a_repeat_too(store: EventStore) -> None:
    """With the position of the last event that was repeated."""
    batch = events(3)
    await store.append("parking-1", batch, NO_STREAM)
    position = await store.append("parking-1", batch[:2], NO_STREAM)
    assert position == (await store.read("parking-1"))[1].position


@pytest.mark.parametrize("kept", [[0, 1, None], [None, 1], [0, None], [1, 0]], ids=str)
async def test_33_34_an_append_that_is_only_partly_there_is_refused(
    store: EventStore, kept: list[int | None]
) -> None:
    """33, 34: ``kept`` says which events of the first append come again, and in which places."""
    batch = events(2)
    await store.append("parking-1", batch, NO_STREAM)
    with pytest.raises(WrongRevision):
        await store.append("parking-1", [event() if n is None else batch[n] for n in kept], NO_STREAM)
    assert [one.id for one in await store.read("parking-1")] == ids(batch)


async def test_37_an_id_counts_in_its_own_stream_only(store: EventStore) -> None:
    once = event()
    await store.append("parking-1", [once], NO_STREAM)
    await store.append("parking-2", [once], NO_STREAM)
    assert [one.id for one in await store.read("parking-2")] == [once.id]


# ── Reading ───────────────────────────────────────────────────────────────────────────────────────


async def test_55_a_stream_that_does_not_exist_is_empty(store: EventStore) -> None:
    assert not await store.read("parking-1")
    assert not await store.read("parking-1", 5)


@pytest.mark.parametrize(("after", "revisions"), [(-1, [0, 1, 2, 3, 4]), (1, [2, 3, 4]), (4, []), (99, [])])
async def test_56_57_reading_begins_behind_the_revision_that_is_given(
    store: EventStore, after: int, revisions: list[int]
) -> None:
    await store.append("parking-1", events(5), NO_STREAM)
    assert [one.revision for one in await store.read("parking-1", after)] == revisions


async def test_58_a_stream_longer_than_any_page_is_read_whole(store: EventStore) -> None:
    many = events(1_000)
    await store.append("parking-1", many[:700], NO_STREAM)
    await store.append("parking-1", many[700:], 699)
    found = await store.read("parking-1")
    assert [one.revision for one in found] == list(range(1_000))
    assert [one.id for one in found] == ids(many)


# ── Following ─────────────────────────────────────────────────────────────────────────────────────


async def test_67_a_follower_gets_what_is_there_and_then_what_comes(store: EventStore) -> None:
    await store.append("parking-1", events(3), NO_STREAM)
    following = asyncio.create_task(collect(store, 0, 5))
    await asyncio.sleep(0)
    await store.append("parking-2", events(2), NO_STREAM)
    found = await following
    assert [(one.stream, one.revision) for one in found] == [
        *[("parking-1", revision) for revision in range(3)],
        *[("parking-2", revision) for revision in range(2)],
    ]


async def test_68_69_a_follower_begins_behind_the_position_that_is_given(store: EventStore) -> None:
    await store.append("parking-1", events(3), NO_STREAM)
    second = (await store.read("parking-1"))[1].position
    found = await collect(store, second, 1)
    assert [one.revision for one in found] == [2]


async def test_70_a_follower_from_the_end_gets_none_of_the_older_events(store: EventStore) -> None:
    head = await store.append("parking-1", events(3), NO_STREAM)
    following = asyncio.create_task(collect(store, head, 1))
    await asyncio.sleep(0)
    await store.append("parking-1", [event("new")], 2)
    assert [one.event.by for one in await following] == ["new"]


async def test_71_an_empty_log_can_be_followed(store: EventStore) -> None:
    following = asyncio.create_task(collect(store, 0, 1))
    await asyncio.sleep(0)
    await store.append("parking-1", [event()], NO_STREAM)
    assert [one.stream for one in await following] == ["parking-1"]


async def test_72_a_follower_misses_and_repeats_nothing_while_others_write(store: EventStore) -> None:
    following = asyncio.create_task(collect(store, 0, 2_000))

    async def write(stream: str) -> None:
        for revision in range(-1, 99):
            await store.append(stream, [event()], revision)

    await asyncio.gather(*[write(f"parking-{number}") for number in range(20)])
    found = await following
    assert [one.position for one in found] == sorted({one.position for one in found})
    for number in range(20):
        own = [one.revision for one in found if one.stream == f"parking-{number}"]
        assert own == list(range(100))


async def test_84_a_slow_follower_loses_nothing(store: EventStore) -> None:
    seen: list[AnyRecorded] = []

    async def dawdle() -> None:
        async for batch in store.follow():
            seen.extend(batch)
            await asyncio.sleep(0.01)
            if len(seen) >= 5_000:
                return

    slow = asyncio.create_task(dawdle())
    for number in range(50):
        await store.append(f"parking-{number}", events(100), NO_STREAM)
    await asyncio.wait_for(slow, 20)
    assert len(seen) == 5_000
    assert len({one.position for one in seen}) == 5_000


async def test_83_a_follower_that_is_cancelled_ends_as_cancelled(store: EventStore) -> None:
    await store.append("parking-1", events(3), NO_STREAM)
    for patience in range(5):
        following = asyncio.create_task(collect(store, 0, 99))
        for _ in range(patience * 5):
            await asyncio.sleep(0)
        following.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(following, 5)


async def test_85_an_append_waits_for_none_of_a_hundred_and_twenty_followers(store: EventStore) -> None:
    followers = [asyncio.create_task(collect(store, 0, 2)) for _ in range(120)]
    await store.append("parking-1", [event()], NO_STREAM)
    await store.append("parking-1", [event()], 0)
    for follower in followers:
        assert [one.revision for one in await follower] == [0, 1]


async def test_a_follower_sees_what_a_reader_sees(store: EventStore) -> None:
    await store.append("parking-1", events(3), NO_STREAM)
    assert await collect(store, 0, 3) == list(await store.read("parking-1"))


# ── Many at once, and the end ─────────────────────────────────────────────────────────────────────


async def test_109_appends_to_different_streams_do_not_disturb_each_other(store: EventStore) -> None:
    streams = [f"parking-{number}" for number in range(50)]
    await asyncio.gather(*[store.append(stream, [event()], NO_STREAM) for stream in streams])
    assert sorted(one.stream for one in await log(store)) == sorted(streams)


async def test_a_reader_sees_what_its_own_append_wrote(store: EventStore) -> None:
    for revision in range(-1, 49):
        await store.append("parking-1", [event()], revision)
        assert (await store.read("parking-1", revision))[0].revision == revision + 1


@pytest.mark.parametrize("name", STORES)
async def test_111_a_closed_store_says_so_and_leaves_nothing_running(name: str, tmp_path: Path) -> None:
    before = asyncio.all_tasks()
    async with STORES[name](tmp_path) as store:
        await store.append("parking-1", [event()], NO_STREAM)
        following = asyncio.create_task(collect(store, 0, 2))
        await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable):
        await following
    await until(lambda: asyncio.all_tasks() == before)
    with pytest.raises(StoreUnavailable):
        await store.append("parking-1", [event()], 0)
    with pytest.raises(StoreUnavailable):
        await store.read("parking-1")
    with pytest.raises(StoreUnavailable):
        await anext(store.follow())
