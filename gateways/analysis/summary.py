"""What a report tells: sales, holds and what became of them, money, and the time from hold to payment.

A fold of the log in one pass. It counts by the hour, so it stays small however long the log is; what is
kept for each order is only what its end will ask for. Amounts are integers throughout, and times are
those of the events, so the same log up to the same position gives the same summary for ever.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import Struct

from domain.decider import AnyRecorded
from domain.money import Money
from domain.order import CANCELLED_BY_BUYER, EXPIRED, OrderCompleted
from domain.payment import DisputeLost, PaymentCaptured, PaymentRefunded, PaymentRequested, RefundFailed
from domain.ticket import TicketListed, TicketReleased, TicketReserved, TicketReturned, TicketSold

Outcome: TypeAlias = Literal["sold", "expired", "cancelled", "otherwise", "open"]
OUTCOMES: tuple[Outcome, ...] = ("sold", "expired", "cancelled", "otherwise", "open")
_BY_REASON: dict[str, Outcome] = {EXPIRED: "expired", CANCELLED_BY_BUYER: "cancelled"}


class Held(Struct, frozen=True, gc=False):
    order: str
    began: datetime


class Turnover(Struct):
    """In minor units of one currency."""

    taken: int = 0
    given_back: int = 0

    @property
    def kept(self) -> int:
        return self.taken - self.given_back


class Summary:
    """position, at: of the last event that was taken in; 0 and None before the first.

    sold, held: how many by the hour of the sale, and by the hour in which the hold began and its outcome.
    waits: how often so many whole seconds passed from a hold to its completed order.
    """

    def __init__(self) -> None:
        self.position = 0
        self.began: datetime | None = None
        self.at: datetime | None = None
        self.listed = self.returned = 0
        self.sold: Counter[datetime] = Counter()
        self.held: defaultdict[datetime, Counter[Outcome]] = defaultdict(Counter)
        self.waits: Counter[int] = Counter()
        self.wasted_seconds = 0
        self.turnover: defaultdict[str, Turnover] = defaultdict(Turnover)
        self._holds: dict[str, Held] = {}
        self._sales: dict[str, datetime] = {}
        self._attempts: dict[str, Money] = {}
        self._given: dict[str, int] = {}

    def take(self, page: Iterable[AnyRecorded]) -> None:
        """The next events of the log. What cannot be read counts for nothing."""
        for fact in page:
            self.position, self.at = fact.position, fact.metadata.at
            self.began = self.began or self.at
            self._take(fact)

    def _take(self, fact: AnyRecorded) -> None:
        at, key = fact.metadata.at, fact.key
        match fact.event:
            case TicketListed():
                self.listed += 1
            case TicketReserved(order):
                self._holds[key] = Held(order, at)
                self.held[_hour(at)]["open"] += 1
            case TicketReleased(_, reason):
                if held := self._end(key, _BY_REASON.get(reason, "otherwise")):
                    self.wasted_seconds += int((at - held.began).total_seconds())
            case TicketSold(order):
                self.sold[_hour(at)] += 1
                if held := self._end(key, "sold"):
                    self._sales[order] = held.began
            case TicketReturned():
                self.returned += 1
            case OrderCompleted():
                if began := self._sales.pop(key, None):
                    self.waits[int((at - began).total_seconds())] += 1
            case _:
                self._take_money(fact)

    def _end(self, ticket: str, outcome: Outcome) -> Held | None:
        held = self._holds.pop(ticket, None)
        if held is not None:
            counted = self.held[_hour(held.began)]
            counted["open"] -= 1
            counted[outcome] += 1
        return held

    def _take_money(self, fact: AnyRecorded) -> None:
        key = fact.key
        match fact.event:
            case PaymentRequested(amount=amount):
                self._attempts[key] = amount
            case PaymentCaptured() if key in self._attempts:
                asked = self._attempts[key]
                self.turnover[asked.currency].taken += asked.amount
            case PaymentRefunded(amount=amount) if key in self._attempts:
                # An event of the first version has no amount: all that was left went back.
                asked = self._attempts[key]
                self._give(key, amount.amount if amount else asked.amount - self._given.get(key, 0))
            case DisputeLost(amount=amount) if key in self._attempts:
                self._give(key, amount.amount)
            case RefundFailed(restored=Money(amount=amount)) if key in self._attempts:
                self._give(key, -amount)

    def _give(self, payment: str, amount: int) -> None:
        self._given[payment] = self._given.get(payment, 0) + amount
        self.turnover[self._attempts[payment].currency].given_back += amount

    @property
    def outcomes(self) -> Counter[Outcome]:
        """All holds by what became of them."""
        total: Counter[Outcome] = Counter()
        for counted in self.held.values():
            total.update(counted)
        return total


def median(counted: Mapping[int, int]) -> int | None:
    """The middle one of values that are there so often; the lower of the two middle ones; None for none."""
    rank = (sum(counted.values()) + 1) // 2
    for value in sorted(counted):
        rank -= counted[value]
        if rank <= 0:
            return value
    return None


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
