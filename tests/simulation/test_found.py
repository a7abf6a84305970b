"""Defects that the simulation found, each told again as a story without chance.

Four more are told where they belong: two commands that look alike (tests/processmanager/test_desk.py);
an operator's retry that waited for a day, another that had one try instead of six, and a hold that a failing
provider kept for 80 seconds too long (tests/processmanager/test_watchdog.py).
"""

from collections.abc import Sequence

from domain import order, payment, ticket
from domain.decider import AnyRecorded
from domain.payment import RequestRefund
from processmanager.desk import Desk
from processmanager.marketplace import Policy
from processmanager.ports import Answer, Attempt, IsRefunded
from processmanager.pump import Pump
from tests.processmanager.house import House, cause
from tests.processmanager.tills import OpenTill
from tests.simulation.memory_store import MemoryStore


class RefundingTill(OpenTill):
    async def refund(self, attempt: Attempt, key: str) -> Answer:
        self.did.append(key)
        return IsRefunded(f"at provider {attempt.id}")


async def test_a_good_sale_is_not_undone_by_who_remembers_the_ticket_from_before() -> None:
    """History 0/2455. One process had listed the ticket and knew it as available; the other took the hold.

    The payment began at the first, was finished by the other's watchdog, and when the first went on it
    saw the money taken for a ticket that was, as it remembered, not sold: it gave the money back.
    """
    till = RefundingTill()
    first = House(till)
    other = House(till, log=first.log, clock=first.clock)
    await first.offer()
    await other.reserve()
    now = first.clock.now()
    start = order.StartPayment("p1", "ann", "tok_visa", now, now)
    await first.desk.execute(order.order, "o1", start, cause("pay"))
    await other.marketplace.pay("o1", "p1", "ann", "tok_visa", cause("pay again"))
    purchase = await first.pump.pump("o1", cause("pay"), current=False)
    assert till.did == ["p1:authorize", "p1:capture"]
    assert isinstance(purchase.order, order.Completed)
    assert first.events("ticket-t1") == ["TicketListed", "TicketReserved", "TicketSold"]


async def test_a_finished_order_lets_go_of_a_ticket_that_a_late_repeat_took_for_it() -> None:
    """History 1/142. The sale was undone by support, and then a repeat of its reservation came through."""
    till = RefundingTill()
    house = House(till)
    await house.offer()
    await house.reserve()
    await house.marketplace.pay("o1", "p1", "ann", "tok_visa", cause("pay"))
    await house.desk.execute(payment.payment, "p1", RequestRefund("a disappointed buyer"), cause("support"))
    await house.pump.pump("o1", cause("support"))
    late = ticket.ReserveTicket("o1", "ann", house.clock.now())
    await house.desk.execute(ticket.ticket, "t1", late, cause("reserve o1"))
    house.clock.forward(6)
    assert await house.look_after_what_is_due() == ["o1"]
    assert house.events("ticket-t1")[-2:] == ["TicketReserved", "TicketReleased"]


class StoreWithALateReader(MemoryStore):
    """One reading is begun, everything else happens, and then it comes back."""

    late: Sequence[AnyRecorded] | None = None

    async def read(self, stream: str, after: int = -1) -> Sequence[AnyRecorded]:
        late, self.late = self.late, None
        return late if late is not None and stream == "order-o1" else await super().read(stream, after)


async def test_a_payer_is_not_told_what_an_older_reading_says() -> None:
    """History 0/112721. Memory had forgotten the order, and a reading from before the payment filled it."""
    house = House(OpenTill())
    await house.offer()
    await house.reserve()
    before = house.log.read("order-o1")
    store = StoreWithALateReader(house.log)
    desk = Desk(store, house.clock, memory=1)
    pump = Pump(desk, OpenTill(), house.clock)
    now = house.clock.now()
    start = order.StartPayment("p1", "ann", "tok_visa", now, now + Policy().grace)
    await desk.execute(order.order, "o1", start, cause("pay"))
    await desk.load(ticket.ticket, "t1")  # there is room for one: the order is forgotten
    store.late = before
    await desk.load(order.order, "o1")  # the reading that began before
    purchase = await pump.pump("o1", cause("pay"), current=False)
    assert isinstance(purchase.order, order.Completed)
