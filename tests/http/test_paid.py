"""One payment and its dispute pack: to whom they are told, what is in them, and what never is."""

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from domain.money import Money
from processmanager.desk import Cause
from tests.deploy.running import admitone
from tests.http.conftest import Open
from tests.http.shop import BEARER, OPERATOR, SOME_ID, Shop, made

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


async def bought(shop: Shop, buyer: str = "buyer", request: str = "request-of-buyer", **of: Any) -> str:
    """A ticket bought by ``buyer``; the payment's id."""
    order = await shop.ordered(of.get("ticket") or await shop.listed(), buyer)
    return await paid(shop, order, buyer, request)


async def paid(
    shop: Shop, order: dict[str, Any], buyer: str = "buyer", request: str = "request-of-buyer"
) -> str:
    told = {"token": "tok_visa", "orderId": order["id"]}
    answer = await shop.client(buyer).post("/api/payments", json=told, headers={"x-request-id": request})
    name: str = made(answer)["id"]
    return name


async def ask(shop: Shop, path: str, user: str | None = None, **headers: str) -> httpx.Response:
    return await shop.client(user).get(f"/api/v1/payments/{path}", headers=headers)


# ── To whom ───────────────────────────────────────────────────────────────────────────────────────


async def test_a_payment_is_told_to_its_buyer_and_to_an_operator(shop: Shop) -> None:
    payment = await bought(shop)
    for user, headers in (("buyer", {}), (None, BEARER), ("somebody", BEARER)):
        answer = await ask(shop, payment, user, **headers)
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert (told["id"], told["status"], told["amount"], told["kept"]) == (payment, "captured", 20, 20)
        assert told["reference"] == f"pi_{payment}"
        assert [entry["event"] for entry in told["history"]][-1] == "PaymentCaptured"
        assert answer.headers["vary"] == "accept, cookie"


@pytest.mark.parametrize(
    ("user", "headers", "status"),
    [
        (None, {}, 401),
        ("seller", {}, 403),
        ("somebody", {}, 403),
        (None, {"authorization": "Bearer "}, 401),
        (None, {"authorization": f"Bearer {OPERATOR}x"}, 401),
        ("buyer", {"authorization": "Bearer guessed"}, 401),
        (None, {"authorization": f"Basic {OPERATOR}"}, 401),
    ],
)
async def test_a_payment_is_told_to_nobody_else(
    shop: Shop, user: str | None, headers: dict[str, str], status: int
) -> None:
    payment = await bought(shop)
    assert (await ask(shop, payment, user, **headers)).status_code == status


@pytest.mark.parametrize(
    ("user", "headers"), [(None, {}), ("buyer", {}), (None, {"authorization": "Bearer guessed"})]
)
async def test_a_dispute_pack_is_for_operators_alone(
    shop: Shop, user: str | None, headers: dict[str, str]
) -> None:
    payment = await bought(shop)
    assert (await ask(shop, f"{payment}/dispute-pack", user, **headers)).status_code == 401
    assert (await ask(shop, f"{payment}/dispute-pack", **BEARER)).status_code == 200


async def test_where_no_key_is_set_nobody_is_an_operator(open_shop: Open) -> None:
    shop = await open_shop(operator_key=())
    payment = await bought(shop)
    for shown in ("", "None", OPERATOR):
        assert (await ask(shop, payment, authorization=f"Bearer {shown}")).status_code == 401


@pytest.mark.parametrize("path", [SOME_ID, f"{SOME_ID}/dispute-pack"])
async def test_a_payment_that_is_not_there(shop: Shop, path: str) -> None:
    assert (await ask(shop, path, **BEARER)).status_code == 404


async def test_a_payment_is_told_as_it_was(shop: Shop) -> None:
    payment = await bought(shop)
    facts = await shop.stream(f"payment-{payment}")
    told = (await ask(shop, f"{payment}?asOf={facts[0].position}", "buyer")).json()
    assert (told["status"], told["kept"], len(told["history"])) == ("requested", 0, 1)


async def test_a_refund_is_told_with_its_reason(shop: Shop) -> None:
    payment = await bought(shop)
    facts = await shop.stream(f"payment-{payment}")
    cause = Cause("request", "refund:x", "operator")
    await shop.application.marketplace.refund(facts[0].event.order, "seat broken", cause, Money(500, "usd"))
    told = (await ask(shop, payment, "buyer")).json()
    assert told["kept"] == 15
    assert [(each["amount"], each["reason"]) for each in told["refunds"]] == [(5, "seat broken")]


# ── The dispute pack ──────────────────────────────────────────────────────────────────────────────


async def test_a_dispute_pack_tells_who_what_and_when_with_references_and_request_ids(shop: Shop) -> None:
    payment = await bought(shop)
    told = (await ask(shop, f"{payment}/dispute-pack", **BEARER)).json()
    assert [(step["event"], step["who"]) for step in told["timeline"]] == [
        ("TicketReserved", "the buyer"),
        ("OrderPlaced", "the buyer"),
        ("PaymentStarted", "the buyer"),
        ("PaymentRequested", "the buyer"),
        ("PaymentAuthorized", "the buyer"),
        ("TicketSold", "the buyer"),
        ("PaymentCaptured", "the buyer"),
        ("OrderCompleted", "the buyer"),
    ]
    assert "request-of-buyer" in told["requests"]
    captured = told["timeline"][6]
    assert (captured["reference"], captured["request"]) == (f"pi_{payment}", "request-of-buyer")
    assert captured["stream"] == f"payment-{payment}"
    assert told["attempts"] == [
        {"payment": payment, "status": "captured", "amount": 20, "kept": 20, "method": "tok_visa",
         "reference": f"pi_{payment}"}
    ]  # fmt: skip
    assert (told["buyer"], told["price"], told["currency"]) == ("buyer", 20, "usd")


async def test_a_dispute_pack_tells_nothing_of_other_people(shop: Shop) -> None:
    """Others had held this ticket before, and had it after; others buy beside; an operator had a say."""
    ticket = await shop.listed("canary-seller")
    before = await shop.ordered(ticket, "canary-before")
    await shop.client("canary-before").delete(
        f"/api/orders/{before['id']}", headers={"x-request-id": "canary-request-before"}
    )
    payment = await bought(shop, "the-one", ticket=ticket)
    order = (await shop.stream(f"payment-{payment}"))[0].event.order
    beside = await bought(shop, "canary-beside", "canary-request-beside")
    cause = Cause(order, f"refund:{order}:all:x", "alice")
    await shop.application.marketplace.refund(order, "the show is off", cause)
    after = await shop.ordered(ticket, "canary-after")
    afterwards = await paid(shop, after, "canary-after", "canary-request-after")
    others = (before["id"], after["id"], beside, afterwards, "canary")
    for headers in (BEARER, {**BEARER, **BROWSER}):
        text = (await ask(shop, f"{payment}/dispute-pack", **headers)).text
        assert order in text
        assert "the-one" in text
        assert [word for word in others if word in text] == []
        assert "the operator (alice)" in text
    for user in ("the-one", None):
        text = (await ask(shop, payment, user, **({} if user else BEARER))).text
        assert [word for word in others if word in text] == []


async def test_the_page_of_a_dispute_pack_loads_nothing_and_says_the_same(shop: Shop) -> None:
    payment = await bought(shop)
    told = (await ask(shop, f"{payment}/dispute-pack", **BEARER)).json()
    answer = await ask(shop, f"{payment}/dispute-pack", **BEARER, **BROWSER)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert not re.search(r"<script|<img|<link|https?://", answer.text)
    for step in told["timeline"]:
        assert step["event"] in answer.text
        assert step["request"] in answer.text
    assert f"pi_{payment}" in answer.text


async def test_the_command_line_gives_the_same_pack(shop: Shop, store: str, tmp_path: Path) -> None:
    payment = await bought(shop)
    there = await ask(shop, f"{payment}/dispute-pack", **BEARER)
    words = ("dispute-pack", payment, "--data", str(tmp_path), "--store", store)
    done = await asyncio.to_thread(admitone, *words)
    assert (done.returncode, done.stdout) == (0, there.text + "\n"), done.stderr
    page = await asyncio.to_thread(admitone, *words, "--page")
    assert page.stdout.startswith("<!doctype html>")
    none = await asyncio.to_thread(admitone, *words[:1], "nobody", *words[2:])
    assert (none.returncode, none.stderr) == (1, "admitone: there is no payment nobody\n")
