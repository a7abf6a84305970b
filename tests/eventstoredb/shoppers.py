"""People who buy over HTTP until they are served, and what must be true when all is over.

Whoever gets no answer asks again under the same key, as the answer tells him to. What was answered with
201 is noted, and looked for in the log afterwards.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import httpx

from deploy.settings import Settings
from domain import order, payment, ticket
from gateways.card_ledger import CardLedger
from tests.eventstoredb.cluster import Cluster
from tests.http.shop import soon
from tests.live.crowd import signed_in
from tests.simulation.mirror import Mirror
from tests.simulation.words import Words

ASKED_AT_MOST = 60
PAUSE = 0.1
"""Seconds before somebody asks again."""
OVER = 20.0
"""Seconds after the last fault within which everything must have come to its end."""


class Open(Protocol):
    """A shop that can be asked as somebody: one in this process, or one that is served."""

    def client(self, user: str | None = None) -> httpx.AsyncClient: ...


class Served:
    """A shop that is served on a port, by however many processes."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def client(self, user: str | None = None) -> httpx.AsyncClient:
        headers = {} if user is None else {"cookie": signed_in(user)}
        return httpx.AsyncClient(base_url=self._url, headers=headers, timeout=30)


class Shoppers:
    """``shops``: several over one log. Each request goes to one of them, in turn."""

    def __init__(self, shops: Sequence[Open]) -> None:
        self._shops = shops
        self._asked = 0
        self.listed: set[str] = set()
        self.ordered: dict[str, str] = {}
        """Orders that were answered with 201, and their tickets."""
        self.paid: dict[str, str] = {}
        """Payments that were, and their orders."""

    async def crowd(self, name: str) -> None:
        """Some buy a ticket each, three want the same one, and one leaves his hold to itself."""
        await asyncio.gather(
            *(self._buy([f"{name}-{number}"]) for number in range(3)),
            self._buy([f"{name}-rival-{number}" for number in range(3)]),
            self._forget(f"{name}-forgetful"),
        )

    async def _buy(self, names: Sequence[str]) -> None:
        """All of them the same ticket."""
        ticket_id = await self._lists(names[0])
        await asyncio.gather(*(self._buys(name, ticket_id) for name in names))

    async def _forget(self, name: str) -> None:
        await self._reserves(name, await self._lists(name))

    async def _buys(self, name: str, ticket_id: str) -> None:
        order_id = await self._reserves(name, ticket_id)
        if order_id is not None:
            await self._pays(name, order_id)

    async def _lists(self, name: str) -> str:
        answer = await self._ask(f"{name}-seller", "/api/tickets", {"title": name, "price": "20.00"})
        assert answer.status_code == 201, answer.text
        ticket_id: str = answer.json()["id"]
        self.listed.add(ticket_id)
        return ticket_id

    async def _reserves(self, name: str, ticket_id: str) -> str | None:
        answer = await self._ask(name, "/api/orders", {"ticketId": ticket_id})
        assert answer.status_code in {201, 400}, answer.text
        if answer.status_code == 400:
            return None
        order_id: str = answer.json()["id"]
        self.ordered[order_id] = ticket_id
        return order_id

    async def _pays(self, name: str, order_id: str) -> None:
        answer = await self._ask(name, "/api/payments", {"token": "tok_visa", "orderId": order_id})
        assert answer.status_code in {201, 400}, answer.text
        if answer.status_code == 201:
            self.paid[answer.json()["id"]] = order_id

    async def _ask(self, who: str, path: str, body: dict[str, Any]) -> httpx.Response:
        """Ask, any process, until there is an answer."""
        headers = {"idempotency-key": f"{who}{path}"}
        for _ in range(ASKED_AT_MOST):
            self._asked += 1
            shop = self._shops[self._asked % len(self._shops)]
            async with shop.client(who) as client:
                answer = await client.post(path, json=body, headers=headers)
            if answer.status_code != 503:
                return answer
            assert "retry-after" in answer.headers
            await asyncio.sleep(PAUSE)
        raise AssertionError(f"{who} was never served at {path}: {answer.text}")

    # ── When all is over ──────────────────────────────────────────────────────────────────────────

    async def all_is_well(self, double: Cluster, data: Path) -> None:
        """Every process ready, every purchase at its end, and log, answers and money in agreement."""
        await soon(self._all_are_ready, OVER)
        await soon(lambda: _nothing_is_open(double), OVER)
        words = _read(double)
        self._no_answer_is_lost(words)
        _money_agrees(words, data)

    async def _all_are_ready(self) -> bool:
        return all([await _is_ready(shop) for shop in self._shops])

    def _no_answer_is_lost(self, words: Words) -> None:
        assert self.listed <= words.tickets.keys()
        for order_id, ticket_id in self.ordered.items():
            assert words.placed[order_id].ticket == ticket_id
        for payment_id, order_id in self.paid.items():
            assert words.payments[payment_id] == "captured"
            assert words.orders[order_id] == ("completed", payment_id)
            assert words.tickets[words.placed[order_id].ticket] == ("sold", order_id)
        assert self.paid, "nobody got what he wanted: this proves nothing"


def _read(double: Cluster) -> Words:
    """What the log comes to. Raises Violation for an event that must not stand where it stands."""
    mirror, words = Mirror(double.log), Words()
    mirror.catch_up()
    words.read(mirror.facts)
    return words


async def _nothing_is_open(double: Cluster) -> bool:
    words = _read(double)
    return (
        all(standing != "held" for standing, _ in words.tickets.values())
        and all(standing in {"completed", "cancelled"} for standing, _ in words.orders.values())
        and all(standing in {"captured", "voided", "refunded"} for standing in words.payments.values())
    )


async def _is_ready(shop: Open) -> bool:
    async with shop.client() as client:
        return (await client.get("/readyz")).status_code == 200


def _money_agrees(words: Words, data: Path) -> None:
    """Who has a ticket has paid its price, once; who has none has paid nothing, or has it back."""
    ledger = CardLedger(Settings(data=data).ledger)
    try:
        entries = list(ledger.entries())
    finally:
        ledger.close()
    captures = Counter(entry.attempt for entry in entries if entry.kind == "capture")
    assert not [attempt for attempt, times in captures.items() if times > 1], "charged twice"
    kept: Counter[str] = Counter()
    for entry in entries:
        kept[entry.order] += entry.amount.amount if entry.kind == "capture" else -entry.amount.amount
    sold = {order_id for standing, order_id in words.tickets.values() if standing == "sold"}
    for order_id, placed in words.placed.items():
        assert kept[order_id] == (placed.price.amount if order_id in sold else 0)


STEPS = (
    ticket.TicketListed,
    ticket.TicketReserved,
    order.OrderPlaced,
    order.PaymentStarted,
    payment.PaymentRequested,
    payment.PaymentAuthorized,
    ticket.TicketSold,
    payment.PaymentCaptured,
    order.OrderCompleted,
)
"""Every append of a purchase, by the event that it writes."""
