"""What a fact of the log means for purchases: which one it concerns, and whether something must follow it.

Processes that share the purchases are told each fact (see processmanager/sharing.py). Most facts are
followed at once by others, written by whoever wrote them; what came of it is then seen in the log itself,
without a question. Only where nothing follows does somebody look.
"""

from collections import OrderedDict
from datetime import timedelta
from typing import TypeAlias

from msgspec import Struct

from domain import order, parking, payment, ticket
from domain.decider import AnyRecorded

SETTLING = timedelta(seconds=5)
"""How long whoever wrote a fact is given to go on: longer than a payment provider mostly takes."""
UNDOING = timedelta(seconds=2)
"""The same for giving a ticket back, which needs nobody outside."""


class Opens(Struct, frozen=True):
    """Something must follow for ``order``. settling: how long it may take by itself.

    ticket: whose hold began it, where that is known. money: the payment provider may have to be asked.
    """

    order: str
    settling: timedelta
    ticket: str | None = None
    money: bool = True


class Closes(Struct, frozen=True):
    """Whatever was open for ``order`` before this fact has been followed up."""

    order: str


class OfPayment(Struct, frozen=True):
    """Something must follow for the order that ``payment`` pays, which the fact itself does not name."""

    payment: str


Meaning: TypeAlias = Opens | Closes | OfPayment | None
"""None: nothing follows."""


def meaning(fact: AnyRecorded) -> Meaning:
    """What ``fact`` asks for."""
    match fact.event:
        case ticket.TicketReserved(order=order_id):
            return Opens(order_id, SETTLING, ticket=fact.key, money=False)
        case ticket.TicketSold(order=order_id):
            return Opens(order_id, SETTLING)
        case order.PaymentStarted() | order.OrderRevived():
            return Opens(fact.key, SETTLING)
        case order.OrderCancelled():
            return Opens(fact.key, UNDOING)
        case order.OrderPlaced() | order.PaymentFailed() | order.OrderCompleted():
            return Closes(fact.key)
        case payment.PaymentRequested(order=order_id):
            return Opens(order_id, SETTLING)
        case parking.PurchaseRetried():
            return Opens(fact.key, timedelta(0))
    return OfPayment(fact.key) if fact.category == payment.payment.category else None


class OrdersOfPayments:
    """Which order a payment belongs to, as far as the facts that have passed have told. Bounded."""

    def __init__(self, capacity: int = 50_000) -> None:
        self._capacity = capacity
        self._orders: OrderedDict[str, str] = OrderedDict()

    def heed(self, fact: AnyRecorded) -> None:
        """Remember what ``fact`` tells."""
        match fact.event:
            case order.PaymentStarted(payment=payment_id):
                self._orders[payment_id] = fact.key
            case payment.PaymentRequested(order=order_id):
                self._orders[fact.key] = order_id
        if len(self._orders) > self._capacity:
            self._orders.popitem(last=False)

    def get(self, payment_id: str) -> str | None:
        return self._orders.get(payment_id)
