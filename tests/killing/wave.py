"""Many purchases at once in a house that is killed in the midst of them, and what must be true in the end."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from random import Random
from typing import Any, TypeVar

import httpx
from msgspec.structs import replace

from domain import order, payment, ticket
from tests.http.shop import Shop
from tests.killing.house import House, Killed
from tests.killing.mortal import Fate
from tests.killing.plans import Card, Plan
from tests.stripe.controlling import Control, ControlRefused
from tests.stripe.running import RunningStripe

T = TypeVar("T")

PRICE = 2000
PATIENCE = 100.0
"""Seconds within which anything must have come about, on a machine that has much else to do."""
CARDS = 4
"""How many cards a buyer has."""
LATER = timedelta(hours=1)
"""Longer than any hold and grace."""


class Wave:
    """name: decides what is left to chance."""

    def __init__(self, house: House, double: RunningStripe, plans: Sequence[Plan], name: str) -> None:
        self.house = house
        self._double = double
        self._stripe_is_up = asyncio.Event()
        self._stripe_is_up.set()
        self._dice = Random(name)
        self._plans = plans
        self._by_order: dict[str, Plan] = {}
        self._tickets: dict[str, str] = {}
        self._payments: dict[str, str] = {}
        self._struck: set[str] = set()

    async def play(self) -> set[str]:
        """All of it: the plans whose step the process died at. Raises AssertionError for a broken promise."""
        nurse = asyncio.create_task(self._revive_stripe())
        try:
            return await self._play()
        finally:
            nurse.cancel()
            await asyncio.gather(nurse, return_exceptions=True)

    async def _play(self) -> set[str]:
        await self.house.begin(self._immortal())
        for number, plan in enumerate(self._plans):
            order_id, ticket_id = await self._reserve(number)
            self._by_order[order_id], self._tickets[order_id] = plan, ticket_id
        await self.house.kill()
        fate = Fate({name: plan.step for name, plan in self._by_order.items()}, self._payments, self._began)
        await self.house.begin(fate)
        buyers = {name: asyncio.create_task(self._buy(name, plan)) for name, plan in self._by_order.items()}
        await self._until_none(
            lambda: [
                plan.name
                for name, plan in self._by_order.items()
                if name not in fate.reached and not buyers[name].done() and not plan.is_held
            ]
        )
        await self.house.kill()
        await self.house.begin(self._immortal())
        if self._dice.random() < 0.5:
            await asyncio.sleep(self._dice.random() * 0.4)
            await self.house.kill()
            await self.house.begin(self._immortal())
        await asyncio.sleep(self._dice.random() * 0.3)
        await self._tell(Control.clear_faults)
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*buyers.values())
        self.house.clock.ahead = LATER
        await self._settled()
        await self._check()
        await self.house.kill()
        return {self._by_order[name].name for name in fate.reached}

    def _immortal(self) -> Fate:
        return Fate({}, self._payments, self._goes_on)

    # ── Buyers ────────────────────────────────────────────────────────────────────────────────────

    async def _reserve(self, number: int) -> tuple[str, str]:
        shop = self.house.shop
        listed = await shop.listed(title=f"seat {number}", price=PRICE // 100)
        placed = await shop.ordered(listed)
        return placed["id"], listed["id"]

    async def _buy(self, order_id: str, plan: Plan) -> None:
        """With one card after another until one is taken, or the buyer has had enough."""
        card: Card = plan.card
        for number in range(CARDS):
            answer = await self._pay(order_id, card, f"{order_id}-{number}", plan)
            if answer is not None and answer.status_code == 202:
                await self._confirm(answer.json(), plan.confirms)
                answer = await self._pay(order_id, card, f"{order_id}-{number}", plan)
            if answer is None or answer.status_code != 400:
                return
            card = "tok_visa"

    async def _pay(self, order_id: str, card: Card, key: str, plan: Plan) -> httpx.Response | None:
        """The answer in the end; None if the buyer did not wait for it."""
        body = {"token": card, "orderId": order_id}

        async def asked(shop: Shop) -> httpx.Response:
            client = shop.client("buyer")
            return await client.post("/api/payments", json=body, headers={"Idempotency-Key": key})

        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    answer = await self.house.ask(asked)
                except Killed:
                    if not plan.returns:
                        return None
                    continue
                if answer.status_code < 500:
                    return answer
                await asyncio.sleep(0.1)

    async def _confirm(self, needed: dict[str, Any], passes: bool) -> None:
        if secret := needed.get("clientSecret"):
            intent = secret.partition("_secret_")[0]
            with suppress(ControlRefused):  # it may have been confirmed, or ended, meanwhile
                await self._tell(lambda control: control.authenticate(intent, passes))

    # ── Stripe ────────────────────────────────────────────────────────────────────────────────────

    async def _goes_on(self, order_id: str, payment_id: str) -> None:
        """Nothing befalls it."""

    async def _began(self, order_id: str, payment_id: str) -> None:
        """What the plan has for the first attempt, now that it has a name."""
        fault = self._by_order[order_id].fault
        if fault is None or order_id in self._struck:
            return
        self._struck.add(order_id)
        # Who kills Stripe does not ask whose call it was.
        mine = "" if fault.action.startswith("die") else payment_id
        await self._tell(lambda control: control.fault(replace(fault, contains=mine)))

    async def _revive_stripe(self) -> None:
        while True:
            with suppress(TimeoutError):
                await self._double.ended()
                self._stripe_is_up.clear()
                await self._double.start()
                self._stripe_is_up.set()

    async def _tell(self, told: Callable[[Control], Awaitable[T]]) -> T:
        """Also if Stripe dies while it is told."""
        async with asyncio.timeout(PATIENCE):
            while True:
                await self._stripe_is_up.wait()
                try:
                    return await told(self._double.control)
                except (httpx.TransportError, RuntimeError):
                    await asyncio.sleep(0.05)

    # ── The end ───────────────────────────────────────────────────────────────────────────────────

    async def _until_none(self, left: Callable[[], Sequence[str]]) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                while left():  # noqa: ASYNC110 -- it comes about in many tasks
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"neither dead nor done: {left()}") from None

    async def _settled(self) -> None:
        """Until nothing is left to do for any purchase."""
        open_, due = ["not looked yet"], 1
        try:
            async with asyncio.timeout(PATIENCE):
                while open_ or due:
                    await asyncio.sleep(0.1)
                    open_ = [found for name in self._by_order if (found := await self._left(name))]
                    due = self._due()
        except TimeoutError:
            raise AssertionError(f"left to do: {due} on the agenda; {open_}") from None

    async def _left(self, order_id: str) -> str | None:
        market = self.house.application.marketplace
        placed = (await market.order(order_id)).state
        if not isinstance(placed, order.Completed | order.Cancelled):
            return f"{self._by_order[order_id].name}: {placed}"
        for name in (name for name, whose in self._payments.items() if whose == order_id):
            paid = (await market.payment(name)).state
            ends = payment.Declined | payment.Voided | payment.Refunded | payment.Unrequested
            taken = isinstance(placed, order.Completed) and placed.payment == name
            if not isinstance(paid, payment.Captured if taken else ends):
                return f"{self._by_order[order_id].name}: {paid} of {placed}"
        return None

    def _due(self) -> int:
        [agenda] = self.house.places.read_models.glob("*/agenda*.sqlite")
        model = sqlite3.connect(f"file:{agenda}?mode=ro", uri=True)
        try:
            (due,) = model.execute("SELECT count(*) FROM purchase WHERE due_at IS NOT NULL").fetchone()
        finally:
            model.close()
        return int(due)

    async def _check(self) -> None:
        sums = await self._tell(Control.orders)
        market = self.house.application.marketplace
        for name, plan in self._by_order.items():
            ledger = sums.get(name)
            seat = (await market.ticket(self._tickets[name])).state
            placed = (await market.order(name)).state
            sold = isinstance(seat, ticket.Sold) and seat.order == name
            kept, captures, held = (ledger.kept, ledger.captures, ledger.open) if ledger else (0, 0, 0)
            said = f"{plan}: {ledger}, {placed}, {seat}"
            assert kept == PRICE * sold, said
            assert captures <= 1, said
            assert held == 0, said
            assert isinstance(placed, order.Completed) == sold, said
            assert sold or isinstance(seat, ticket.Available), said
        listed = await self._double.client().v1.payment_intents.list_async({"limit": 100})
        async for intent in listed.auto_paging_iter():
            assert intent.status in {"succeeded", "canceled"}, intent
