"""The buyer comes back from his bank: he is told how his payment stands, and goes on."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from gateways.http.turn import GOES_FIRST
from tests.payments.stripe_shop import StripeShop, stripe_shop
from tests.stripe.faults import Fault
from tests.stripe.running import RunningStripe

RETURN = "/api/payments/return"
PAGE = {"accept": "text/html"}
CARD = "pm_card_threeDSecure2Required"


@pytest.fixture
async def till(tmp_path: Path, double: RunningStripe) -> AsyncIterator[StripeShop]:
    """Nobody tells the shop anything but the buyer who comes back."""
    url = f"http://127.0.0.1:8000{RETURN}?next=/tickets/mine"
    async with stripe_shop(tmp_path / "data", double, webhooks=False, stripe_return_url=url) as shop:
        yield shop


async def sent_back(till: StripeShop, order: dict[str, Any], outcome: str) -> str:
    """Through the bank's page, as a browser goes: the address that it leads back to."""
    answer = await till.pay(order, CARD)
    assert answer.status_code == 202
    async with httpx.AsyncClient(trust_env=False) as browser:
        done = await browser.post(answer.json()["page"], data={"outcome": outcome})
    assert done.status_code == 303
    return done.headers["location"]


async def test_who_confirmed_at_his_bank_comes_back_to_a_ticket_that_is_his(till: StripeShop) -> None:
    """A browser without his cookies, for the bank's page may send him so."""
    order = await till.reserved()
    back = await sent_back(till, order, "succeeded")
    answer = await till.shop.client().get(back, headers=PAGE)
    assert answer.status_code == 200
    assert "the ticket is yours" in answer.text
    assert '<a href="/tickets/mine">' in answer.text
    assert "_secret_" not in answer.text
    assert await till.status(order) == "complete"
    assert await till.sums(order) == (0, 2000, 0)


async def test_who_failed_at_his_bank_is_told_and_how_long_another_card_is_taken(till: StripeShop) -> None:
    order = await till.reserved()
    back = await sent_back(till, order, "failed")
    answer = await till.shop.client().get(back)
    body = answer.json()
    assert (body["orderId"], body["status"], body["settled"]) == (order["id"], "created", True)
    assert "no money is kept" in body["said"]
    assert body["until"] == order["expiresAt"]
    assert (await till.pay(order)).status_code == 201


async def test_coming_back_buys_a_ticket_and_so_does_not_go_before_those_who_only_read(
    till: StripeShop,
) -> None:
    """The application runs in the context of its caller here, as it does in that of the server's task."""
    back = await sent_back(till, await till.reserved(), "succeeded")
    GOES_FIRST.set(True)  # as the server says of every GET
    assert (await till.shop.client().get("/api/tickets")).status_code == 200
    assert GOES_FIRST.get()
    assert (await till.shop.client().get(back)).status_code == 200
    assert not GOES_FIRST.get()


@pytest.mark.parametrize("origin", ["https://bank.example", "null"])
async def test_a_bank_may_send_him_back_with_a_form(till: StripeShop, origin: str) -> None:
    order = await till.reserved()
    back = await sent_back(till, order, "succeeded")
    headers = PAGE | {"origin": origin, "sec-fetch-site": "cross-site"}
    answer = await till.shop.client().post(back, headers=headers)
    assert answer.status_code == 200
    assert "the ticket is yours" in answer.text


async def test_what_the_address_says_of_the_outcome_is_not_believed(till: StripeShop) -> None:
    order = await till.reserved()
    secret = (await till.pay(order, CARD)).json()["clientSecret"]
    told = {
        "payment_intent": await till.intent_of(order),
        "payment_intent_client_secret": secret,
        "redirect_status": "succeeded",
    }
    body = (await till.shop.client().get(RETURN, params=told)).json()
    assert (body["status"], body["settled"]) == ("awaiting:payment", False)
    assert "still waits" in body["said"]
    assert await till.sums(order) == (0, 0, 0)


async def test_who_does_not_have_the_secret_is_told_nothing(till: StripeShop) -> None:
    order = await till.reserved()
    back = await sent_back(till, order, "succeeded")
    told = {name: value[0] for name, value in parse_qs(urlsplit(back).query).items()}
    other = {**told, "payment_intent_client_secret": told["payment_intent_client_secret"][:-1] + "_"}
    head = till.shop.head()
    client = till.shop.client()
    assert (await client.get(RETURN, params=other)).status_code == 404
    assert (await client.get(RETURN, params=other, headers=PAGE)).status_code == 404
    assert (await client.get(RETURN, params={**told, "payment_intent": "pi_nobodys"})).status_code == 404
    assert till.shop.head() == head


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"payment_intent": "pi_1"},
        {"payment_intent": "../charges/ch_1", "payment_intent_client_secret": "x"},
        {"payment_intent": "pi_1", "payment_intent_client_secret": "x\n"},
        {"payment_intent": "pi_" + "x" * 500, "payment_intent_client_secret": "x"},
    ],
)
async def test_an_address_that_names_no_payment_is_refused_and_nobody_asked(
    till: StripeShop, wrong: dict[str, str]
) -> None:
    answer = await till.shop.client().get(RETURN, params=wrong)
    assert answer.status_code == 400
    assert answer.json()["errors"]
    page = await till.shop.client().get(RETURN, params=wrong, headers=PAGE)
    assert (page.status_code, page.headers["content-type"]) == (400, "text/html; charset=utf-8")
    assert await till.double.control.calls("payment_intents.retrieve") == []


@pytest.mark.parametrize(
    "onward", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x"]
)
async def test_nobody_is_led_elsewhere(till: StripeShop, onward: str) -> None:
    order = await till.reserved()
    back = await sent_back(till, order, "succeeded")
    told = {name: value[0] for name, value in parse_qs(urlsplit(back).query).items()} | {"next": onward}
    answer = await till.shop.client().get(RETURN, params=told, headers=PAGE)
    assert answer.status_code == 200
    assert answer.text.count("<a ") == answer.text.count('<a href="/">') == 1, "the way home, and no other"


async def test_while_stripe_cannot_be_reached_he_is_asked_to_come_again(till: StripeShop) -> None:
    order = await till.reserved()
    back = await sent_back(till, order, "succeeded")
    await till.double.control.fault(Fault(action="lose_request", times=None))
    assert (await till.shop.client().get(back)).status_code == 503
    await till.double.control.clear_faults()
    assert (await till.shop.client().get(back)).json()["status"] == "complete"


async def test_the_card_simulator_sends_nobody_anywhere(tmp_path: Path, double: RunningStripe) -> None:
    async with stripe_shop(
        tmp_path / "data", double, webhooks=False, stripe_secret_key="", stripe_webhook_secrets=()
    ) as till:
        assert (await till.shop.client().get(RETURN)).status_code == 404
