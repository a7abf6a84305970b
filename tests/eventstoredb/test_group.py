"""The consumer group: made if it is missing, taken up again however it ended, never more than fits."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from gateways.eventstoredb_group import GROUP, ROOM
from tests.eventstoredb.answers import Failure, aborted, group_dropped, unavailable
from tests.eventstoredb.clients import connected
from tests.eventstoredb.cluster import Cluster
from tests.eventstoredb.faults import refuse
from tests.eventstoredb.members import (
    ChoosyTill,
    Member,
    at_work,
    cards,
    delays,
    eventually,
    group_of,
    is_done,
    kinds,
    left_lying,
    member,
)

READ = "PersistentSubscriptions/Read"
SLOW = Failure("ABORTED", "Consumer too slow to handle event while live. Client resubscription required.")


@asynccontextmanager
async def two(uri: str, place: Path, **more: float) -> AsyncIterator[tuple[Member, Member]]:
    """A member, and one that writes what is left lying."""
    async with (
        cards(place) as till,
        member(uri, till, **more) as one,  # type: ignore[arg-type]  # the numbers among its arguments
        member(uri, till, past=True) as dead,
    ):
        yield one, dead


async def takes_part(one: Member) -> None:
    await eventually(lambda: one.group.problem is None, "it takes part")


async def test_the_group_is_made_if_it_is_missing_and_pins_what_belongs_together(
    double: Cluster, tmp_path: Path
) -> None:
    async with cards(tmp_path) as till, AsyncExitStack() as stack:
        waits = delays(5, 10, 20, 40, 80)
        members = [await stack.enter_async_context(member(double.uri(), till, waits=waits)) for _ in range(4)]
        for each in members:
            await stack.enter_async_context(at_work(each))
        for each in members:
            await takes_part(each)
        terms = group_of(double).settings
        assert (terms.group, terms.stream, terms.strategy) == (GROUP, None, "PinnedByCorrelation")
        assert (terms.max_retries, terms.message_timeout) == (5, 120)
        assert terms.max_subscribers == 0
        assert len(group_of(double).consumers) == 4


ENDS = {
    "silently": Failure("OK"),
    "unavailable": unavailable(),
    "aborted": aborted(),
    "too slow": SLOW,
    "dropped": group_dropped("$all", GROUP),
    "unknown": Failure("UNKNOWN", "Exception was thrown by handler."),
}


@pytest.mark.parametrize("ending", ENDS.values(), ids=ENDS)
async def test_a_connection_that_ends_is_taken_up_again(
    double: Cluster, tmp_path: Path, ending: Failure, caplog: pytest.LogCaptureFixture
) -> None:
    async with two(double.uri(), tmp_path) as (one, dead), at_work(one):
        await takes_part(one)
        assert double.calls.end(READ, ending) == 1
        await eventually(lambda: double.calls.count(READ) == 2, "it is back")
        order_id = await left_lying(dead)
        await eventually(lambda: is_done(double, order_id), "it is finished")
    assert f"the consumer group {GROUP}" in caplog.text
    assert "trying again" in caplog.text


async def test_readiness_says_so_while_nothing_is_given_out(double: Cluster, tmp_path: Path) -> None:
    async with two(double.uri(), tmp_path) as (one, _), at_work(one):
        await takes_part(one)
        double.faults.add(READ, refuse(unavailable()), times=None)
        double.calls.end(READ, unavailable())
        await eventually(lambda: one.group.problem is not None, "it says so")
        assert "is not followed" in str(one.group.problem)
        double.faults.clear()
        await takes_part(one)


async def test_a_group_that_is_deleted_under_its_readers_is_made_again(
    double: Cluster, tmp_path: Path
) -> None:
    async with two(double.uri(), tmp_path) as (one, dead), at_work(one):
        await takes_part(one)
        async with connected("async", double.uri()) as client:
            await client.delete_subscription(GROUP)
        await eventually(lambda: list(double.groups) and group_of(double).consumers, "it is made again")
        order_id = await left_lying(dead)
        await eventually(lambda: is_done(double, order_id), "it is finished")


async def test_a_group_of_other_terms_is_named_and_kept_to(
    double: Cluster, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected("async", double.uri()) as client:
        await client.create_subscription_to_all(GROUP, max_retry_count=1, message_timeout=7.0)
    async with (
        cards(tmp_path) as simulator,
        member(double.uri(), till := ChoosyTill(simulator), waits=delays(0.05, 0.05, 0.05)) as one,
        member(double.uri(), till, past=True) as dead,
        at_work(one),
    ):
        await takes_part(one)
        said = " ".join(caplog.messages)
        assert "made with max_retry_count 1 and not 3" in said
        assert "made with message_timeout 7.0 and not 40.05" in said
        assert "made with consumer_strategy DispatchToSingle and not PinnedByCorrelation" in said
        till.away_for.add("failing")
        await left_lying(dead, order_id="failing")
        await eventually(lambda: group_of(double).parked.count, "the store has set it aside")
        assert len(till.asked) == 2
        assert kinds(double, "parking-failing") == ["PurchaseParked"], "nobody would know why"


async def test_a_process_is_given_no_more_than_it_has_room_for(double: Cluster, tmp_path: Path) -> None:
    async with two(double.uri(), tmp_path) as (one, _), at_work(one):
        await takes_part(one)
        (consumer,) = group_of(double).consumers
        assert consumer.size == ROOM


async def test_the_group_moves_to_the_new_leader(trio: Cluster, tmp_path: Path) -> None:
    async with two(trio.cluster_uri(), tmp_path) as (one, dead), at_work(one):
        await takes_part(one)
        trio.elect(trio.nodes[1])
        await eventually(lambda: group_of(trio).consumers, "it has found the leader")
        order_id = await left_lying(dead)
        await eventually(lambda: is_done(trio, order_id), "it is finished")


async def test_an_idle_process_looks_whether_its_group_is_well(double: Cluster, tmp_path: Path) -> None:
    async with two(double.uri(), tmp_path, silence=0.1) as (one, _), at_work(one):
        await takes_part(one)
        double.calls.clear()
        await eventually(lambda: double.calls.count("PersistentSubscriptions/GetInfo") > 2, "it looks")
        assert double.calls.count(READ) == 1


async def test_an_answer_that_got_lost_with_its_connection_has_its_effect_once(
    double: Cluster, tmp_path: Path
) -> None:
    async with cards(tmp_path) as till:
        async with (
            member(double.uri(), till) as one,
            member(double.uri(), till, past=True) as dead,
            at_work(one),
        ):
            await takes_part(one)
            orders = [await left_lying(dead) for _ in range(5)]
            await eventually(lambda: all(is_done(double, each) for each in orders), "all are finished")
            double.calls.end(READ, unavailable())  # answers leave every fifth of a second
            await eventually(lambda: double.calls.count(READ) == 2, "it is back")
            group = group_of(double)
            await eventually(lambda: not group.outstanding and not group.retries, "all is answered")
        assert sorted(entry.order for entry in till.entries()) == sorted(orders)
