"""Parts of a process that can be killed: a log and a payment provider out of its reach once it is dead."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from random import Random
from typing import Any, NoReturn, TypeVar
from uuid import UUID

from domain.decider import AnyProposed, AnyRecorded
from domain.order import PaymentStarted
from gateways.embedded import EmbeddedStore
from gateways.raw_log import RawEvent
from gateways.stripe_payments import StripePayments
from processmanager.hints import Hint
from processmanager.ports import Answer, Attempt, Confirmation

T = TypeVar("T")

LONGEST_WAY = 0.03
"""Seconds: at some time within them, whoever dies during a question does."""


async def _for_ever() -> NoReturn:
    await asyncio.get_running_loop().create_future()
    raise AssertionError


class Fate:
    """At which step the process ends for each order, and whether it has ended.

    An order that has come to its step stays there: whoever in this process goes on with it, gets no
    further. ``end`` stops the rest.
    """

    def __init__(
        self, steps: dict[str, str], orders: dict[str, str], on_start: Callable[[str, str], Awaitable[None]]
    ) -> None:
        """steps: by order. orders: by payment, to be filled. on_start: told of order and payment."""
        self.reached: set[str] = set()
        self._steps = steps
        self._orders = orders
        self._on_start = on_start
        self._over = False
        self._dice = Random(len(steps))

    def end(self) -> None:
        self._over = True

    def comes_to(self, order: str, step: str) -> bool:
        return self._steps.get(order) == step

    async def live(self, order: str = "") -> None:
        """Go on, if there is still a life to go on with."""
        if self._over or order in self.reached:
            await _for_ever()

    async def at(self, order: str, step: str) -> None:
        if self.comes_to(order, step):
            self.reached.add(order)
        await self.live(order)

    async def write(
        self, stream: str, events: Sequence[AnyProposed], append: Callable[[], Awaitable[T]]
    ) -> T:
        """An append, with what comes before and after it."""
        order, name = await self._about(stream, events[0].event)
        await self.at(order, f"before {name}")
        done = await append()
        await self.at(order, f"after {name}")
        return done

    async def _about(self, stream: str, event: Any) -> tuple[str, str]:
        category, _, key = stream.partition("-")
        if isinstance(event, PaymentStarted):
            self._orders[event.payment] = key
            await self._on_start(key, event.payment)
        match category:
            case "order":
                order = key
            case "payment":
                order = self._orders.get(key, "")
            case _:
                order = getattr(event, "order", "")
        return order, type(event).__name__

    async def ask(self, verb: str, attempt: Attempt, call: Callable[[], Awaitable[T]]) -> T:
        """A question to the provider. Who dies during it, dies while it is on its way or being answered."""
        await self.live(attempt.order)
        if not self.comes_to(attempt.order, f"during {verb}"):
            answer = await call()
            await self.live(attempt.order)
            return answer
        asked = asyncio.ensure_future(call())
        try:
            await asyncio.sleep(self._dice.random() * LONGEST_WAY)
            await self.at(attempt.order, f"during {verb}")
            raise AssertionError
        finally:
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)


class MortalStore:
    """The embedded store of a process that can be killed."""

    def __init__(self, store: EmbeddedStore, fate: Fate) -> None:
        self.kind = store.kind
        self.head = store.head
        self.health = store.health
        self._store = store
        self._fate = fate

    async def read(self, stream: str, after: int = -1) -> Sequence[AnyRecorded]:
        await self._fate.live()
        return await self._store.read(stream, after)

    async def append(self, stream: str, events: Sequence[AnyProposed], expected: int) -> int:
        return await self._fate.write(stream, events, lambda: self._store.append(stream, events, expected))

    def follow(self, after: int = 0) -> AsyncIterator[Sequence[AnyRecorded]]:
        return self._store.follow(after)

    async def reaches(self, position: int) -> bool:
        return await self._store.reaches(position)

    async def raw(self, stream: str) -> Sequence[RawEvent]:
        return await self._store.raw(stream)

    async def id_at(self, position: int) -> UUID | None:
        return await self._store.id_at(position)

    async def close(self) -> None:
        await self._store.close()


class MortalPayments:
    """Stripe, as a process reaches it that can be killed."""

    def __init__(self, payments: StripePayments, fate: Fate) -> None:
        self._payments = payments
        self._fate = fate

    async def authorize(self, attempt: Attempt, key: str) -> Answer:
        return await self._fate.ask("authorize", attempt, lambda: self._payments.authorize(attempt, key))

    async def look(self, attempt: Attempt) -> Answer:
        return await self._fate.ask("look", attempt, lambda: self._payments.look(attempt))

    async def capture(self, attempt: Attempt, key: str) -> Answer:
        return await self._fate.ask("capture", attempt, lambda: self._payments.capture(attempt, key))

    async def void(self, attempt: Attempt, key: str) -> Answer:
        return await self._fate.ask("void", attempt, lambda: self._payments.void(attempt, key))

    async def refund(self, attempt: Attempt, key: str) -> Answer:
        return await self._fate.ask("refund", attempt, lambda: self._payments.refund(attempt, key))

    async def confirmation(self, attempt: Attempt) -> Confirmation | None:
        return await self._fate.ask("confirmation", attempt, lambda: self._payments.confirmation(attempt))

    async def payment_of(self, reference: str) -> str | None:
        await self._fate.live()
        return await self._payments.payment_of(reference)

    async def returning(self, reference: str, secret: str) -> str | None:
        await self._fate.live()
        return await self._payments.returning(reference, secret)

    async def news(self, since: datetime) -> Sequence[Hint]:
        await self._fate.live()
        return await self._payments.news(since)

    async def close(self) -> None:
        await self._payments.close()
