"""The adapter's follower: it goes on after everything that can end a subscription, silence included."""

import asyncio
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest
from esdbclient import RecordedEvent, StreamState

from domain.decider import NO_STREAM, AnyRecorded, Unreadable
from gateways.damage import StoreDamaged
from gateways.eventstoredb_inbox import BATCH, Inbox
from processmanager.ports import StoreUnavailable
from tests.eventstoredb.adapting import facts, followed, opened, parking, stored
from tests.eventstoredb.answers import Failure, aborted, group_dropped, too_slow, unavailable
from tests.eventstoredb.certificates import Certificates
from tests.eventstoredb.clients import connected, event, events, fresh, until
from tests.eventstoredb.cluster import Cluster
from tests.eventstoredb.faults import Action, end_after, impossible_checkpoint, refuse, repeat, stall_after
from tests.eventstoredb.wire import Wire

ENDS: dict[str, Action] = {
    "silently": end_after(2, Failure("OK")),
    "unavailable": end_after(2, unavailable()),
    "too_slow": end_after(2, too_slow()),
    "aborted": end_after(2, aborted()),
    "dropped": end_after(2, group_dropped("a", "b")),
    "at_once": end_after(0, Failure("OK")),
    "unknown": end_after(1, Failure("UNKNOWN", "nobody knows")),
}


@pytest.mark.parametrize("action", ENDS.values(), ids=ENDS)
async def test_78_a_subscription_that_ends_is_taken_up_where_it_ended(
    double: Cluster, action: Action, caplog: pytest.LogCaptureFixture
) -> None:
    stream, batch = parking(), facts(5)
    async with opened(double.uri()) as store:
        await store.append(stream, batch, NO_STREAM)
        double.faults.add("Streams/Read", action, times=2)
        async with followed(store) as follower:
            await follower.has(5)
            more = facts(2)
            await store.append(stream, more, 4)
            await follower.has(7)
            await asyncio.sleep(0.05)
        assert stored(follower.seen) == stored([*batch, *more])
        assert store.health() is None
    assert "is not followed" in caplog.text


async def test_what_a_server_tells_twice_is_handed_on_once(double: Cluster) -> None:
    stream, batch = parking(), facts(5)
    double.faults.add("Streams/Read", repeat(), times=None, subscribes=True)
    async with opened(double.uri()) as store:
        await store.append(stream, batch, NO_STREAM)
        async with followed(store) as follower:
            await follower.has(5)
            more = facts(2)
            await store.append(stream, more, 4)
            await follower.has(7)
            double.calls.end_subscriptions(unavailable())
            last = facts(1)
            await store.append(stream, last, 6)
            await follower.has(8)
        assert stored(follower.seen) == stored([*batch, *more, *last])


async def test_readiness_says_so_while_the_log_is_not_followed(double: Cluster) -> None:
    async with opened(double.uri()) as store, followed(store) as follower:
        await until(lambda: store.health() is None)
        await store.append(parking(), facts(1), NO_STREAM)
        await follower.has(1)
        await double.stop()
        await until(lambda: store.health() is not None)
        assert "is not followed" in str(store.health())
        await double.start()
        await until(lambda: store.health() is None)


async def test_79_trouble_with_an_append_does_not_disturb_a_follower(double: Cluster) -> None:
    async with opened(double.uri()) as store, followed(store) as follower:
        await until(lambda: double.calls.open("Streams/Read"))
        double.faults.add("BatchAppend", refuse(unavailable()), times=2)
        await store.append(parking(), facts(1), NO_STREAM)
        await follower.has(1)
        assert len(double.calls.open("Streams/Read")) == 1
        assert double.calls.count("Streams/Read") == 2  # the first look, and one subscription


@pytest.mark.parametrize("ids_lost", [False, True])
async def test_80_a_follower_survives_a_restart_of_the_server(double: Cluster, *, ids_lost: bool) -> None:
    async with opened(double.uri()) as store, followed(store) as follower:
        first = facts(3)
        await store.append(parking(), first, NO_STREAM)
        await follower.has(3)
        await double.restart(forget_ids=ids_lost)
        later = facts(2)
        async with connected("async", double.uri()) as client:
            await client.append_to_stream(fresh(), current_version=StreamState.ANY, events=events(3))
        async with opened(double.uri()) as other:
            await other.append(parking(), later, NO_STREAM)
        await follower.has(5)
        assert stored(follower.seen) == stored([*first, *later])


async def test_81_a_server_that_falls_silent_is_noticed(double: Cluster) -> None:
    async with opened(double.uri(), silence=0.3) as store:
        await store.append(parking(), facts(3), NO_STREAM)
        double.faults.add("Streams/Read", stall_after(1))
        async with followed(store) as follower:
            await follower.has(3)
            assert [one.revision for one in follower.seen] == [0, 1, 2]


async def test_81_a_quiet_log_is_left_alone(double: Cluster) -> None:
    async with opened(double.uri(), silence=0.05) as store:
        position = await store.append(parking(), facts(1), NO_STREAM)
        async with followed(store, position):
            await until(lambda: double.calls.count("Streams/Read") >= 8)
            assert len([call for call in double.calls.of("Streams/Read") if call.status is None]) <= 2
            assert store.health() is None


async def test_81_a_peer_that_vanished_is_noticed_by_pings(double: Cluster) -> None:
    async with Wire(double.nodes[0].endpoint) as wire:
        uri = f"esdb://{wire.address}?Tls=false&KeepAliveInterval=300&KeepAliveTimeout=300"
        async with opened(uri, silence=60) as store, followed(store) as follower:
            await store.append(parking(), facts(1), NO_STREAM)
            await follower.has(1)
            wire.stall()
            await until(lambda: store.health() is not None)
            wire.resume()
            wire.cut()
            await until(lambda: store.health() is None, patience=20)


async def test_82_a_log_that_lost_its_end_is_refused(double: Cluster) -> None:
    async with opened(double.uri()) as store:
        first = await store.append(parking(), facts(1), NO_STREAM)
        last = await store.append(parking(), facts(3), NO_STREAM)
        async with followed(store) as follower:
            await follower.has(4)
            await double.restart(lose_from=first + 1)
            with pytest.raises(StoreDamaged, match="ends before"):
                await asyncio.wait_for(follower.task, 10)
        with pytest.raises(StoreDamaged):
            await anext(store.follow(last))


async def test_75_an_impossible_checkpoint_is_not_believed(double: Cluster) -> None:
    async with opened(double.uri()) as store:
        double.faults.add("Streams/Read", impossible_checkpoint())
        async with followed(store) as follower:
            await until(lambda: store.health() is None and store._followings)
            await store.append(parking(), facts(1), NO_STREAM)
            await follower.has(1)
            double.calls.end("Streams/Read", Failure("OK"))
            await store.append(parking(), facts(1), NO_STREAM)
            await follower.has(2)


async def test_73_a_follower_moves_on_while_only_others_write(double: Cluster) -> None:
    async with (
        opened(double.uri()) as store,
        connected("async", double.uri()) as client,
        followed(store) as follower,
    ):
        await store.append(parking(), facts(1), NO_STREAM)
        await follower.has(1)
        for _ in range(4):
            await client.append_to_stream(fresh(), current_version=StreamState.ANY, events=events(100))
        (following,) = store._followings
        await until(lambda: following._considered > follower.seen[-1].position + 10_000)


async def test_only_our_own_categories_are_followed(double: Cluster) -> None:
    async with opened(double.uri()) as store, connected("async", double.uri()) as client:
        for stream in ("tickets-1", "myticket-1", "$ticket-1", "ticket", "stranger-ticket-1", fresh()):
            await client.append_to_stream(stream, current_version=StreamState.ANY, events=events(1))
        await client.append_to_stream(
            "ticket-1\nodd", current_version=StreamState.ANY, events=[event("Foreign")]
        )
        await store.append("payment-1", facts(1), NO_STREAM)
        async with followed(store) as follower:
            seen = await follower.has(2)
            await asyncio.sleep(0.05)
        assert [one.stream for one in follower.seen] == ["ticket-1\nodd", "payment-1"]
        assert isinstance(seen[0].event, Unreadable)


async def test_84_a_slow_follower_loses_nothing(double: Cluster) -> None:
    async with opened(double.uri()) as store:
        for _ in range(8):
            await store.append(parking(), facts(500), NO_STREAM)
        seen: list[AnyRecorded] = []
        async for batch in store.follow():
            assert len(batch) <= BATCH
            seen += batch
            await asyncio.sleep(0.05)
            if len(seen) == 4000:
                break
    assert len({one.position for one in seen}) == 4000


class Endless:
    """A subscription that always has another event."""

    def __init__(self) -> None:
        self.taken = 0

    def __aiter__(self) -> "Endless":
        return self

    async def __anext__(self) -> RecordedEvent:
        self.taken += 1
        await asyncio.sleep(0)
        return RecordedEvent("T", b"", b"", "", uuid4(), "s", self.taken, self.taken, self.taken)

    async def stop(self) -> None:
        pass


async def test_84_a_slow_follower_holds_the_server_back() -> None:
    source, inbox = Endless(), Inbox(asyncio.Event())
    inbox.fill(source)
    await until(lambda: source.taken >= 2 * BATCH)
    for _ in range(50):
        await asyncio.sleep(0)
    assert source.taken == 2 * BATCH
    batch = await inbox.take(1)
    await until(lambda: source.taken == 3 * BATCH)
    batch = [*batch, *await inbox.take(1)]
    assert [one.stream_position for one in batch] == list(range(1, 2 * BATCH + 1))
    await inbox.close()


async def test_catching_up_comes_in_large_batches(double: Cluster) -> None:
    async with opened(double.uri()) as store:
        for _ in range(4):
            await store.append(parking(), facts(500), NO_STREAM)
        sizes = []
        async for batch in store.follow():
            sizes.append(len(batch))
            if sum(sizes) == 2000:
                break
        assert len(sizes) <= 40


async def test_85_many_followers_do_not_keep_an_append_waiting(double: Cluster) -> None:
    async with opened(double.uri()) as store, AsyncExitStack() as stack:
        followers = [await stack.enter_async_context(followed(store)) for _ in range(120)]
        await until(lambda: len(double.calls.open("Streams/Read")) == 120)
        await store.append(parking(), facts(1), NO_STREAM)
        for follower in followers:
            await follower.has(1)


async def test_85_many_followers_over_tls_do_not_keep_an_append_waiting(certificates: Certificates) -> None:
    async with Cluster(certificates=certificates) as double, AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened(double.uri()))
        followers = [await stack.enter_async_context(followed(store)) for _ in range(120)]
        await until(lambda: len(double.calls.open("Streams/Read")) == 120, 60)
        await store.append(parking(), facts(1), NO_STREAM)
        for follower in followers:
            await follower.has(1)


async def test_83_a_follower_that_is_cancelled_ends_as_cancelled(double: Cluster) -> None:
    async with opened(double.uri()) as store:
        for moment in (0.0, 0.001, 0.01, 0.05):
            async with followed(store) as follower:
                await asyncio.sleep(moment)
                follower.task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await asyncio.wait_for(follower.task, 3)
        await until(lambda: not double.calls.open("Streams/Read"))


async def test_a_closed_store_ends_its_followers(double: Cluster) -> None:
    async with opened(double.uri()) as store, followed(store) as follower:
        await until(lambda: double.calls.open("Streams/Read"))
        await store.close()
        with pytest.raises(StoreUnavailable):
            await asyncio.wait_for(follower.task, 3)
