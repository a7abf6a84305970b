"""Faults on demand, as the official SDK's clients meet them. https://docs.stripe.com/error-low-level"""

import asyncio
import time

import httpx
import pytest
import stripe

from tests.stripe.faults import Action, Fault
from tests.stripe.paying import authorized, error_of, purchase, until
from tests.stripe.running import RunningStripe


@pytest.mark.parametrize("reset", [False, True])
async def test_a_lost_reply_leaves_the_deed_done(
    double: RunningStripe, client: stripe.StripeClient, reset: bool
) -> None:
    intent = await authorized(client)
    await double.control.fault(
        Fault(operation="payment_intents.capture", action="lose_reply", reset=reset, contains=intent.id)
    )
    with pytest.raises(stripe.APIConnectionError) as lost:
        await client.v1.payment_intents.capture_async(intent.id)
    assert isinstance(lost.value.__cause__, httpx.ReadError if reset else httpx.RemoteProtocolError)
    assert (await client.v1.payment_intents.retrieve_async(intent.id)).status == "succeeded"


async def test_a_lost_request_leaves_nothing_done(double: RunningStripe, client: stripe.StripeClient) -> None:
    intent = await authorized(client)
    await double.control.fault(Fault(operation="payment_intents.capture", action="lose_request"))
    with pytest.raises(stripe.APIConnectionError):
        await client.v1.payment_intents.capture_async(intent.id)
    assert (await client.v1.payment_intents.retrieve_async(intent.id)).status == "requires_capture"
    assert (await client.v1.payment_intents.capture_async(intent.id)).status == "succeeded"


async def test_too_many_requests_say_when_to_come_again(
    double: RunningStripe, client: stripe.StripeClient
) -> None:
    """https://docs.stripe.com/rate-limits"""
    await double.control.fault(Fault(action="error", status=429, retry_after=7))
    with pytest.raises(stripe.RateLimitError) as refused:
        await authorized(client)
    assert refused.value.http_status == 429
    assert error_of(refused.value)["code"] == "rate_limit"
    assert refused.value.headers is not None
    assert refused.value.headers["retry-after"] == "7"


async def test_a_slow_call_is_done_though_nobody_waits_for_it(double: RunningStripe) -> None:
    hasty = double.client(http_client=stripe.HTTPXClient(timeout=0.5))
    await double.control.fault(Fault(operation="payment_intents.create", action="hold"))
    with pytest.raises(stripe.APIConnectionError):
        await hasty.v1.payment_intents.create_async(purchase(), {"idempotency_key": "k1"})
    assert not await double.control.orders()
    await double.control.clear_faults()
    await until(double.control.orders)
    again = await double.client().v1.payment_intents.create_async(purchase(), {"idempotency_key": "k1"})
    assert again.status == "requires_capture"
    assert (await double.control.orders())["o1"].authorized == 2500


@pytest.mark.parametrize("action", ["hold", "hold_reply"])
async def test_a_call_is_held_before_or_after_the_deed(
    double: RunningStripe, client: stripe.StripeClient, action: Action
) -> None:
    await double.control.fault(Fault(operation="payment_intents.create", action=action))
    paying = asyncio.create_task(client.v1.payment_intents.create_async(purchase()))
    await double.control.until_struck()
    assert bool(await double.control.orders()) == (action == "hold_reply")
    assert not paying.done()
    await double.control.clear_faults()
    assert (await paying).status == "requires_capture"


@pytest.mark.parametrize("action", ["slow", "slow_reply"])
async def test_an_answer_takes_at_least_as_long_as_it_is_told_to(
    double: RunningStripe, client: stripe.StripeClient, action: Action
) -> None:
    await double.control.fault(Fault(action=action, seconds=0.3))
    before = time.monotonic()
    await client.v1.payment_intents.create_async(purchase())
    assert time.monotonic() - before >= 0.3


async def test_a_fault_strikes_the_calls_that_it_is_meant_for(
    double: RunningStripe, client: stripe.StripeClient
) -> None:
    await double.control.fault(
        Fault(operation="payment_*.create", action="error", contains="o2", skip=1, times=2)
    )

    async def pays(order: str) -> bool:
        try:
            await authorized(client, metadata={"order": order})
        except stripe.APIError:
            return False
        return True

    assert [await pays(order) for order in ("o1", "o2", "o2", "o1", "o2", "o2")] == [
        True,
        True,
        False,
        True,
        False,
        True,
    ]
    assert [fault.struck for fault in await double.control.faults()] == [2]
    await double.control.clear_faults()
    assert not await double.control.faults()


@pytest.mark.parametrize("moment", ["die_before", "die_after"])
async def test_the_ledger_survives_a_kill_before_and_after_the_deed(
    double: RunningStripe, moment: Action
) -> None:
    client = double.client()
    intent = await authorized(client)
    options: stripe.RequestOptions = {"idempotency_key": "capture-1"}
    await double.control.fault(Fault(operation="payment_intents.capture", action=moment))
    with pytest.raises(stripe.APIConnectionError):
        await client.v1.payment_intents.capture_async(intent.id, {}, options)
    await double.ended()
    await double.restart()
    known = await client.v1.payment_intents.retrieve_async(intent.id)
    assert known.status == ("succeeded" if moment == "die_after" else "requires_capture")
    again = await client.v1.payment_intents.capture_async(intent.id, {}, options)
    assert again.status == "succeeded"
    sums = (await double.control.orders())["o1"]
    assert (sums.captures, sums.captured) == (1, 2500)
