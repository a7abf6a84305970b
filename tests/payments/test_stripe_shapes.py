"""What Stripe answers is read as far as it decides something, and what is no answer decides nothing."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from gateways.clock import SystemClock
from gateways.stripe_api import StripeAccess, Unclear
from gateways.stripe_payments import StripePayments
from gateways.stripe_reading import read_intent
from gateways.stripe_shapes import Charge, Intent, Named, Refund, named, noted
from processmanager.ports import IsDeclined, NeedsAction
from tests.payments.stripe_attempts import attempt, authorized, captured, key
from tests.stripe.running import RunningStripe

BARE: dict[str, Any] = {
    "id": "pi_1",
    "object": "payment_intent",
    "status": "canceled",
    "amount": 1999,
    "currency": "usd",
    "created": 1_790_000_000,
}


def intent(**more: Any) -> Intent:
    return msgspec.json.decode(json.dumps(BARE | more), type=Intent)


@asynccontextmanager
async def answering(body: str, status: int = 200) -> AsyncIterator[StripePayments]:
    """An adapter on a server that answers everything with this body."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"{head}Connection: close\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        provider = StripePayments(StripeAccess("sk_test_shapes", url=url, timeout=5), SystemClock())
        yield provider
        await provider.close()


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        "[]",
        "null",
        '"pi_1"',
        "not JSON",
        "",
        json.dumps({"id": "pi_1", "object": "payment_intent"}),
        json.dumps(BARE | {"amount": "1999"}),
        json.dumps(BARE | {"metadata": {"payment": 1}}),
        json.dumps(BARE | {"latest_charge": {"id": "ch_1"}}),
    ],
)
async def test_an_answer_that_is_none_settles_nothing(body: str) -> None:
    async with answering(body) as provider:
        with pytest.raises(Unclear, match=r"^Stripe \w+") as unclear:
            await provider.authorize(attempt(), key("authorize"))
    assert "1999" not in str(unclear.value)


async def test_what_this_version_does_not_know_is_passed_over(
    double: RunningStripe, provider: StripePayments
) -> None:
    """A whole object of Stripe's has fifty fields, and every version of the API may add some."""
    held = await captured(provider, attempt())
    assert held.reference is not None
    whole = await double.client().v1.payment_intents.retrieve_async(held.reference)
    told = whole.to_dict() | {"a_new_field": {"of": ["some", "kind"]}}
    read = msgspec.json.decode(json.dumps(told, default=str), type=Intent)
    assert (read.id, read.status, read.amount) == (held.reference, "succeeded", 1999)
    assert noted(read, "payment") == held.id


def test_a_decline_is_told_by_the_banks_own_code_where_there_is_one() -> None:
    failed = {"code": "card_declined", "decline_code": "insufficient_funds", "message": "No money."}
    assert read_intent(intent(last_payment_error=failed)) == IsDeclined("insufficient_funds", "No money.")
    assert read_intent(intent(last_payment_error={"code": "expired_card"})) == IsDeclined(
        "expired_card", "The payment failed."
    )
    assert read_intent(intent(last_payment_error={})) == IsDeclined("declined", "The payment failed.")


def test_an_intent_that_waits_for_its_buyer_says_for_what() -> None:
    waits = intent(status="requires_action", next_action={"type": "redirect_to_url", "redirect_to_url": {}})
    assert read_intent(waits) == NeedsAction("pi_1", "redirect_to_url")
    assert read_intent(intent(status="requires_action")) == NeedsAction("pi_1", "confirm")


def test_the_secret_of_a_buyer_is_not_shown_where_an_intent_is() -> None:
    secret = intent(client_secret="pi_1_secret_canary")
    assert secret.client_secret == "pi_1_secret_canary"
    assert "canary" not in f"{secret!r} {secret}"


def test_what_an_object_points_to_is_named_whether_it_is_spelt_out_or_not() -> None:
    assert intent(latest_charge="ch_1").latest_charge == "ch_1"
    assert intent(latest_charge={"id": "ch_1", "disputed": True}).latest_charge == Charge(disputed=True)
    assert [named("pi_1"), named(Named("pi_1")), named(None)] == ["pi_1", "pi_1", None]
    bare = {"id": "re_1", "amount": 1, "currency": "usd", "created": 1}
    spelt_out = msgspec.convert(bare | {"payment_intent": {"id": "pi_1", "amount": 2}}, Refund)
    assert named(spelt_out.payment_intent) == "pi_1"
    assert noted(spelt_out, "refund") is None


async def test_a_name_that_is_a_path_is_asked_for_as_a_name(
    double: RunningStripe, provider: StripePayments
) -> None:
    held = await authorized(provider, attempt())
    assert held.reference is not None
    await double.control.forget_calls()
    for name in (f"{held.reference}/capture", f"../refunds?{held.reference}", "pi_1#?&"):
        assert await provider.payment_of(name) is None
    assert {seen.operation for seen in await double.control.calls()} <= {"payment_intents.retrieve", None, ""}
    assert (await double.control.orders())["o1"].captured == 0
