"""The adapter's appends when something goes wrong: lost answers, refusals, bounded patience."""

import asyncio
from time import monotonic
from typing import Any

import pytest
from esdbclient.protos.Grpc import shared_pb2
from msgspec.structs import replace

from domain.decider import NO_STREAM
from domain.money import Money
from domain.ticket import TicketListed
from gateways.eventstoredb import NotAuthorised, TooLarge
from processmanager.ports import OutcomeUnknown, StoreUnavailable, WrongRevision
from tests.eventstoredb.adapting import fact, facts, opened, parking, stored
from tests.eventstoredb.answers import Failure, aborted, access_denied, thrown_by_handler, unavailable
from tests.eventstoredb.certificates import Certificates
from tests.eventstoredb.clients import PATIENCE, connected, events, until
from tests.eventstoredb.cluster import Cluster
from tests.eventstoredb.faults import Action, delay, delay_answer, hold, in_band, lose, refuse, swallow
from tests.eventstoredb.wire import Wire

LOST: dict[str, Action] = {
    "unavailable": lose(unavailable()),
    "aborted": lose(aborted()),
    "deadline": lose(Failure("DEADLINE_EXCEEDED")),
    "thrown": lose(thrown_by_handler()),
    "cancelled": lose(Failure("CANCELLED", "reset")),
    "internal": lose(Failure("INTERNAL", "stream reset")),
    "silence": swallow(),
}


async def test_two_appends_and_no_read_cost_two_calls(double: Cluster) -> None:
    async with opened(double.uri()) as store:
        await until(lambda: not double.calls.open())
        double.calls.clear()
        await store.append(parking(), facts(2), NO_STREAM)
        await store.append(parking(), facts(1), NO_STREAM)
    assert [call.method for call in double.calls] == ["Streams/BatchAppend"] * 2


@pytest.mark.parametrize("action", LOST.values(), ids=LOST)
@pytest.mark.parametrize("expected", [NO_STREAM, 1], ids=["new", "exact"])
async def test_40_a_lost_answer_is_found_again(double: Cluster, action: Action, expected: int) -> None:
    stream, first, batch = parking(), facts(expected + 1), facts(2)
    async with opened(double.uri()) as store:
        if first:
            await store.append(stream, first, NO_STREAM)
        double.faults.add("BatchAppend", action)
        position = await store.append(stream, batch, expected)
        found = list(await store.read(stream))
        assert stored(found) == stored([*first, *batch])
        assert position == found[-1].position
        assert store.health() is None


async def test_41_a_lost_answer_of_somebody_else_s_append_is_a_conflict(double: Cluster) -> None:
    stream, foreign = parking(), fact("another")
    async with opened(double.uri()) as store, opened(double.uri()) as other:
        double.faults.add("BatchAppend", refuse(Failure("INTERNAL", "reset")))
        double.faults.add("BatchAppend", delay(0.2))
        late = asyncio.create_task(store.append(stream, [fact()], NO_STREAM))
        await until(lambda: double.calls.count("BatchAppend") == 2)
        await other.append(stream, [foreign], NO_STREAM)
        with pytest.raises(WrongRevision):
            await late
        assert [one.id for one in await store.read(stream)] == [foreign.id]


@pytest.mark.parametrize("failure", [aborted(), unavailable(), thrown_by_handler()], ids=str)
async def test_42_what_is_repeated_is_the_same(double: Cluster, failure: Failure) -> None:
    stream, batch = parking(), facts(3)
    double.faults.add("BatchAppend", refuse(failure), times=2)
    async with opened(double.uri()) as store:
        await store.append(stream, batch, NO_STREAM)
        assert [one.id for one in await store.read(stream)] == [one.id for one in batch]
    assert [call.events for call in double.calls.of("BatchAppend")] == [3, 3, 3]


async def test_43_where_every_answer_is_lost_the_stream_is_looked_at(double: Cluster) -> None:
    stream, batch = parking(), facts(2)
    double.faults.add("BatchAppend", swallow(), times=None)
    async with opened(double.uri()) as store:
        began = monotonic()
        position = await store.append(stream, batch, NO_STREAM)
        assert monotonic() - began < 2
        assert position == (await store.read(stream))[-1].position


async def test_43_only_what_cannot_be_found_out_is_unknown(double: Cluster) -> None:
    stream, batch = parking(), facts(2)
    lost = double.faults.add("BatchAppend", lose(aborted()), times=None)
    blind = double.faults.add("Streams/Read", hold(), times=None, skip=1)
    async with opened(double.uri()) as store:
        began = monotonic()
        with pytest.raises(OutcomeUnknown):
            await store.append(stream, batch, NO_STREAM)
        assert monotonic() - began < 2
        assert store.health() is not None
        lost.stop()
        blind.stop()
        await store.append(stream, batch, NO_STREAM)  # a repeat settles it
        assert len(await store.read(stream)) == 2
        assert store.health() is None


async def test_43_an_append_that_was_never_done_may_still_be_on_its_way(double: Cluster) -> None:
    double.faults.add("BatchAppend", hold(), times=None)
    async with opened(double.uri()) as store:
        with pytest.raises(OutcomeUnknown):
            await store.append(parking(), facts(1), NO_STREAM)


async def test_43_a_slow_answer_is_waited_for(double: Cluster) -> None:
    double.faults.add("BatchAppend", delay_answer(0.3))
    async with opened(double.uri()) as store:
        await store.append(parking(), facts(1), NO_STREAM)
    assert double.calls.count("BatchAppend") == 1


async def test_44_patience_with_a_store_that_is_away_ends(double: Cluster) -> None:
    async with opened(double.uri()) as store:
        await double.stop()
        began = monotonic()
        with pytest.raises(StoreUnavailable):
            await store.append(parking(), facts(1), NO_STREAM)
        with pytest.raises(StoreUnavailable):
            await store.read(parking())
        assert monotonic() - began < 4
        assert "\n" not in str(store.health())
        await double.start()
        await asyncio.sleep(0)
        await _insist(store)
        assert store.health() is None


async def _insist(store: Any) -> None:
    """A store that has come back is used again within some seconds."""
    for _ in range(4):
        try:
            await store.append(parking(), facts(1), NO_STREAM)
        except StoreUnavailable:
            continue
        return
    raise AssertionError("it did not come back")


async def test_44_many_calls_to_a_store_that_is_away_end_together(double: Cluster) -> None:
    async with opened(double.uri()) as store:
        await double.stop()
        began = monotonic()
        outcomes = await asyncio.gather(
            *(store.append(parking(), facts(1), NO_STREAM) for _ in range(200)), return_exceptions=True
        )
        # The first may have been on their way when the connection broke.
        assert {type(outcome) for outcome in outcomes} <= {StoreUnavailable, OutcomeUnknown}
        assert monotonic() - began < 4


async def test_44_how_often_an_append_is_tried_is_bounded(double: Cluster) -> None:
    double.faults.add("BatchAppend", refuse(unavailable()), times=None)
    async with opened(double.uri()) as store:
        with pytest.raises(OutcomeUnknown):
            await store.append(parking(), facts(1), NO_STREAM)
    assert 2 <= double.calls.count("BatchAppend") <= 40


async def test_a_peer_that_vanished_is_given_up(double: Cluster) -> None:
    async with Wire(double.nodes[0].endpoint) as wire, opened(f"esdb://{wire.address}?Tls=false") as store:
        await store.append(parking(), facts(1), NO_STREAM)
        wire.stall()
        began = monotonic()
        with pytest.raises(OutcomeUnknown):
            await store.append(parking(), facts(1), NO_STREAM)
        with pytest.raises(StoreUnavailable):
            await store.read(parking())
        assert monotonic() - began < 4
        wire.resume()
        await store.append(parking(), facts(1), NO_STREAM)


async def test_a_read_that_is_ending_is_not_taken_for_the_whole(double: Cluster) -> None:
    stream = parking()
    async with Wire(double.nodes[0].endpoint) as wire, opened(f"esdb://{wire.address}?Tls=false") as store:
        await store.append(stream, facts(400), NO_STREAM)
        wire.answer_limit = 30_000
        assert len(await store.read(stream)) == 400
        wire.stall()
        with pytest.raises(StoreUnavailable):
            await store.read(stream)
        wire.resume()


async def test_a_read_that_is_cancelled_is_cancelled(double: Cluster) -> None:
    stream = parking()
    async with opened(double.uri()) as store:
        await store.append(stream, facts(3), NO_STREAM)
        double.faults.add("Streams/Read", delay(5))
        reading = asyncio.create_task(store.read(stream))
        await until(lambda: double.calls.open("Streams/Read"))
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading


async def test_07_a_wrong_password_is_said_in_one_line(certificates: Certificates) -> None:
    async with Cluster(certificates=certificates) as double:
        with pytest.raises(NotAuthorised) as caught:
            await opened(double.uri().replace("changeit", "guessed")).__aenter__()
        assert "guessed" not in str(caught.value)
        assert "\n" not in str(caught.value)
        async with opened(double.uri()) as store:
            await store.append(parking(), facts(1), NO_STREAM)


async def test_17_what_is_too_large_is_refused_and_not_tried_again(double: Cluster) -> None:
    huge = replace(fact(), event=TicketListed("s", "x" * 1_100_000, Money(1, "usd")))
    async with opened(double.uri()) as store:
        with pytest.raises(TooLarge):
            await store.append("ticket-1", [huge], NO_STREAM)
        assert double.calls.count("BatchAppend") == 1
        assert list(await store.read("ticket-1")) == []


async def test_50_a_deleted_stream_is_never_written(double: Cluster) -> None:
    stream = parking()
    async with opened(double.uri()) as store, connected("async", double.uri()) as client:
        await store.append(stream, facts(1), NO_STREAM)
        await client.tombstone_stream(stream, current_version=0)
        for expected in (NO_STREAM, 0):
            with pytest.raises(WrongRevision):
                await store.append(stream, facts(1), expected)


async def test_108_a_batch_that_finds_the_server_not_ready_is_tried_again(double: Cluster) -> None:
    stream, batch = parking(), facts(1)
    double.faults.add("BatchAppend", in_band(), times=2)
    async with opened(double.uri()) as store:
        await store.append(stream, batch, NO_STREAM)
        assert len(await store.read(stream)) == 1
    assert double.calls.count("BatchAppend") == 3


async def test_108_what_was_never_ready_was_never_written(double: Cluster) -> None:
    double.faults.add("BatchAppend", in_band(), times=None)
    ending: BaseException | None = OutcomeUnknown()
    async with opened(double.uri()) as store, asyncio.timeout(PATIENCE):
        while isinstance(ending, OutcomeUnknown):  # an answer that came too late leaves it open, rightly
            with pytest.raises((StoreUnavailable, OutcomeUnknown)) as ended:
                await store.append(parking(), facts(1), NO_STREAM)
            ending = ended.value
    assert isinstance(ending, StoreUnavailable)


@pytest.mark.parametrize(
    ("action", "error"),
    [
        (refuse(Failure("DATA_LOSS", "it is gone")), OutcomeUnknown),
        (refuse(Failure("UNKNOWN", "it is odd")), OutcomeUnknown),
        (refuse(Failure("OUT_OF_RANGE", "too far")), OutcomeUnknown),
        (refuse(Failure("RESOURCE_EXHAUSTED", "too much")), StoreUnavailable),
        (refuse(Failure("UNIMPLEMENTED", "never heard of it")), StoreUnavailable),
        (refuse(Failure("FAILED_PRECONDITION", "not like this")), OutcomeUnknown),
        (refuse(access_denied()), NotAuthorised),
        (in_band(shared_pb2.AccessDenied()), NotAuthorised),
        (in_band(shared_pb2.BadRequest(message="no type")), ValueError),
        (in_band(shared_pb2.Timeout()), OutcomeUnknown),
        (in_band(shared_pb2.Unknown()), OutcomeUnknown),
        (in_band(shared_pb2.InvalidTransaction()), OutcomeUnknown),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
async def test_110_every_error_is_one_of_ours(
    double: Cluster, action: Action, error: type[Exception]
) -> None:
    double.faults.add("BatchAppend", action, times=None)
    async with opened(double.uri()) as store:
        with pytest.raises(error) as caught:
            await store.append(parking(), facts(1), NO_STREAM)
        assert "\n" not in str(caught.value)
        assert str(caught.value)


async def test_112_what_is_forbidden_is_asked_once(double: Cluster) -> None:
    double.faults.add("BatchAppend", refuse(access_denied()), times=None)
    async with opened(double.uri()) as store:
        with pytest.raises(NotAuthorised):
            await store.append(parking(), facts(1), NO_STREAM)
    assert double.calls.count("BatchAppend") == 1


async def test_111_after_close_nothing_is_opened_again(double: Cluster) -> None:
    async with opened(double.uri()) as store:
        await store.append(parking(), facts(1), NO_STREAM)
    assert store.health() == "the log is closed"
    await until(lambda: not double.calls.open())
    double.calls.clear()
    with pytest.raises(StoreUnavailable):
        await store.append(parking(), facts(1), NO_STREAM)
    await store.close()
    assert double.calls.count() == 0


async def test_a_stream_that_was_ending_names_what_is_gone(double: Cluster) -> None:
    stream = parking()
    async with opened(double.uri()) as store, connected("async", double.uri()) as client:
        await store.append(stream, facts(5), NO_STREAM)
        await client.set_stream_metadata(stream, metadata={"$tb": 3})
        gap, *rest = await store.read(stream)
        assert "revisions 0 to 2 are gone" in gap.event.reason
        assert [one.revision for one in rest] == [3, 4]
        assert [one.revision for one in await store.read(stream, 2)] == [3, 4]
        await client.set_stream_metadata(stream, metadata={"$tb": 9})
        assert "cut off" in (await store.read(stream))[0].event.reason
        await client.delete_stream(stream, current_version=4)
        assert "deleted" in (await store.read(stream))[0].event.reason
        await client.tombstone_stream(stream, current_version=4)
        assert "deleted" in (await store.read(stream))[0].event.reason


async def test_foreign_events_in_a_stream_of_ours_are_named(double: Cluster) -> None:
    stream = parking()
    async with opened(double.uri()) as store, connected("async", double.uri()) as client:
        await store.append(stream, facts(1), NO_STREAM)
        await client.append_to_stream(stream, current_version=0, events=events(1, "NothingOfOurs"))
        ours, foreign = await store.read(stream)
        assert ours.event.by == "0"
        assert foreign.event.type == "NothingOfOurs"
        assert foreign.event.reason
