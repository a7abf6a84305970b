"""What if the house had had another policy: recorded commands decided again, by the same deciders.

Commands are not kept, so each is derived from the fact that it led to: who listed, edited, reserved, paid
and cancelled, at the time of that fact. What they *asked for* is taken as it was; what the house *answers*
is decided anew. Two things follow. A policy that changes nothing gives the recorded history again, fact by
fact. And who was refused back then has left no fact, so what is won is a lower bound: buyers who came in
vain are not in the log.

A purchase whose terms the policy changes goes on by itself: its hold ends when the new policy says, it is
released at once when it ends or is cancelled, and it is sold when its money comes in time. What the
provider said, and when, is taken as recorded. So is everything about purchases that are not touched.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import Any, Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from domain import order, ticket
from domain.decider import AnyDecider, AnyRecorded, Refused, Unreadable
from domain.money import Money
from domain.order import CANCELLED_BY_BUYER, EXPIRED
from domain.payment import PaymentCaptured, PaymentRequested

V = TypeVar("V")

SAME = timedelta(seconds=1)
"""A hold that was recorded within this of the new length stays as it was: clocks are read twice."""


class Change(Struct, frozen=True):
    """What is to be different; None for what is to be as it was.

    hold: how long a reservation lasts. holds_per_buyer: how many a buyer may have at once.
    too_dear: whether a price is above what may be asked, when tickets are listed and edited.
    """

    hold: timedelta | None = None
    holds_per_buyer: int | None = None
    too_dear: Callable[[Money], bool] | None = None


class Tally(Struct):
    """refused: how many holds, by the code of the rule. sales: orders that were completed. revenue: theirs,
    in minor units by currency. wasted: how long tickets were held for nothing."""

    listed: int = 0
    holds: int = 0
    expired: int = 0
    refused: dict[str, int] = {}
    sales: int = 0
    revenue: dict[str, int] = {}
    wasted: timedelta = timedelta()

    def sell(self, price: Money) -> None:
        self.sales += 1
        self.revenue[price.currency] = self.revenue.get(price.currency, 0) + price.amount


class Told(Struct, frozen=True):
    """A fact of the other history."""

    stream: str
    event: Any


class _Purchase(Struct):
    """touched: its terms are others than recorded, so it goes on by itself. gone: it was never begun.

    won: it was sold for money that was given back then.
    """

    ticket: str
    buyer: str
    began: datetime
    touched: bool = False
    gone: bool = False
    won: bool = False


TOO_MANY = "too_many_holds"
TOO_DEAR = "price_above_the_cap"


class Kept(Protocol[V]):
    """Values by their keys. One that was taken out and altered is put in again."""

    def get(self, key: str) -> V | None: ...

    def put(self, key: str, value: V) -> None: ...


class WhatIf:
    """Takes recorded facts in the log's order; gives those of the other history, and keeps its tally."""

    def __init__(self, change: Change, kept: Callable[[], Kept[Any]]) -> None:
        """kept: makes what holds something of each stream of the log, and is as long as that."""
        self.tally = Tally()
        self._change = change
        self._states = kept()
        self._purchases: Kept[_Purchase] = kept()
        self._open: defaultdict[str, set[str]] = defaultdict(set)
        self._attempts: Kept[str] = kept()
        self._unmade: Kept[bool] = kept()
        self._due: list[tuple[datetime, str]] = []

    def take(self, fact: AnyRecorded) -> Iterator[Told]:
        """What happens up to and with ``fact``."""
        yield from self._until(fact.metadata.at)
        if isinstance(fact.event, Unreadable):
            yield Told(fact.stream, fact.event)
        elif fact.category == ticket.ticket.category:
            yield from self._of_ticket(fact)
        elif fact.category == order.order.category:
            yield from self._of_order(fact)
        else:
            yield from self._of_others(fact)

    # ── Tickets ───────────────────────────────────────────────────────────────────────────────────

    def _of_ticket(self, fact: AnyRecorded) -> Iterator[Told]:
        event, key = fact.event, fact.key
        state = self._state(ticket.ticket, key)
        seller = "" if isinstance(state, ticket.Unlisted) else state.listing.seller
        match event:
            case ticket.TicketReserved():
                yield from self._reserve(fact, event)
            case ticket.TicketListed() | ticket.TicketEdited() if self._is_too_dear(event.price):
                self._refuse(TOO_DEAR)
            case ticket.TicketListed():
                command = ticket.ListTicket(event.seller, event.title, event.price)
                told = list(self._tell(ticket.ticket, key, command))
                self.tally.listed += len(told)
                yield from told
            case ticket.TicketEdited():
                yield from self._tell(ticket.ticket, key, ticket.EditTicket(seller, event.title, event.price))
            case ticket.TicketDelisted():
                yield from self._tell(ticket.ticket, key, ticket.DelistTicket(seller))
            case ticket.TicketReleased() if self._follows(event.order):
                yield from self._release(event.order, event.reason, fact.metadata.at)
            case ticket.TicketSold() if self._is_paid_for(event.order):
                yield from self._tell(ticket.ticket, key, ticket.SellTicket(event.order))
            case ticket.TicketReturned():
                yield from self._tell(ticket.ticket, key, ticket.ReturnTicket(event.order))

    def _reserve(self, fact: AnyRecorded, event: ticket.TicketReserved) -> Iterator[Told]:
        at, expires_at = fact.metadata.at, event.expires_at
        hold, limit = self._change.hold, self._change.holds_per_buyer
        if hold is not None and abs(expires_at - at - hold) > SAME:
            expires_at = at + hold
        purchase = _Purchase(fact.key, event.buyer, at)
        self._purchases.put(event.order, purchase)
        decided: tuple[Told, ...] | Refused = Refused(TOO_MANY, "The buyer holds enough tickets already")
        if limit is None or len(self._open.get(event.buyer, ())) < limit:
            command = ticket.ReserveTicket(event.order, event.buyer, expires_at, own_allowed=True)
            decided = self._decide(ticket.ticket, fact.key, command)
        if isinstance(decided, Refused):
            purchase.gone = True
            self._refuse(decided.code)
            return
        if decided:
            purchase.touched = decided[0].event != event
            self.tally.holds += 1
            self._open[event.buyer].add(event.order)
        if purchase.touched:
            heappush(self._due, (expires_at, event.order))
        yield from decided

    def _release(self, key: str, reason: str, at: datetime) -> Iterator[Told]:
        purchase = self._purchase(key)
        told = list(self._tell(ticket.ticket, purchase.ticket, ticket.ReleaseTicket(key, reason)))
        if told:
            self.tally.wasted += at - purchase.began
            self.tally.expired += reason == EXPIRED
        yield from told

    # ── Orders ────────────────────────────────────────────────────────────────────────────────────

    def _of_order(self, fact: AnyRecorded) -> Iterator[Told]:
        event, key, at = fact.event, fact.key, fact.metadata.at
        if self._is_gone(key):
            return
        placed = self._state(order.order, key)
        buyer = "" if isinstance(placed, order.Unplaced) else placed.terms.buyer
        match event:
            case order.OrderPlaced():
                yield from self._place(key, event)
            case order.PaymentStarted():
                asked = event.at or at
                start = order.StartPayment(
                    event.payment, buyer, event.method, asked, event.grace_until, event.request
                )
                for started in self._tell(order.order, key, start):
                    # An event of the first version does not say when it was asked for.
                    yield Told(started.stream, replace(started.event, at=event.at))
            case order.PaymentFailed():
                yield from self._tell(order.order, key, order.FailPayment(event.payment, event.reason))
                if self._is_touched(key):
                    heappush(self._due, (at, key))
            case order.OrderCompleted():
                yield from self._complete(key, event.payment)
            case order.OrderCancelled(reason) if reason == CANCELLED_BY_BUYER:
                told = list(self._tell(order.order, key, order.CancelOrder(buyer)))
                yield from told
                if told and self._is_touched(key):
                    yield from self._release(key, reason, at)
            case order.OrderRevived(payment=payment_id, expires_at=expires_at):
                yield from self._tell(order.order, key, order.ReviveOrder(payment_id, expires_at))
            case order.LatePaymentRefused(payment=payment_id, reason=reason):
                yield from self._tell(order.order, key, order.RefuseLatePayment(payment_id, reason))
            case order.OrderCancelled() if self._follows(key):
                yield from self._expire(key, at)

    def _place(self, key: str, event: order.OrderPlaced) -> Iterator[Told]:
        held = self._state(ticket.ticket, event.ticket)
        terms: order.Terms = event
        if isinstance(held, ticket.Reserved) and held.order == key and self._is_touched(key):
            terms = replace(event, price=held.listing.price, expires_at=held.expires_at)
        yield from self._tell(order.order, key, order.PlaceOrder(terms))

    def _complete(self, key: str, payment: str) -> Iterator[Told]:
        placed = self._state(order.order, key)
        told = list(self._tell(order.order, key, order.CompleteOrder(payment)))
        if told:
            self.tally.sell(placed.terms.price)
        yield from told

    def _expire(self, key: str, at: datetime) -> Iterator[Told]:
        """It is recorded to have ended, so it was due, whatever a clock says that was read later."""
        placed = self._state(order.order, key)
        if isinstance(placed, order.AwaitingPayment):
            at = max(at, placed.terms.expires_at)
        elif isinstance(placed, order.Paying):
            at = max(at, placed.deadline)
        yield from self._tell(order.order, key, order.ExpireOrder(at))

    # ── Payments, and what operators decided ──────────────────────────────────────────────────────

    def _of_others(self, fact: AnyRecorded) -> Iterator[Told]:
        """As it was recorded, unless its order was never placed."""
        if isinstance(fact.event, PaymentRequested):
            asked = fact.event.order
            self._attempts.put(fact.key, asked)
            if (
                self._is_touched(asked)
                and getattr(self._state(order.order, asked), "payment", "") != fact.key
            ):
                self._unmade.put(fact.key, True)
        key = self._attempts.get(fact.key) or fact.key
        purchase = self._purchases.get(key)
        if self._unmade.get(fact.key) or (purchase is not None and (purchase.gone or purchase.won)):
            return
        yield Told(fact.stream, fact.event)
        if isinstance(fact.event, PaymentCaptured) and purchase is not None and purchase.touched:
            yield from self._sell(key, purchase, fact.key)

    def _sell(self, key: str, purchase: _Purchase, payment: str) -> Iterator[Told]:
        """Money came while this hold still stands, where it had ended back then."""
        placed, held = self._state(order.order, key), self._state(ticket.ticket, purchase.ticket)
        if not isinstance(placed, order.Paying) or placed.payment != payment:
            return
        if isinstance(held, ticket.Reserved) and held.order == key:
            purchase.won = True
            self._purchases.put(key, purchase)
            yield from self._tell(ticket.ticket, purchase.ticket, ticket.SellTicket(key))
            yield from self._complete(key, payment)

    # ── Time ──────────────────────────────────────────────────────────────────────────────────────

    def _until(self, now: datetime) -> Iterator[Told]:
        """End the holds of touched purchases that are due before ``now``."""
        while self._due and self._due[0][0] < now:
            at, key = heappop(self._due)
            placed = self._state(order.order, key)
            held = self._state(ticket.ticket, self._purchase(key).ticket)
            if not isinstance(held, ticket.Reserved) or held.order != key:
                continue
            if isinstance(placed, order.Paying) and placed.deadline > at:
                heappush(self._due, (placed.deadline, key))
                continue
            if isinstance(placed, order.AwaitingPayment) and placed.terms.expires_at > at:
                heappush(self._due, (placed.terms.expires_at, key))
                continue
            yield from self._tell(order.order, key, order.ExpireOrder(at))
            yield from self._release(key, EXPIRED, at)

    # ── Deciding ──────────────────────────────────────────────────────────────────────────────────

    def _tell(self, decider: AnyDecider, key: str, command: Any) -> Iterator[Told]:
        """What a command leads to; nothing when it is refused."""
        decided = self._decide(decider, key, command)
        return iter(()) if isinstance(decided, Refused) else iter(decided)

    def _decide(self, decider: AnyDecider, key: str, command: Any) -> tuple[Told, ...] | Refused:
        stream, state = decider.stream(key), self._state(decider, key)
        decided = decider.decide(command, state)
        if isinstance(decided, Refused):
            return decided
        for event in decided:
            state = decider.evolve(state, event)
            self._close(event)
        self._states.put(stream, state)
        return tuple(Told(stream, event) for event in decided)

    def _close(self, event: Any) -> None:
        """A hold that has ended does not count for its buyer any more."""
        if not isinstance(event, ticket.TicketReleased | ticket.TicketSold):
            return
        purchase = self._purchases.get(event.order)
        if purchase is not None and (held := self._open.get(purchase.buyer)) is not None:
            held.discard(event.order)
            if not held:
                del self._open[purchase.buyer]

    def _refuse(self, code: str) -> None:
        self.tally.refused[code] = self.tally.refused.get(code, 0) + 1

    def _is_too_dear(self, price: Money) -> bool:
        return self._change.too_dear is not None and self._change.too_dear(price)

    def _is_gone(self, key: str) -> bool:
        purchase = self._purchases.get(key)
        return purchase is not None and purchase.gone

    def _is_touched(self, key: str) -> bool:
        purchase = self._purchases.get(key)
        return purchase is not None and purchase.touched

    def _follows(self, key: str) -> bool:
        """Whether it ends as it was recorded to."""
        return not self._is_gone(key) and not self._is_touched(key)

    def _is_paid_for(self, key: str) -> bool:
        """Whether a recorded sale is one here too."""
        return self._follows(key) or isinstance(self._state(order.order, key), order.Paying)

    def _state(self, decider: AnyDecider, key: str) -> Any:
        state = self._states.get(decider.stream(key))
        return decider.initial if state is None else state

    def _purchase(self, key: str) -> _Purchase:
        """One that is known to be there."""
        purchase = self._purchases.get(key)
        if purchase is None:
            raise LookupError(f"order {key} was never begun")
        return purchase
