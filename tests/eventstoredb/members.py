"""Processes that share purchases, as far as they fit into one: each with its own store, desk and pump."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

from msgspec import Struct

from domain import order
from domain.money import Money
from gateways.clock import SystemClock
from gateways.eventstoredb_group import ConsumerGroup
from gateways.payments import CardSimulator
from processmanager.desk import Cause, Desk
from processmanager.marketplace import Marketplace, Policy
from processmanager.ports import Answer, Attempt, Confirmation, Payments, PaymentsUnavailable
from processmanager.pump import Pump
from processmanager.sharing import Sharing
from tests.eventstoredb.adapting import opened
from tests.eventstoredb.cluster import Cluster
from tests.eventstoredb.group import Group

PRICE = Money(4500, "usd")
LONG_AGO = timedelta(seconds=20)


class PastClock(SystemClock):
    """Late by a while, so that what is written with it has been left alone for long enough."""

    def now(self) -> datetime:
        return super().now() - LONG_AGO


class Member(Struct, frozen=True):
    desk: Desk
    marketplace: Marketplace
    sharing: Sharing
    group: ConsumerGroup
    adopted: list[str]


def delays(*seconds: float) -> tuple[timedelta, ...]:
    return tuple(timedelta(seconds=each) for each in seconds)


@asynccontextmanager
async def member(
    uri: str,
    payments: Payments,
    *,
    waits: tuple[timedelta, ...] = delays(0.05, 0.05),
    past: bool = False,
    silence: float = 15.0,
    hold: timedelta = timedelta(minutes=15),
) -> AsyncIterator[Member]:
    async with opened(uri, silence=silence) as store:
        clock = PastClock() if past else SystemClock()
        desk = Desk(store, clock)
        pump = Pump(desk, payments, clock)
        group = store.group(waits)
        adopted: list[str] = []
        sharing = Sharing(group, pump, desk, clock, waits, adopted.append)
        yield Member(desk, Marketplace(desk, pump, clock, Policy(hold=hold)), sharing, group, adopted)


@asynccontextmanager
async def at_work(one: Member) -> AsyncIterator["asyncio.Task[None]"]:
    """Taking part until the end of the block."""
    task = asyncio.create_task(one.sharing.run())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def cards(directory: Path) -> AsyncIterator[CardSimulator]:
    simulator = CardSimulator.open(directory / "cards.sqlite")
    try:
        yield simulator
    finally:
        await simulator.close()


def because(what: str) -> Cause:
    return Cause(correlation=what, causation=what, actor="buyer")


async def left_lying(one: Member, token: str = "tok_visa", *, order_id: str = "") -> str:
    """A purchase whose process died as soon as it was to be paid for. Gives the order's id."""
    ticket_id, order_id = uuid4().hex, order_id or uuid4().hex
    await one.marketplace.list_ticket(ticket_id, "seller", "A seat", PRICE, because(f"list {ticket_id}"))
    await one.marketplace.reserve(order_id, ticket_id, "buyer", because(f"reserve {order_id}"))
    now = SystemClock().now()
    command = order.StartPayment(uuid4().hex, "buyer", token, now, now + timedelta(minutes=10))
    await one.desk.execute(order.order, order_id, command, because(f"pay {order_id}"))
    return order_id


async def eventually(holds: Callable[[], object], what: str, patience: float = 20) -> None:
    """Wait for what is about to be true."""
    end = asyncio.get_running_loop().time() + patience
    while not holds():
        assert asyncio.get_running_loop().time() < end, f"it never came true that {what}"
        await asyncio.sleep(0.01)


class ChoosyTill:
    """The card simulator, which is away for some orders, and lets all wait while ``open`` is not set."""

    def __init__(self, inner: CardSimulator) -> None:
        self.inner = inner
        self.away_for: set[str] = set()
        self.open = asyncio.Event()
        self.open.set()
        self.asked: list[tuple[str, float]] = []
        """Each order that was to be authorised, and when by the time of the event loop."""

    async def authorize(self, attempt: Attempt, key: str) -> Answer:
        self.asked.append((attempt.order, asyncio.get_running_loop().time()))
        await self.open.wait()
        if attempt.order in self.away_for:
            raise PaymentsUnavailable("the provider is away")
        return await self.inner.authorize(attempt, key)

    async def look(self, attempt: Attempt) -> Answer:
        return await self.inner.look(attempt)

    async def capture(self, attempt: Attempt, key: str) -> Answer:
        return await self.inner.capture(attempt, key)

    async def void(self, attempt: Attempt, key: str) -> Answer:
        return await self.inner.void(attempt, key)

    async def refund(self, attempt: Attempt, key: str) -> Answer:
        return await self.inner.refund(attempt, key)

    async def confirmation(self, attempt: Attempt) -> Confirmation | None:
        return await self.inner.confirmation(attempt)


class Shop(Struct, frozen=True):
    """One member at work; ``dead`` writes what its process did not live to follow up."""

    double: Cluster
    till: ChoosyTill
    one: Member
    dead: Member


@asynccontextmanager
async def shop(double: Cluster, place: Path, *waits: float) -> AsyncIterator[Shop]:
    given = delays(*waits) if waits else delays(0.05, 0.05)
    async with (
        cards(place) as simulator,
        member(double.uri(), till := ChoosyTill(simulator), waits=given) as one,
        member(double.uri(), till, past=True) as dead,
        at_work(one),
    ):
        await eventually(lambda: one.group.problem is None, "it takes part")
        yield Shop(double, till, one, dead)


# ── What stands in the double ─────────────────────────────────────────────────────────────────────


def kinds(double: Cluster, stream: str) -> list[str]:
    """The names of the events in a stream."""
    return [record.event.type for record in double.log.streams.get(stream, [])]


def is_done(double: Cluster, order_id: str) -> bool:
    return "OrderCompleted" in kinds(double, f"order-{order_id}")


def group_of(double: Cluster) -> Group:
    """The one group."""
    (group,) = double.groups
    return group
