"""The checklist, 67 to 85: catch-up subscriptions, as the double and the bare clients treat them."""

import asyncio
from typing import Any

import pytest
from esdbclient import AsyncEventStoreDBClient, StreamState
from esdbclient.exceptions import ConsumerTooSlow, ServiceUnavailable, StreamIsDeleted

from tests.eventstoredb.answers import Failure, too_slow, unavailable
from tests.eventstoredb.clients import connected, event, events, fresh, ids, listed, numbers, take, until
from tests.eventstoredb.cluster import Cluster
from tests.eventstoredb.faults import end_after, impossible_checkpoint, refuse, repeat, stall_after

NEW, ANY = StreamState.NO_STREAM, StreamState.ANY


async def _stream_of(client: Any, count: int) -> str:
    stream = fresh()
    await client.append_to_stream(stream, current_version=NEW, events=events(count))
    return stream


async def _add(client: Any, stream: str, count: int = 1) -> list[Any]:
    batch = events(count)
    await client.append_to_stream(stream, current_version=ANY, events=batch)
    return ids(batch)


async def test_67_what_was_then_caught_up_then_what_comes(client: Any) -> None:
    stream = await _stream_of(client, 3)
    subscription = await client.subscribe_to_stream(stream, include_caught_up=True)
    first = await take(subscription, 4)
    await _add(client, stream, 2)
    later = await take(subscription, 2)
    await subscription.stop()
    assert [one.is_caught_up for one in first] == [False, False, False, True]
    assert numbers(first[:3] + later) == [0, 1, 2, 3, 4]


async def test_68_a_subscription_begins_behind_its_revision(client: Any) -> None:
    stream = await _stream_of(client, 3)
    subscription = await client.subscribe_to_stream(stream, stream_position=1)
    assert numbers(await take(subscription, 1)) == [2]
    await subscription.stop()


async def test_69_a_subscription_to_the_log_begins_behind_its_position(client: Any) -> None:
    one, two, _ = await client.get_stream(await _stream_of(client, 3))
    subscription = await client.subscribe_to_all(commit_position=one.commit_position)
    assert ids(await take(subscription, 1)) == [two.id]
    await subscription.stop()


async def test_70_from_the_end_only_what_is_new(client: Any) -> None:
    stream = await _stream_of(client, 3)
    of_stream = await client.subscribe_to_stream(stream, from_end=True)
    of_all = await client.subscribe_to_all(from_end=True)
    new = await _add(client, stream)
    assert ids(await take(of_stream, 1)) == new
    assert ids(await take(of_all, 1)) == new
    await of_stream.stop()
    await of_all.stop()


async def test_71_a_stream_that_is_not_there_yet_is_waited_for(client: Any) -> None:
    stream = fresh()
    subscription = await client.subscribe_to_stream(stream)
    new = await _add(client, stream)
    assert ids(await take(subscription, 1)) == new
    await subscription.stop()


async def test_72_nothing_is_missed_or_repeated_while_others_write(client: Any) -> None:
    stream = await _stream_of(client, 1)
    subscription = await client.subscribe_to_stream(stream)

    async def write() -> None:
        for _ in range(40):
            await _add(client, stream, 50)

    writing = asyncio.create_task(write())
    read = await take(subscription, 2001, patience=30)
    await writing
    await subscription.stop()
    assert numbers(read) == list(range(2001))


async def test_73_checkpoints_rise_while_nothing_matches(client: Any) -> None:
    subscription = await client.subscribe_to_all(
        from_end=True,
        filter_include=["nothing-.*"],
        filter_by_stream_name=True,
        include_checkpoints=True,
        window_size=10,
        checkpoint_interval_multiplier=1,
    )
    for _ in range(10):
        await _add(client, fresh(), 10)
    marks = await take(subscription, 5)
    await subscription.stop()
    positions = [mark.commit_position for mark in marks]
    assert all(mark.is_checkpoint for mark in marks)
    assert positions == sorted(set(positions))


async def test_74_a_checkpoint_is_a_place_to_go_on_from(client: Any) -> None:
    mark = fresh("mark")
    filtered: dict[str, Any] = {"filter_include": [f"{mark}.*"], "filter_by_stream_name": True}
    before = await client.get_commit_position()
    old = await _add(client, f"{mark}-1", 3)
    await _add(client, fresh(), 5)
    subscription = await client.subscribe_to_all(**filtered, commit_position=before, include_checkpoints=True)
    read = await take(subscription, 4)
    await subscription.stop()
    assert ids(read[:3]) == old
    assert read[3].is_checkpoint
    new = await _add(client, f"{mark}-2", 2)
    resumed = await client.subscribe_to_all(**filtered, commit_position=read[3].commit_position)
    assert ids(await take(resumed, 2)) == new
    await resumed.stop()


async def test_75_an_old_server_s_impossible_checkpoint_can_be_sent(kind: str, double: Cluster) -> None:
    double.faults.add("Streams/Read", impossible_checkpoint())
    async with connected(kind, double.uri()) as client:
        subscription = await client.subscribe_to_all(from_end=True, include_checkpoints=True)
        possible, impossible = await take(subscription, 2)
        await subscription.stop()
    assert possible.commit_position < double.log.end
    assert impossible.commit_position == 2**64 - 1


async def test_76_a_tombstone_ends_a_subscription(client: Any) -> None:
    stream = await _stream_of(client, 1)
    subscription = await client.subscribe_to_stream(stream)
    await take(subscription, 1)
    await client.tombstone_stream(stream, current_version=ANY)
    with pytest.raises(StreamIsDeleted):
        await listed(subscription)


async def test_76_what_was_tombstoned_before_cannot_be_followed(client: Any) -> None:
    stream = await _stream_of(client, 1)
    await client.tombstone_stream(stream, current_version=ANY)
    with pytest.raises(StreamIsDeleted):
        await listed(await client.subscribe_to_stream(stream))


async def test_77_a_deletion_does_not_end_a_subscription(client: Any) -> None:
    stream = await _stream_of(client, 2)
    subscription = await client.subscribe_to_stream(stream)
    await take(subscription, 2)
    await client.delete_stream(stream, current_version=ANY)
    new = await _add(client, stream)
    (read,) = await take(subscription, 1)
    await subscription.stop()
    assert ([read.id], read.stream_position) == (new, 2)


async def test_78_an_end_without_an_error_is_not_seen_as_one(kind: str, double: Cluster) -> None:
    async with connected(kind, double.uri()) as client:
        stream = await _stream_of(client, 3)
        double.faults.add("Streams/Read", end_after(2, Failure("OK")))
        assert numbers(await listed(await client.subscribe_to_stream(stream))) == [0, 1]


async def test_78_open_subscriptions_can_be_ended(kind: str, double: Cluster) -> None:
    async with connected(kind, double.uri()) as client:
        for failure, error in ((Failure("OK"), None), (unavailable(), ServiceUnavailable)):
            subscription = await client.subscribe_to_all(from_end=True)
            assert double.calls.end("Streams/Read", failure) == 1
            if error is None:
                assert await listed(subscription) == []
            else:
                with pytest.raises(error):
                    await listed(subscription)


async def test_79_a_failing_append_ends_the_subscriptions_of_its_client(kind: str, double: Cluster) -> None:
    async with connected(kind, double.uri()) as client, connected(kind, double.uri()) as other:
        mine = await client.subscribe_to_all(from_end=True)
        others = await other.subscribe_to_all(from_end=True)
        double.faults.add("Append", refuse(unavailable()))
        new = await _add(client, fresh())
        assert await listed(mine) == []  # ended in silence
        assert ids(await take(others, 1)) == new
        await others.stop()


async def test_80_a_server_that_dies_ends_a_subscription_with_an_error(kind: str, double: Cluster) -> None:
    async with connected(kind, double.uri()) as client:
        stream = await _stream_of(client, 1)
        subscription = await client.subscribe_to_stream(stream)
        await take(subscription, 1)
        await double.stop()
        with pytest.raises(ServiceUnavailable):
            await listed(subscription)
        await double.start()
        new = await _add(client, stream)
        resumed = await client.subscribe_to_stream(stream, stream_position=0)
        assert ids(await take(resumed, 1)) == new
        await resumed.stop()


async def test_81_a_server_can_fall_silent(kind: str, double: Cluster) -> None:
    async with connected(kind, double.uri()) as client:
        stream = await _stream_of(client, 3)
        double.faults.add("Streams/Read", stall_after(1))
        subscription = await client.subscribe_to_stream(stream)
        with pytest.raises(AssertionError, match="1 of 2 came"):
            await take(subscription, 2, patience=0.3)


async def test_82_a_server_that_lost_data_waits_instead_of_complaining(kind: str, double: Cluster) -> None:
    async with connected(kind, double.uri()) as client:
        one, *_, last = await client.get_stream(await _stream_of(client, 5))
        await double.restart(lose_from=one.commit_position)
        subscription = await client.subscribe_to_all(
            commit_position=last.commit_position, include_caught_up=True
        )
        (answer,) = await take(subscription, 1)
        await _add(client, fresh())
        assert answer.is_caught_up
        with pytest.raises(AssertionError, match="0 of 1 came"):
            await take(subscription, 1, patience=0.2)


async def test_84_a_slow_consumer_loses_nothing(client: Any) -> None:
    stream = await _stream_of(client, 5)
    subscription = await client.subscribe_to_stream(stream)
    for _ in range(10):
        await _add(client, stream, 100)
    read = []
    async for one in subscription:
        read.append(one)
        if len(read) == 1005:
            break
        if len(read) % 50 == 0:
            await asyncio.sleep(0.005)
    await subscription.stop()
    assert numbers(read) == list(range(1005))


async def test_84_an_older_server_cuts_a_slow_consumer_off(kind: str, double: Cluster) -> None:
    async with connected(kind, double.uri()) as client:
        stream = await _stream_of(client, 3)
        double.faults.add("Streams/Read", end_after(2, too_slow()))
        subscription = await client.subscribe_to_stream(stream)
        assert numbers(await take(subscription, 2)) == [0, 1]
        with pytest.raises(ConsumerTooSlow):
            await listed(subscription)


async def test_85_one_connection_carries_a_hundred_streams_and_no_more(double: Cluster) -> None:
    other = AsyncEventStoreDBClient(double.uri())
    # Without this, gRPC gives all clients of a process that share a target one connection.
    other.grpc_options += (("grpc.use_local_subchannel_pool", 1),)
    await other.connect()
    async with connected("async", double.uri()) as client, connected("async", double.uri()) as same, other:
        stream = await _stream_of(client, 1)
        subscriptions = [await client.subscribe_to_stream(stream) for _ in range(100)]
        waiting = asyncio.create_task(same.get_stream(stream))
        await _add(other, stream)
        assert double.calls.count("Streams/Read") == 100
        await subscriptions.pop().stop()
        assert len(await waiting) == 2
        for subscription in subscriptions:
            await subscription.stop()


async def test_events_can_be_delivered_twice(kind: str, double: Cluster) -> None:
    async with connected(kind, double.uri()) as client:
        stream = await _stream_of(client, 2)
        double.faults.add("Streams/Read", repeat())
        subscription = await client.subscribe_to_stream(stream)
        assert numbers(await take(subscription, 4)) == [0, 0, 1, 1]
        await subscription.stop()


async def test_caught_up_comes_again_after_falling_behind(kind: str, double: Cluster) -> None:
    async with connected(kind, double.uri()) as client:
        stream = await _stream_of(client, 1)
        subscription = await client.subscribe_to_stream(stream, include_caught_up=True)
        assert [one.is_caught_up for one in await take(subscription, 2)] == [False, True]
        await client.append_to_stream(stream, current_version=ANY, events=events(100))
        assert [one.is_caught_up for one in await take(subscription, 101)] == [False] * 100 + [True]
        await subscription.stop()


async def test_calls_are_closed_when_subscriptions_stop(kind: str, double: Cluster) -> None:
    async with connected(kind, double.uri()) as client:
        subscription = await client.subscribe_to_all(filter_exclude=[], include_caught_up=True)
        await client.append_to_stream(fresh(), current_version=NEW, events=event())
        await subscription.stop()
        await until(lambda: not double.calls.open())
