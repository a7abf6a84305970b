"""The watchdog looks after what is due, on time, and lets no purchase suffer for another."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from itertools import pairwise

import pytest

from domain import order, parking, ticket
from domain.decider import AnyRecorded, Metadata, Proposed, Refused
from processmanager.desk import event_id
from processmanager.ports import Answer, Attempt, IsPending, Payments, StoreUnavailable
from processmanager.watchdog import MONEY_HANDS, TAKING_OVER, Watchdog, retry_parked, skip_parked
from tests.processmanager.house import HOLD, PRICE, START, House, cause
from tests.processmanager.tills import AskingTill, ClosedTill, HangingTill, OpenTill
from tests.simulation.log import Log
from tests.simulation.memory_store import MemoryStore

SECONDS = 20
"""Real ones, in which a condition must come true that mostly does at once."""


async def house_with_a_payment(till: Payments) -> House:
    """An attempt to pay is written down, and its process has died."""
    house = House(till)
    await house.offer()
    await house.reserve()
    await start_paying(house, "o1")
    return house


async def start_paying(house: House, order_id: str) -> None:
    now = house.clock.now()
    command = order.StartPayment(f"{order_id}p", "ann", "tok_visa", now, now + timedelta(minutes=10))
    await house.desk.execute(order.order, order_id, command, cause(f"pay {order_id}"))


@asynccontextmanager
async def on_watch(watchdog: Watchdog, ahead: timedelta = timedelta(0)) -> AsyncIterator[None]:
    task = asyncio.create_task(watchdog.run(first_look_ahead=ahead))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        for _ in iter(condition, True):
            await asyncio.sleep(0)


# ── Failing steps ─────────────────────────────────────────────────────────────────────────────────


async def tries(house: House, seconds: int) -> list[float]:
    """When purchases were looked at, with a look every second."""
    looked = []
    for _ in range(seconds):
        if await house.look_after_what_is_due():
            looked.append(house.clock.seconds)
        house.clock.forward(1)
    return looked


async def test_a_failing_step_is_tried_again_after_5_10_20_40_and_80_seconds_and_then_parked() -> None:
    house = await house_with_a_payment(ClosedTill())
    looked = await tries(house, 300)
    assert [later - earlier for earlier, later in pairwise(looked)] == [5, 10, 20, 40, 80]
    parked = house.facts("parking-o1")[0].event
    assert isinstance(parked, parking.PurchaseParked)
    assert (parked.step, parked.tries) == ("authorize", 6)
    assert parked.error == "PaymentsUnavailable: the provider is away"


async def test_an_operator_s_retry_has_all_its_tries_again_at_once() -> None:
    house = await house_with_a_payment(ClosedTill())
    await tries(house, 300)
    await retry_parked(house.desk, "o1", "olga")
    retried = house.clock.seconds
    looked = await tries(house, 250)
    assert [at - retried for at in looked] == [0, 5, 15, 35, 75, 155]
    assert house.events("parking-o1") == ["PurchaseParked", "PurchaseRetried", "PurchaseParked"]
    assert house.facts("parking-o1")[1].metadata.actor == "olga"


async def test_a_retry_has_all_its_tries_also_where_another_process_had_set_the_purchase_aside() -> None:
    """History 11/11577. What the others had counted before was held against it when it failed again."""
    till = ClosedTill()
    house = await house_with_a_payment(till)
    other = House(till, log=house.log, clock=house.clock)

    async def both_look() -> None:
        for each in (other, house):
            await each.look_after_what_is_due()
        house.clock.forward(1)

    while "PurchaseParked" not in house.events("parking-o1"):
        await both_look()
    await retry_parked(house.desk, "o1", "olga")
    for _ in range(70):
        await both_look()
    assert house.events("parking-o1") == ["PurchaseParked", "PurchaseRetried"]


async def test_a_retry_is_heeded_also_after_the_hold_of_a_parked_purchase_has_ended() -> None:
    """Its void failed at the deadline; the operator does not have to wait a day for another look."""
    house = await house_with_a_payment(ClosedTill())
    await tries(house, 16 * 60)
    assert house.events("order-o1")[-1] == "OrderCancelled"
    assert await tries(house, 60) == []
    await retry_parked(house.desk, "o1", "olga")
    house.clock.forward(1)
    assert await house.look_after_what_is_due() == ["o1"]


async def test_skipping_needs_a_reason_and_ends_the_tries() -> None:
    house = await house_with_a_payment(ClosedTill())
    await tries(house, 300)
    with pytest.raises(Refused):
        await skip_parked(house.desk, "o1", "olga", " ")
    await skip_parked(house.desk, "o1", "olga", "the provider has gone out of business")
    assert await tries(house, 300) == []
    assert house.facts("parking-o1")[-1].event.reason == "the provider has gone out of business"


@pytest.mark.parametrize("before", [890, 300, 160, 100, 79, 40, 12, 3, 1], ids=str)
async def test_the_hold_of_a_failing_purchase_ends_on_time(before: int) -> None:
    """Whether it was parked ``before``, or is just being left alone for up to 80 seconds."""
    till = AskingTill()
    house = await house_with_a_payment(till)
    while house.events("ticket-t1")[-1] != "TicketReleased":
        till.away = house.clock.seconds >= HOLD.total_seconds() - before
        await house.look_after_what_is_due()
        house.clock.forward(1)
        assert house.clock.seconds < 3600
    late = house.facts("ticket-t1")[-1].metadata.at - START - HOLD
    assert timedelta(0) <= late <= timedelta(seconds=1)


class StoreThatComesAndGoes(MemoryStore):
    away = False

    async def read(self, stream: str, after: int = -1) -> Sequence[AnyRecorded]:
        if self.away:
            raise StoreUnavailable("away")
        return await super().read(stream, after)


async def test_a_store_that_is_away_is_nobody_s_failure() -> None:
    """Nothing is counted, and nothing is parked, however long it lasts."""
    log = Log()
    store = StoreThatComesAndGoes(log)
    house = House(OpenTill(), store=store, log=log)
    await house.offer()
    await house.reserve()
    await start_paying(house, "o1")
    store.away = True
    assert len(await tries(house, 300)) > 250
    store.away = False
    await tries(house, 2)
    assert house.events("order-o1")[-1] == "OrderCompleted"
    assert not house.events("parking-o1")


# ── Others ────────────────────────────────────────────────────────────────────────────────────────


async def test_a_provider_that_hangs_delays_nobody_who_does_not_need_it() -> None:
    """More purchases wait for it than there are hands, and they are all due first."""
    till = HangingTill()
    house = House(till)
    for number in range(MONEY_HANDS + 20):
        await house.offer(f"t{number}")
        await house.reserve(f"o{number}", f"t{number}")
        await start_paying(house, f"o{number}")
    await house.offer("free")
    await house.reserve("unpaid", "free", "bob")
    house.clock.forward(14 * 60)  # not yet the end of anything
    async with on_watch(house.watchdog):
        await until(lambda: till.hanging == MONEY_HANDS)
        house.clock.forward(60)
        house.watchdog.wake()
        await until(lambda: house.events("ticket-free")[-1] == "TicketReleased")
        assert till.hanging == MONEY_HANDS
    assert till.hanging == 0


async def test_a_hold_ends_on_time_though_its_payment_waits_on_a_provider_that_hangs() -> None:
    """And though every hand that may wait for the provider does."""
    till = HangingTill()
    house = House(till)
    for number in range(MONEY_HANDS + 20):
        await house.offer(f"t{number}")
        await house.reserve(f"o{number}", f"t{number}")
        await start_paying(house, f"o{number}")
    house.clock.forward(60)
    async with on_watch(house.watchdog):
        await until(lambda: till.hanging == MONEY_HANDS)
        house.clock.forward(14 * 60)
        house.watchdog.wake()
        await until(
            lambda: all(
                house.events(f"ticket-t{number}")[-1] == "TicketReleased"
                for number in range(MONEY_HANDS + 20)
            )
        )
        assert till.hanging == MONEY_HANDS, "nobody has answered"


async def test_a_purchase_in_hand_is_not_taken_up_twice() -> None:
    till = HangingTill()
    house = await house_with_a_payment(till)
    house.clock.forward(60)
    async with on_watch(house.watchdog):
        await until(lambda: till.hanging == 1)
        assert not list(house.watchdog.due())
        for _ in range(20):
            house.watchdog.wake()
            await asyncio.sleep(0)
        assert till.hanging == 1


async def test_a_hundred_thousand_holds_that_end_together_leave_others_their_turn() -> None:
    """Between two turns of anybody else no more purchases are looked after than there are hands."""
    log = Log()
    many_holds(log, 100_000)
    house = House(OpenTill(), log=log)
    house.clock.forward(15 * 60)
    held, most, released = log.head, 0, 0
    async with on_watch(house.watchdog):
        async with asyncio.timeout(60):
            while released < 5_000:
                before = log.head
                await asyncio.sleep(0)
                most = max(most, log.head - before)
                released = (log.head - held) // 2
    assert most <= 40, "events that others wrote while one request waited for its turn"


def many_holds(log: Log, count: int) -> None:
    """Holds that all end in the same second."""
    metadata = Metadata("many", "many", "somebody", START)

    def put(stream: str, *events: object) -> None:
        proposed = [Proposed(event_id(f"{stream}/{n}"), event, metadata) for n, event in enumerate(events)]
        log.append(stream, proposed, -1)

    for number in range(count):
        listed = ticket.TicketListed("sue", "a seat", PRICE)
        put(f"ticket-t{number}", listed, ticket.TicketReserved(f"o{number}", "ann", PRICE, START + HOLD))
        placed = order.OrderPlaced("ann", f"t{number}", "sue", "a seat", PRICE, START + HOLD)
        put(f"order-o{number}", placed)


# ── Whoever takes over ────────────────────────────────────────────────────────────────────────────


async def test_whoever_takes_over_looks_ahead_once_and_does_nothing_early() -> None:
    """A dead process left an attempt to pay in the middle; an unpaid hold is not touched."""
    house = await house_with_a_payment(OpenTill())
    await house.offer("t2")
    await house.reserve("o2", "t2")
    house.clock.forward(1)
    assert not list(house.watchdog.due()), "nothing is due yet"
    async with on_watch(house.watchdog, ahead=TAKING_OVER):
        await until(lambda: house.events("order-o1")[-1] == "OrderCompleted")
    assert house.events("order-o2") == ["OrderPlaced"]


async def test_whoever_takes_over_finds_what_the_agenda_hears_of_only_after_he_began() -> None:
    """The predecessor died before its last facts were in any list."""
    house = await house_with_a_payment(OpenTill())
    house.agenda.deaf = True
    async with on_watch(house.watchdog, ahead=TAKING_OVER):
        await asyncio.sleep(0)
        house.agenda.deaf = False
        house.watchdog.wake()
        await until(lambda: house.events("order-o1")[-1] == "OrderCompleted")


async def test_whoever_takes_over_takes_up_more_than_he_has_hands_for() -> None:
    house, many = House(OpenTill()), range(MONEY_HANDS + 20)
    for number in many:
        await house.offer(f"t{number}")
        await house.reserve(f"o{number}", f"t{number}")
        await start_paying(house, f"o{number}")
    async with on_watch(house.watchdog, ahead=TAKING_OVER):
        await until(lambda: house.events("order-o0")[-1] == "OrderCompleted")
        house.watchdog.wake()
        await until(lambda: all(house.events(f"order-o{n}")[-1] == "OrderCompleted" for n in many))


async def test_once_all_is_taken_over_payments_that_go_their_way_are_left_to_it() -> None:
    house = House(OpenTill())
    async with on_watch(house.watchdog, ahead=TAKING_OVER):
        await asyncio.sleep(0)
        await house.offer()
        await house.reserve()
        await start_paying(house, "o1")
        for _ in range(20):
            house.watchdog.wake()
            await asyncio.sleep(0)
    assert house.events("order-o1")[-1] == "PaymentStarted"


async def test_whoever_takes_over_leaves_what_is_begun_after_he_came_to_who_began_it() -> None:
    house = House(OpenTill())
    house.agenda.deaf = True
    async with on_watch(house.watchdog, ahead=TAKING_OVER):
        await asyncio.sleep(0)
        house.clock.forward(0.1)
        await house.offer()
        await house.reserve()
        await start_paying(house, "o1")
        house.agenda.deaf = False
        for _ in range(20):
            house.watchdog.wake()
            await asyncio.sleep(0)
        assert house.events("order-o1")[-1] == "PaymentStarted"
        house.clock.forward(5)
        house.watchdog.wake()
        await until(lambda: house.events("order-o1")[-1] == "OrderCompleted")


class Undecided(OpenTill):
    """Has taken the attempt up, cannot say how it ends, and cannot end it."""

    async def authorize(self, attempt: Attempt, key: str) -> Answer:
        return IsPending("pi_1")

    async def look(self, attempt: Attempt) -> Answer:
        return IsPending("pi_1")

    async def void(self, attempt: Attempt, key: str) -> Answer:
        self.did.append(key)
        return IsPending("pi_1")


async def test_what_the_provider_cannot_end_yet_is_asked_about_each_minute() -> None:
    till = Undecided()
    house = House(till)
    await house.offer()
    await house.reserve()
    await house.marketplace.pay("o1", "p1", "ann", "tok_visa", cause("pay"))
    house.clock.forward(3600)
    await house.look_after_what_is_due()
    assert isinstance((await house.marketplace.ticket("t1")).state, ticket.Available)
    asked = len(till.did)
    for minute in range(1, 4):
        for _ in range(59):
            house.clock.forward(1)
            await house.look_after_what_is_due()
        house.clock.forward(1)
        await house.look_after_what_is_due()
        assert len(till.did) <= asked + minute
    assert len(till.did) >= asked + 2
