"""A short season whose every answer is known: five tickets, eight holds, three sales, two refunds.

| Ticket | Price | What happens |
|---|---|---|
| t1 | 40, then 50 | held by b1, expired; held by b2, sold two minutes later |
| t2 | 15 | held by b1 three times: expired, cancelled, expired |
| t3 | 200 | held by b3: declined, then paid six minutes after the hold; refunded an hour later |
| t4 | 30 | held by b2, whose money comes after the grace: refunded; the ticket is on sale |
| t5 | 30 | held by b4, paid two minutes after the hold's end, within the grace |
"""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from domain.decider import Proposed
from domain.money import Money
from domain.order import (
    CANCELLED_BY_BUYER,
    EXPIRED,
    OrderCancelled,
    OrderCompleted,
    OrderPlaced,
    PaymentFailed,
    PaymentStarted,
)
from domain.payment import (
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    PaymentRequested,
    RefundRequested,
)
from domain.ticket import (
    TicketEdited,
    TicketListed,
    TicketReleased,
    TicketReserved,
    TicketReturned,
    TicketSold,
)
from gateways.codec import Codec
from gateways.embedded_raw import EmbeddedRawLog
from gateways.raw_log import RawEvent
from processmanager.purchase import OVER
from tests.deploy.logbook import Logbook

DAY = datetime(2026, 11, 1, tzinfo=UTC)
HOLD, GRACE = timedelta(minutes=15), timedelta(minutes=10)


def clock(text: str, day: int = 1) -> datetime:
    """``10:05`` of a day of the season."""
    hours, minutes = text.split(":")
    return DAY + timedelta(days=day - 1, hours=int(hours), minutes=int(minutes))


class Season(Logbook):
    """A logbook with the purchase's own words."""

    def hold(self, order: str, ticket: str, buyer: str, price: Money, at: datetime) -> None:
        until = at + HOLD
        self.write(f"ticket-{ticket}", TicketReserved(order, buyer, price, until), at=at)
        seller, title = ("s2" if ticket == "t3" else "s1"), f"Seat {ticket}"
        self.write(f"order-{order}", OrderPlaced(buyer, ticket, seller, title, price, until), at=at)

    def give_back(self, order: str, ticket: str, at: datetime, reason: str = EXPIRED) -> None:
        self.write(f"order-{order}", OrderCancelled(reason), at=at)
        self.write(f"ticket-{ticket}", TicketReleased(order, reason), at=at)

    def start(self, order: str, payment: str, price: Money, at: datetime) -> None:
        self.write(f"order-{order}", PaymentStarted(payment, "tok_visa", at + GRACE, at=at), at=at)
        self.write(f"payment-{payment}", PaymentRequested(order, price, "tok_visa", at=at), at=at)

    def complete(self, order: str, payment: str, ticket: str, at: datetime) -> None:
        self.write(f"payment-{payment}", PaymentAuthorized(f"ch_{payment}"), at=at)
        self.write(f"ticket-{ticket}", TicketSold(order), at=at)
        self.write(f"payment-{payment}", PaymentCaptured(f"ch_{payment}"), at=at)
        self.write(f"order-{order}", OrderCompleted(payment), at=at)


def season() -> Season:
    log = Season()
    prices = {"t1": 4000, "t2": 1500, "t3": 20000, "t4": 3000, "t5": 3000}
    for ticket, amount in prices.items():
        seller = "s2" if ticket == "t3" else "s1"
        log.write(f"ticket-{ticket}", TicketListed(seller, f"Seat {ticket}", usd(amount)), at=clock("9:00"))
    log.write("ticket-t1", TicketEdited("Seat t1", usd(5000)), at=clock("9:05"))
    _first_day(log)
    _second_day(log)
    return log


def _first_day(log: Season) -> None:
    log.hold("o3", "t2", "b1", usd(1500), clock("10:00"))
    log.hold("o1", "t1", "b1", usd(5000), clock("10:10"))
    log.give_back("o3", "t2", clock("10:15"))
    log.give_back("o1", "t1", clock("10:25"))
    log.hold("o2", "t1", "b2", usd(5000), clock("10:30"))
    log.start("o2", "p2", usd(5000), clock("10:32"))
    log.complete("o2", "p2", "t1", clock("10:32"))
    log.hold("o4", "t2", "b1", usd(1500), clock("10:40"))
    log.give_back("o4", "t2", clock("10:45"), CANCELLED_BY_BUYER)
    log.hold("o5", "t2", "b1", usd(1500), clock("11:00"))
    log.give_back("o5", "t2", clock("11:15"))


def _second_day(log: Season) -> None:
    log.hold("o6", "t3", "b3", usd(20000), clock("12:00", 2))
    log.start("o6", "p6", usd(20000), clock("12:02", 2))
    declined = PaymentDeclined("card_declined", "Your card was declined.")
    log.write("payment-p6", declined, at=clock("12:02", 2))
    log.write("order-o6", PaymentFailed("p6", "card_declined"), at=clock("12:02", 2))
    log.start("o6", "p7", usd(20000), clock("12:06", 2))
    log.complete("o6", "p7", "t3", clock("12:06", 2))
    log.write("payment-p7", RefundRequested("the show was moved"), at=clock("13:06", 2))
    log.write("payment-p7", PaymentRefunded("re_7", usd(20000)), at=clock("13:07", 2))
    log.write("ticket-t3", TicketReturned("o6"), at=clock("13:07", 2))
    log.hold("o8", "t4", "b2", usd(3000), clock("14:00", 2))
    log.start("o8", "p8", usd(3000), clock("14:14", 2))
    log.give_back("o8", "t4", clock("14:24", 2))
    log.write("payment-p8", PaymentCaptured("ch_p8"), at=clock("14:26", 2))
    log.write("payment-p8", RefundRequested(OVER), at=clock("14:26", 2))
    log.write("payment-p8", PaymentRefunded("re_8", usd(3000)), at=clock("14:27", 2))
    log.hold("o9", "t5", "b4", usd(3000), clock("15:00", 2))
    log.start("o9", "p9", usd(3000), clock("15:14", 2))
    log.complete("o9", "p9", "t5", clock("15:17", 2))


def usd(amount: int) -> Money:
    return Money(amount, "usd")


def raw(log: Logbook) -> list[RawEvent]:
    """A logbook as it is stored."""
    encoded = [Codec().encode(Proposed(fact.id, fact.event, fact.metadata)) for fact in log.facts]
    return [
        RawEvent(fact.stream, fact.revision, fact.position, fact.id, each.type, each.data, each.metadata)
        for fact, each in zip(log.facts, encoded, strict=True)
    ]


def lay(data: Path, log: Logbook) -> Path:
    """Make a data directory with this log."""

    async def write() -> None:
        store = EmbeddedRawLog(data / "log.sqlite")
        await store.append(raw(log))
        await store.settle()
        await store.close()

    data.mkdir(exist_ok=True)
    asyncio.run(write())
    return data
