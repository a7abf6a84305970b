"""``admitone parked`` on EventStoreDB: what is set aside is listed, given out again, or left as it is."""

import asyncio
import subprocess
from pathlib import Path
from uuid import uuid4

from esdbclient import NewEvent, StreamState

from tests.deploy.running import admitone
from tests.eventstoredb.clients import connected
from tests.eventstoredb.cluster import Cluster
from tests.eventstoredb.members import Shop, eventually, group_of, is_done, kinds, left_lying, shop


async def told(double: Cluster, place: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """The command, run beside the double that lives on this event loop."""
    here = ("parked", "--store", double.uri(), "--data", str(place / "nothing"))
    return await asyncio.to_thread(admitone, *here, *words)


async def parked(here: Shop) -> str:
    """A purchase that was parked; its provider stays away."""
    order_id = uuid4().hex
    here.till.away_for.add(order_id)
    await left_lying(here.dead, order_id=order_id)
    await eventually(lambda: kinds(here.double, f"parking-{order_id}"), "it is parked")
    group = group_of(here.double)
    await eventually(lambda: group.parked.count and not group.outstanding, "its signals are set aside")
    return order_id


async def test_what_is_parked_is_listed_and_tried_again_and_what_stays_parked_is_not_touched(
    double: Cluster, tmp_path: Path
) -> None:
    async with shop(double, tmp_path) as here:
        assert (await told(double, tmp_path)).stdout == "Nothing is set aside.\n"
        one, other = await parked(here), await parked(here)
        count = group_of(double).parked.count
        listed = (await told(double, tmp_path)).stdout
        assert f"order {one}  parked since" in listed
        assert "authorize failed 3 times: PaymentsUnavailable: the provider is away" in listed
        assert f"has set aside {count} signals" in listed
        here.till.away_for.clear()
        here.till.asked.clear()
        retried = await told(double, tmp_path, "retry", one)
        assert retried.returncode == 0, retried.stderr
        assert f"gives out again all that it has set aside: {count} signals." in retried.stdout
        await eventually(lambda: is_done(double, one), "it is finished")
        group = group_of(double)
        await eventually(lambda: group.parked.count == count // 2, "the other's are set aside again")
        await eventually(lambda: not group.outstanding, "all is answered")
        assert {order_id for order_id, _ in here.till.asked} == {one}
        assert kinds(double, f"parking-{other}") == ["PurchaseParked"]


async def test_a_skipped_purchase_is_left_as_it_is_with_the_reason_and_nothing_of_it_stays_set_aside(
    double: Cluster, tmp_path: Path
) -> None:
    async with shop(double, tmp_path) as here:
        order_id = await parked(here)
        assert (await told(double, tmp_path, "skip", order_id)).returncode == 2, "a reason must be given"
        skipped = await told(double, tmp_path, "skip", order_id, "--reason", "agreed with the buyer")
        assert skipped.returncode == 0, skipped.stderr
        await eventually(lambda: not group_of(double).parked.count, "nothing is set aside")
        assert kinds(double, f"parking-{order_id}") == ["PurchaseParked", "PurchaseSkipped"]
        assert (await told(double, tmp_path)).stdout == "Nothing is set aside.\n"


async def test_all_are_tried_again_only_after_it_was_said_how_many(double: Cluster, tmp_path: Path) -> None:
    async with shop(double, tmp_path) as here:
        orders = [await parked(here) for _ in range(2)]
        count = group_of(double).parked.count
        here.till.away_for.clear()
        asked = await told(double, tmp_path, "retry", "--all")  # nobody is there to say yes
        words = (
            f"2 parked purchases would be tried again, and the store would give out again {count} signals."
        )
        assert words in asked.stdout
        assert asked.returncode == 1
        assert kinds(double, f"parking-{orders[0]}") == ["PurchaseParked"]
        done = await told(double, tmp_path, "retry", "--all", "--yes")
        assert words in done.stdout
        assert done.returncode == 0, done.stderr
        await eventually(lambda: all(is_done(double, each) for each in orders), "all are finished")
        await eventually(lambda: not group_of(double).parked.count, "nothing is set aside")
        assert (await told(double, tmp_path, "retry", "--all")).stdout == "Nothing is set aside.\n"


async def test_a_signal_that_cannot_be_read_is_listed_with_the_reason(
    double: Cluster, tmp_path: Path
) -> None:
    async with shop(double, tmp_path):
        stream = f"order-{uuid4().hex}"
        about = (
            b'{"$correlationId":"c","$causationId":"c","actor":"a","at":"2026-11-22T12:00:00Z","schema":99}'
        )
        async with connected("async", double.uri()) as client:
            newer = NewEvent("OrderPlaced", b"{}", metadata=about)
            await client.append_to_stream(stream, current_version=StreamState.NO_STREAM, events=[newer])
        await eventually(lambda: group_of(double).parked.count, "it is set aside")
        listed = (await told(double, tmp_path)).stdout
        assert f"signal {stream}  set aside by the store since" in listed
        assert "cannot be read: written with schema 99" in listed
        again = await told(double, tmp_path, "retry", stream)
        assert "gives out again all that it has set aside: 1 signal." in again.stdout
        await eventually(lambda: group_of(double).parked.count, "it is set aside again")


async def test_what_is_not_parked_is_said_in_one_line(double: Cluster, tmp_path: Path) -> None:
    unknown = await told(double, tmp_path, "retry", "o2")
    assert (unknown.returncode, "order o2 is not parked" in unknown.stderr) == (1, True)
    stream = await told(double, tmp_path, "skip", "ticket-x", "--reason", "why not")
    assert (stream.returncode, "no read model holds ticket-x back" in stream.stderr) == (1, True)
    both = await told(double, tmp_path, "retry")
    assert (both.returncode, len(both.stderr.splitlines())) == (1, 1)
