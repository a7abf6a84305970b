"""Webhooks: signed, repeated, in any order. https://docs.stripe.com/webhooks"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import get_args

import pytest

from tests.stripe.forging import Flaw
from tests.stripe.listening import Receiver, receiving
from tests.stripe.paying import authorized, captured, until
from tests.stripe.running import SECRET, RunningStripe, running_stripe
from tests.stripe.webhooks import Delivery, Rule, Target

OLD_SECRET = "whsec_before_rotation"
PURCHASE = [
    "payment_intent.created",
    "payment_intent.amount_capturable_updated",
    "charge.succeeded",
    "charge.captured",
    "payment_intent.succeeded",
]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as one:
        yield one


@pytest.fixture
async def telling(tmp_path: Path, receiver: Receiver) -> AsyncIterator[RunningStripe]:
    """A double that tells the receiver."""
    async with running_stripe(
        tmp_path, webhook=receiver.url, secrets=(SECRET, OLD_SECRET), retries=(0.02, 0.02)
    ) as running:
        yield running


async def test_a_purchase_is_told_and_signed_with_each_secret(
    telling: RunningStripe, receiver: Receiver
) -> None:
    intent = await captured(telling.client())
    received = await receiver.until(5)
    assert sorted(receiver.types) == sorted(PURCHASE)
    for each in received:
        assert each.is_true(SECRET)
        assert each.is_true(OLD_SECRET)
        assert not each.is_true("whsec_of_somebody_else")
        assert str(each.signature).count("v1=") == 2
    last = next(each.event for each in received if each.event["type"] == "payment_intent.succeeded")
    assert (last["object"], last["livemode"], last["id"][:4]) == ("event", False, "evt_")
    assert last["data"]["object"]["id"] == intent.id
    assert last["data"]["object"]["status"] == "succeeded"
    assert last["request"]["id"].startswith("req_")
    assert last["request"]["idempotency_key"]


async def test_an_event_shows_its_object_as_it_was_then(telling: RunningStripe, receiver: Receiver) -> None:
    await captured(telling.client())
    events = {each.event["type"]: each.event for each in await receiver.until(5)}
    was = events["payment_intent.amount_capturable_updated"]["data"]["object"]
    assert (was["status"], was["amount_capturable"]) == ("requires_capture", 2500)


async def test_what_is_not_taken_is_sent_again_a_few_times(
    telling: RunningStripe, receiver: Receiver
) -> None:
    await telling.control.rule(Rule(action="drop", type="charge.*"))
    receiver.statuses = [500, 302]
    await telling.client().v1.customers.create_async({})
    received = await receiver.until(3)
    assert len({each.event["id"] for each in received}) == 1
    await _settled(telling)
    (delivery,) = await telling.control.deliveries()
    assert (delivery.state, delivery.answers) == ("delivered", [500, 302, 200])


async def test_who_never_takes_it_is_given_up(telling: RunningStripe, receiver: Receiver) -> None:
    receiver.statuses = [500] * 3
    await telling.client().v1.customers.create_async({})
    await receiver.until(3)
    await _settled(telling)
    assert [each.state for each in await telling.control.deliveries()] == ["failed"]


async def test_events_are_dropped_doubled_and_delayed_on_demand(
    telling: RunningStripe, receiver: Receiver
) -> None:
    await telling.control.rule(Rule(action="drop", type="charge.*"))
    await telling.control.rule(Rule(action="double", type="payment_intent.created", copies=3))
    await telling.control.rule(Rule(action="delay", type="payment_intent.amount_*", seconds=3600))
    await captured(telling.client())
    await receiver.until(4)
    assert sorted(receiver.types) == ["payment_intent.created"] * 3 + ["payment_intent.succeeded"]
    await telling.control.move_clock(3601)
    await receiver.until(5)
    assert receiver.types[-1] == "payment_intent.amount_capturable_updated"
    states = {each.type: each.state for each in await telling.control.deliveries()}
    assert states["charge.captured"] == "dropped"


async def test_events_are_held_and_delivered_in_any_order_and_as_often_as_wanted(
    telling: RunningStripe, receiver: Receiver
) -> None:
    await telling.control.rule(Rule(action="hold"))
    await captured(telling.client())
    held = await _held(telling, 5)
    assert [each.type for each in held] == PURCHASE
    assert not receiver.received
    order = [held[4].event, held[0].event, held[4].event, held[2].event]
    assert await telling.control.deliver(order) == [200] * 4
    assert [each.event["id"] for each in receiver.received] == order
    left = await telling.control.deliveries("held")
    assert [each.type for each in left] == [PURCHASE[1], PURCHASE[3]]
    await telling.control.clear_rules()


@pytest.mark.parametrize("flaw", get_args(Flaw))
async def test_a_forged_webhook_is_not_believed(
    telling: RunningStripe, receiver: Receiver, flaw: Flaw
) -> None:
    """All but the flaw that is none, and the time in the future, which the SDK does not look at."""
    await telling.control.rule(Rule(action="hold"))
    await authorized(telling.client())
    event = (await _held(telling, 3))[0].event
    assert await telling.control.forge(flaw, event=event) == 200
    (received,) = await receiver.until(1)
    assert received.is_true(SECRET) == (flaw in {"none", "future"})


async def test_a_webhook_can_be_made_up(telling: RunningStripe, receiver: Receiver) -> None:
    await telling.control.forge("none", type="payment_intent.succeeded", object={"id": "pi_of_nobody"})
    (received,) = await receiver.until(1)
    assert received.is_true(SECRET)
    assert received.event["data"]["object"]["id"] == "pi_of_nobody"


async def test_a_restart_forgets_no_webhook(telling: RunningStripe, receiver: Receiver) -> None:
    await telling.control.rule(Rule(action="delay", seconds=3600))
    await telling.client().v1.customers.create_async({})
    await until(lambda: telling.control.deliveries("waiting"))
    await telling.restart()
    await telling.control.move_clock(3601)
    (received,) = await receiver.until(1)
    assert received.event["type"] == "customer.created"


async def test_a_webhook_that_was_on_its_way_at_a_kill_is_sent_again(
    telling: RunningStripe, receiver: Receiver
) -> None:
    """At least once: whether it had arrived is not known."""
    receiver.statuses = [0]
    await telling.client().v1.customers.create_async({})
    await receiver.until(1)
    await telling.restart()
    first, again = await receiver.until(2)
    assert first.event["id"] == again.event["id"]


async def test_nobody_is_told_before_an_address_is_given(double: RunningStripe, receiver: Receiver) -> None:
    await captured(double.client())
    assert {each.state for each in await double.control.deliveries()} <= {"new", "unsent"}
    await double.control.send_webhooks_to(Target(url=receiver.url, secrets=[SECRET]))
    await double.client().v1.customers.create_async({})
    await receiver.until(1)
    assert receiver.types == ["customer.created"]


async def test_events_are_listed_newest_first_and_by_type(double: RunningStripe) -> None:
    """https://docs.stripe.com/api/events/list"""
    client = double.client()
    await captured(client)
    listed = await client.v1.events.list_async({"limit": 100})
    assert [event.type for event in reversed(listed.data)] == PURCHASE
    some = await client.v1.events.list_async({"types": ["charge.captured", "charge.succeeded"]})
    assert [event.type for event in some.data] == ["charge.captured", "charge.succeeded"]
    one = await client.v1.events.list_async({"type": "charge.captured"})
    again = await client.v1.events.retrieve_async(one.data[0].id)
    assert again.data.object["captured"] is True


async def _held(double: RunningStripe, count: int) -> list[Delivery]:
    async def all_are() -> list[Delivery]:
        held = await double.control.deliveries("held")
        return held if len(held) == count else []

    return await until(all_are)


async def _settled(double: RunningStripe) -> None:
    """Wait until nothing is on its way."""

    async def nothing_is() -> bool:
        return all(each.state in {"delivered", "failed"} for each in await double.control.deliveries())

    await until(nothing_is)
