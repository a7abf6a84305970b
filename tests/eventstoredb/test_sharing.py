"""Purchases shared by signals on EventStoreDB's protocol: taken up once, answered when recorded, parked."""

from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import pytest
from esdbclient import NewEvent, StreamState

from domain import order, parking
from processmanager.watchdog import retry_parked, skip_parked
from tests.eventstoredb.clients import connected
from tests.eventstoredb.cluster import Cluster
from tests.eventstoredb.members import (
    PRICE,
    ChoosyTill,
    Shop,
    at_work,
    because,
    cards,
    eventually,
    group_of,
    is_done,
    kinds,
    left_lying,
    member,
    shop,
)

READS, WRITES = "Streams/Read", "Streams/BatchAppend"


async def all_is_answered(double: Cluster) -> None:
    group = group_of(double)
    await eventually(lambda: not group.outstanding and not group.retries, "all signals are answered")


async def test_what_was_left_lying_is_finished_once_by_whoever_is_given_it(
    double: Cluster, tmp_path: Path
) -> None:
    async with (
        cards(tmp_path) as till,
        member(double.uri(), till) as one,
        member(double.uri(), till) as other,
        member(double.uri(), till, past=True) as dead,
        at_work(one),
        at_work(other),
    ):
        await eventually(lambda: one.group.problem is None and other.group.problem is None, "both are in")
        orders = [await left_lying(dead) for _ in range(20)]
        await eventually(lambda: all(is_done(double, each) for each in orders), "all are finished")
        await all_is_answered(double)
        assert all(kinds(double, f"order-{each}").count("OrderCompleted") == 1 for each in orders)
        assert sorted(entry.order for entry in till.entries()) == sorted(orders)
        assert group_of(double).parked.count == 0


async def test_a_signal_is_answered_only_when_what_became_of_it_stands_in_the_log(
    double: Cluster, tmp_path: Path
) -> None:
    async with shop(double, tmp_path) as here:
        here.till.open.clear()
        order_id = await left_lying(here.dead)
        await eventually(lambda: here.till.asked, "the provider is asked")
        group = group_of(double)
        pending = {
            item.message.resolved.original.event.type
            for item in group.outstanding.values()
            if item.message.resolved.original.stream == f"order-{order_id}"
        }
        assert "PaymentStarted" in pending
        here.till.open.set()
        await eventually(lambda: is_done(double, order_id), "it is finished")
        await all_is_answered(double)


async def test_what_a_process_had_in_hand_when_it_died_is_given_to_another(
    double: Cluster, tmp_path: Path
) -> None:
    async with cards(tmp_path) as simulator:
        stuck, sound = ChoosyTill(simulator), ChoosyTill(simulator)
        stuck.open.clear()
        async with (
            member(double.uri(), stuck) as one,
            member(double.uri(), sound) as other,
            member(double.uri(), sound, past=True) as dead,
            at_work(one) as dying,
        ):
            await eventually(lambda: one.group.problem is None, "one takes part")
            order_id = await left_lying(dead)
            await eventually(lambda: stuck.asked, "it has it in hand")
            async with at_work(other):
                await eventually(lambda: other.group.problem is None, "another takes part")
                dying.cancel()
                await eventually(lambda: is_done(double, order_id), "the other has finished it")
                await all_is_answered(double)
        assert [entry.order for entry in simulator.entries()] == [order_id]


async def test_a_failing_purchase_is_tried_again_ever_later_then_parked_and_holds_up_no_other(
    double: Cluster, tmp_path: Path
) -> None:
    async with shop(double, tmp_path, 0.2, 0.4, 0.8) as here:
        failing = uuid4().hex
        here.till.away_for.add(failing)
        await left_lying(here.dead, order_id=failing)
        sound = await left_lying(here.dead)
        await eventually(lambda: is_done(double, sound), "the other purchase is finished")
        assert kinds(double, f"parking-{failing}") == []
        await eventually(lambda: kinds(double, f"parking-{failing}"), "it is parked")
        await all_is_answered(double)
        times = [at for order_id, at in here.till.asked if order_id == failing]
        assert len(times) == 4
        assert all(
            later - earlier >= wait
            for (earlier, later), wait in zip(pairwise(times), (0.2, 0.4, 0.8), strict=True)
        )
        stands = (await here.one.desk.load(parking.parking, failing)).state
        assert stands == parking.Parked("authorize", "PaymentsUnavailable: the provider is away", 4)
        assert group_of(double).parked.count > 0


async def parked(here: Shop) -> str:
    """A purchase that was parked, and whose provider is back."""
    order_id = uuid4().hex
    here.till.away_for.add(order_id)
    await left_lying(here.dead, order_id=order_id)
    await eventually(lambda: kinds(here.double, f"parking-{order_id}"), "it is parked")
    here.till.away_for.clear()
    return order_id


async def test_an_operator_s_retry_has_a_parked_purchase_taken_up_at_once(
    double: Cluster, tmp_path: Path
) -> None:
    async with shop(double, tmp_path) as here:
        order_id = await parked(here)
        await retry_parked(here.dead.desk, order_id, "operator-1")
        await eventually(lambda: is_done(double, order_id), "it is finished")


async def test_what_is_given_out_again_for_a_skipped_purchase_is_left_as_it_is(
    double: Cluster, tmp_path: Path
) -> None:
    async with shop(double, tmp_path) as here:
        order_id = await parked(here)
        here.till.away_for.add(order_id)
        await skip_parked(here.dead.desk, order_id, "operator-1", "paid by hand")
        await all_is_answered(double)
        group_of(double).replay(None)
        await all_is_answered(double)
        assert group_of(double).parked.count == 0
        assert kinds(double, f"parking-{order_id}") == ["PurchaseParked", "PurchaseSkipped"]


async def test_a_purchase_that_a_request_drives_costs_no_call_more(double: Cluster, tmp_path: Path) -> None:
    async with shop(double, tmp_path) as here:
        ticket_id, order_id = uuid4().hex, uuid4().hex
        market = here.one.marketplace
        await market.list_ticket(ticket_id, "seller", "A seat", PRICE, because("list"))
        await all_is_answered(double)
        double.calls.clear()
        await market.reserve(order_id, ticket_id, "buyer", because("reserve"))
        await market.pay(order_id, uuid4().hex, "buyer", "tok_visa", because("pay"))
        driven = double.calls.count(READS), double.calls.count(WRITES)
        await all_is_answered(double)
        assert (double.calls.count(READS), double.calls.count(WRITES)) == driven
        assert driven[1] <= 8


async def test_a_purchase_that_waits_for_its_buyer_is_answered_and_looked_at_by_whoever_had_it(
    double: Cluster, tmp_path: Path
) -> None:
    async with shop(double, tmp_path) as here:
        order_id = await left_lying(here.dead, "tok_threeDSecure2Required")
        await eventually(lambda: order_id in here.one.adopted, "it waits for the buyer")
        await all_is_answered(double)
        assert isinstance((await here.one.marketplace.order(order_id)).state, order.Paying)


async def test_a_payment_s_fact_alone_leads_a_process_that_never_heard_of_it_to_its_order(
    double: Cluster, tmp_path: Path
) -> None:
    async with shop(double, tmp_path) as here:
        order_id = await left_lying(here.dead, "tok_threeDSecure2Required")
        await eventually(lambda: order_id in here.one.adopted, "it waits for the buyer")
        await all_is_answered(double)
    async with shop(double, tmp_path) as here:
        (name,) = [stream for stream in double.log.streams if stream.startswith("payment-")]
        payment_id = name.removeprefix("payment-")
        await here.till.inner.confirm(payment_id, ok=True)
        said = f'{{"reference":"pi_{payment_id}"}}'.encode()
        await _write(double, name, NewEvent("PaymentAuthorized", said, metadata=_metadata(1)))
        await eventually(lambda: is_done(double, order_id), "it is finished")


async def test_a_fact_of_a_newer_version_is_named_and_set_aside_and_holds_up_no_other(
    double: Cluster, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with shop(double, tmp_path) as here:
        stream = f"order-{uuid4().hex}"
        await _write(double, stream, NewEvent("OrderPlaced", b"{}", metadata=_metadata(99)))
        order_id = await left_lying(here.dead)
        await eventually(lambda: is_done(double, order_id), "the other purchase is finished")
        await eventually(lambda: group_of(double).parked.count == 1, "it is set aside")
        await all_is_answered(double)
        named = [line for line in caplog.messages if stream in line]
        assert len(named) == 1
        assert "schema 99" in named[0]


async def _write(double: Cluster, stream: str, *events: NewEvent) -> None:
    async with connected("async", double.uri()) as client:
        await client.append_to_stream(stream, current_version=StreamState.ANY, events=events)


def _metadata(schema: int) -> bytes:
    about = f'"actor":"provider","at":"2026-11-22T12:00:00Z","schema":{schema}'
    return f'{{"$correlationId":"{uuid4()}","$causationId":"1",{about}}}'.encode()
