"""The checklist, 86 to 104: persistent subscriptions, as the double and the bare clients treat them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from esdbclient import StreamState
from esdbclient.exceptions import (
    AlreadyExists,
    EventStoreDBClientException,
    MaximumSubscriptionsReached,
    NotFound,
)

from tests.eventstoredb.answers import Failure, unavailable
from tests.eventstoredb.clients import connected, event, events, fresh, ids, listed, numbers, take, until
from tests.eventstoredb.cluster import Cluster
from tests.eventstoredb.faults import repeat

ANY = StreamState.ANY
GROUP = "pumps"


async def _add(client: Any, stream: str, count: int = 1) -> list[Any]:
    batch = events(count)
    await client.append_to_stream(stream, current_version=ANY, events=batch)
    return ids(batch)


async def _group(client: Any, count: int = 3, **settings: Any) -> str:
    """A stream of some events and a group on it."""
    stream = fresh()
    await client.append_to_stream(stream, current_version=ANY, events=events(count))
    await client.create_subscription_to_stream(GROUP, stream, **settings)
    return stream


@asynccontextmanager
async def _reading(client: Any, stream: str, **more: Any) -> AsyncIterator[Any]:
    # Acknowledgements are sent at once, so that tests need not wait for the client's batches of them.
    reader = await client.read_subscription_to_stream(GROUP, stream, max_ack_batch_size=1, **more)
    try:
        yield reader
    finally:
        await reader.stop()


async def _info(client: Any, stream: str) -> Any:
    return await client.get_subscription_info(GROUP, stream)


async def _ack(reader: Any, *read: Any) -> None:
    for one in read:
        await reader.ack(one)


async def test_86_each_event_comes_once_when_it_is_acknowledged(client: Any) -> None:
    stream = await _group(client)
    async with _reading(client, stream) as reader:
        read = await take(reader, 3)
        await _ack(reader, *read)
        (late,) = await _add(client, stream)
        (next_,) = await take(reader, 1)
    assert numbers(read) == [0, 1, 2]
    assert {one.retry_count for one in read} == {0}
    assert next_.id == late


async def test_87_groups_are_made_once_and_must_exist(client: Any) -> None:
    stream = await _group(client)
    with pytest.raises(AlreadyExists):
        await client.create_subscription_to_stream(GROUP, stream)
    missing = fresh()
    for doing in (
        client.read_subscription_to_stream(GROUP, missing),
        client.update_subscription_to_stream(GROUP, missing, max_retry_count=1),
        client.delete_subscription(GROUP, missing),
        client.replay_parked_events(GROUP, missing),
        client.get_subscription_info(GROUP, missing),
    ):
        with pytest.raises(NotFound):
            await doing
    assert await client.list_subscriptions_to_stream(missing) == []


async def test_88_what_is_handed_back_comes_again(client: Any) -> None:
    stream = await _group(client, 1)
    async with _reading(client, stream) as reader:
        (first,) = await take(reader, 1)
        await reader.nack(first, "retry")
        (second,) = await take(reader, 1)
    assert (second.id, second.retry_count) == (first.id, 1)


async def test_89_after_too_many_retries_an_event_is_parked(client: Any) -> None:
    stream = await _group(client, 1, max_retry_count=2)
    async with _reading(client, stream) as reader:
        for retries in range(3):
            (one,) = await take(reader, 1)
            assert one.retry_count == retries
            await reader.nack(one, "retry")
        (late,) = await _add(client, stream)
        assert ids(await take(reader, 1)) == [late]
        assert (await _info(client, stream)).parked_message_count == 1


async def test_90_parked_events_can_be_seen_and_replayed(client: Any) -> None:
    stream = await _group(client, 1)
    async with _reading(client, stream) as reader:
        (one,) = await take(reader, 1)
        await reader.nack(one, "park")
        (late,) = await _add(client, stream)
        assert ids(await take(reader, 1)) == [late]
        parked = f"$persistentsubscription-{stream}::{GROUP}-parked"
        assert ids(await client.get_stream(parked, resolve_links=True)) == [one.id]
        await client.replay_parked_events(GROUP, stream)
        (again,) = await take(reader, 1)
        assert (again.id, again.retry_count) == (one.id, 0)
        assert again.link is not None
        assert again.ack_id == again.link.id
        await reader.ack(again)
        assert (await _info(client, stream)).parked_message_count == 0


@pytest.mark.parametrize("action", ["skip", "stop"])
async def test_91_what_is_skipped_never_comes_again(client: Any, action: str) -> None:
    stream = await _group(client, 2)
    async with _reading(client, stream) as reader:
        first, second = await take(reader, 2)
        await reader.nack(first, action)
        await reader.ack(second)
        (late,) = await _add(client, stream)
        assert ids(await take(reader, 1)) == [late]
        assert (await _info(client, stream)).parked_message_count == 0


async def test_92_what_is_not_acknowledged_in_time_comes_again(client: Any) -> None:
    stream = await _group(client, 1, message_timeout=0.5)
    async with _reading(client, stream) as reader:
        first, again = await take(reader, 2)
    assert first.id == again.id
    assert again.retry_count >= 1


async def test_93_what_a_reader_leaves_behind_goes_to_another(client: Any) -> None:
    stream = await _group(client, 3)
    leaver = await client.read_subscription_to_stream(GROUP, stream)
    left = await take(leaver, 3)
    async with _reading(client, stream) as reader:
        await leaver.stop()
        read = await take(reader, 3)
    assert ids(read) == ids(left)
    assert {one.retry_count for one in read} == {1}


async def test_94_a_full_group_takes_no_further_reader(client: Any) -> None:
    stream = await _group(client, max_subscriber_count=1)
    async with _reading(client, stream):
        with pytest.raises(MaximumSubscriptionsReached):
            await client.read_subscription_to_stream(GROUP, stream)


async def test_95_a_reader_gets_no_more_than_it_can_hold(kind: str, double: Cluster) -> None:
    async with connected(kind, double.uri()) as client:
        stream = await _group(client, 20)
        async with _reading(client, stream, event_buffer_size=5) as reader:
            read = await take(reader, 5)
            (call,) = double.calls.open("PersistentSubscriptions/Read")
            await _info(client, stream)
            assert call.answers == 1 + 5
            await reader.ack(read[0])
            assert numbers(await take(reader, 1)) == [5]


async def test_95_no_more_is_under_way_than_a_reader_can_hold(client: Any) -> None:
    stream = await _group(client, 20)
    async with _reading(client, stream, event_buffer_size=5) as reader:
        read = await take(reader, 5)
        assert (await _info(client, stream)).total_in_flight_messages == 5
        await reader.ack(read[0])
        assert numbers(await take(reader, 1)) == [5]


async def test_96_two_readers_take_turns(client: Any) -> None:
    stream = await _group(client, 0, consumer_strategy="RoundRobin")
    async with _reading(client, stream) as one, _reading(client, stream) as two:
        written = await _add(client, stream, 100)
        halves = await asyncio.gather(take(one, 50), take(two, 50))
        await _ack(one, *halves[0])
        await _ack(two, *halves[1])
    assert sorted(ids(halves[0]) + ids(halves[1])) == sorted(written)


@pytest.mark.parametrize("strategy", ["Pinned", "PinnedByCorrelation"])
async def test_97_what_belongs_together_goes_to_one_reader(kind: str, double: Cluster, strategy: str) -> None:
    async with connected(kind, double.uri()) as client:
        category = fresh().replace("-", "")
        source = f"$ce-{category}"
        settings = {"consumer_strategy": strategy, "resolve_links": True}
        await client.create_subscription_to_stream(GROUP, source, **settings)
        seen: dict[int, list[Any]] = {0: [], 1: []}

        async def read(number: int, reader: Any) -> None:
            async for one in reader:
                seen[number].append(one)
                await reader.ack(one)

        async with _reading(client, source) as one, _reading(client, source) as two:
            readers = [asyncio.create_task(read(0, one)), asyncio.create_task(read(1, two))]
            for _ in range(10):
                for number in range(10):
                    correlated = event(metadata=b'{"$correlationId":"%d"}' % (number // 2))
                    stream = f"{category}-{number}"
                    await client.append_to_stream(stream, current_version=ANY, events=[correlated])
            await until(lambda: len(seen[0]) + len(seen[1]) == 100)
        await asyncio.gather(*readers, return_exceptions=True)
        keys = [{_key(one, strategy) for one in seen[number]} for number in (0, 1)]
        assert not keys[0] & keys[1]


@pytest.mark.parametrize("strategy", ["Pinned", "PinnedByCorrelation"])
async def test_97_what_belongs_together_in_the_log_goes_to_one_reader(client: Any, strategy: str) -> None:
    category, group = fresh().replace("-", ""), fresh("group")
    ours = {"filter_include": [f"{category}-.*"], "filter_by_stream_name": True}
    before = await client.get_commit_position()
    settings = {"consumer_strategy": strategy, "commit_position": before, **ours}
    await client.create_subscription_to_all(group, **settings)
    readers = [await client.read_subscription_to_all(group, max_ack_batch_size=1) for _ in range(2)]
    for _ in range(10):
        for number in range(10):
            one = event(metadata=b'{"$correlationId":"%d"}' % (number // 2))
            await client.append_to_stream(f"{category}-{number}", current_version=ANY, events=[one])
    seen: list[list[Any]] = [[], []]

    async def read(number: int) -> None:
        async for one in readers[number]:
            seen[number].append(one)
            await readers[number].ack(one)

    tasks = [asyncio.create_task(read(number)) for number in (0, 1)]
    await until(lambda: len(seen[0]) + len(seen[1]) == 100)
    for reader in readers:
        await reader.stop()
    await asyncio.gather(*tasks, return_exceptions=True)
    await client.delete_subscription(group)
    keys = [{_key(one, strategy) for one in seen[number]} for number in (0, 1)]
    assert not keys[0] & keys[1]


def _key(one: Any, strategy: str) -> Any:
    return one.metadata if strategy == "PinnedByCorrelation" else one.stream_name


async def test_98_a_group_on_the_log_gets_what_matches(client: Any) -> None:
    mark, group = fresh("mark"), fresh("group")
    before = await client.get_commit_position()
    await client.create_subscription_to_all(
        group,
        commit_position=before,
        filter_include=[f"{mark}.*"],
        filter_by_stream_name=True,
    )
    reader = await client.read_subscription_to_all(group)
    await _add(client, fresh(), 3)
    wanted = await _add(client, mark, 2)
    await _add(client, fresh(), 3)
    wanted += await _add(client, mark, 1)
    assert ids(await take(reader, 3)) == wanted
    await reader.stop()
    await client.delete_subscription(group)


async def test_99_a_group_from_the_end_gets_what_is_new(client: Any) -> None:
    stream = await _group(client, 3, from_end=True)
    async with _reading(client, stream) as reader:
        new = await _add(client, stream)
        assert ids(await take(reader, 1)) == new


async def test_100_a_group_that_is_deleted_drops_its_readers(client: Any) -> None:
    stream = await _group(client, 1)
    async with _reading(client, stream) as reader:
        await take(reader, 1)
        await client.delete_subscription(GROUP, stream)
        with pytest.raises(EventStoreDBClientException):
            await listed(reader)


async def test_101_changed_settings_hold_and_drop_the_readers(client: Any) -> None:
    stream = await _group(client, 1)
    async with _reading(client, stream) as reader:
        await take(reader, 1)
        await client.update_subscription_to_stream(GROUP, stream, max_retry_count=7, message_timeout=5)
        with pytest.raises(EventStoreDBClientException):
            await listed(reader)
    info = await _info(client, stream)
    assert (info.max_retry_count, info.message_timeout) == (7, 5.0)


async def test_102_after_a_checkpoint_a_group_goes_on_behind_it(kind: str, double: Cluster) -> None:
    async with connected(kind, double.uri()) as client:
        stream = await _group(client, 10, max_checkpoint_count=5)
        async with _reading(client, stream) as reader:
            await _ack(reader, *(await take(reader, 10))[:7])
            await until(lambda: f"$persistentsubscription-{stream}::{GROUP}-checkpoint" in double.log.streams)
        await double.restart()
        info = await _info(client, stream)
        behind = int(info.last_checkpointed_event_position) + 1
        async with _reading(client, stream) as reader:
            assert numbers(await take(reader, 10 - behind)) == list(range(behind, 10))
        assert 5 <= behind <= 7


async def test_102_what_a_reader_did_not_acknowledge_comes_again_when_he_is_back(client: Any) -> None:
    stream = await _group(client, 10)
    async with _reading(client, stream) as reader:
        await _ack(reader, *(await take(reader, 10))[:7])
    async with _reading(client, stream) as reader:
        seen: set[int] = set()
        while not {7, 8, 9} <= seen:
            (one,) = await take(reader, 1)
            await _ack(reader, one)
            seen.add(one.stream_position)


async def test_103_an_event_can_be_delivered_twice(kind: str, double: Cluster) -> None:
    async with connected(kind, double.uri()) as client:
        stream = await _group(client, 2)
        double.faults.add("PersistentSubscriptions/Read", repeat())
        async with _reading(client, stream) as reader:
            assert numbers(await take(reader, 4)) == [0, 0, 1, 1]


async def test_104_what_was_not_acknowledged_comes_again_after_the_connection_broke(
    kind: str, double: Cluster
) -> None:
    async with connected(kind, double.uri()) as client:
        stream = await _group(client, 1)
        reader = await client.read_subscription_to_stream(GROUP, stream)
        (one,) = await take(reader, 1)
        double.calls.end("PersistentSubscriptions/Read", unavailable())
        with pytest.raises(EventStoreDBClientException):
            await listed(reader)
        async with _reading(client, stream) as again:
            assert ids(await take(again, 1)) == [one.id]


async def test_a_group_can_end_in_silence(kind: str, double: Cluster) -> None:
    async with connected(kind, double.uri()) as client:
        stream = await _group(client, 1)
        async with _reading(client, stream) as reader:
            await take(reader, 1)
            double.calls.end("PersistentSubscriptions/Read", Failure("OK"))
            assert await listed(reader) == []


async def test_settings_that_contradict_each_other_are_refused(client: Any) -> None:
    for settings in ({"read_batch_size": 500, "history_buffer_size": 500}, {"consumer_strategy": "Guess"}):
        with pytest.raises(EventStoreDBClientException):
            await client.create_subscription_to_stream(GROUP, fresh(), **settings)


async def test_all_groups_of_a_stream_are_listed(client: Any) -> None:
    stream = await _group(client, 2)
    (info,) = await client.list_subscriptions_to_stream(stream)
    assert (info.event_source, info.group_name, info.start_from) == (stream, GROUP, "0")
    assert info.last_known_event_position == "1"
    assert GROUP in {each.group_name for each in await client.list_subscriptions()}
