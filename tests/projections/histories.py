"""Random histories of the marketplace, every one of them legal: each event is what a decider decided.

The steps between the aggregates are those of ``next_step``, with a provider that answers at random.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from domain import order, parking, payment, ticket
from domain.decider import AnyDecider, AnyRecorded, Refused
from domain.money import Money
from processmanager.ports import (
    Answer,
    IsAuthorized,
    IsCaptured,
    IsDeclined,
    IsRefunded,
    IsVoided,
    NeedsAction,
)
from processmanager.pump import heard
from processmanager.purchase import Ask, Purchase, Tell, next_step
from tests.projections.memory_log import MemoryLog

Choice = tuple[int, int]

histories = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 999)), max_size=90)
"""What to do, and to whom."""

TICKETS, SELLERS, BUYERS = 3, 2, 3

ANSWERS: dict[str, list[Answer]] = {
    "authorize": [IsAuthorized("r"), IsDeclined("no", "no"), NeedsAction("r", "a"), IsCaptured("r")],
    "look": [IsAuthorized("r"), NeedsAction("r", "a"), IsCaptured("r"), IsVoided()],
    "capture": [IsCaptured("r"), IsDeclined("no", "no")],
    "void": [IsVoided(), IsCaptured("r")],
    "refund": [IsRefunded("r")],
}


class Marketplace:
    """Plays choices, and remembers the states that they led to."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.orders: dict[str, str] = {}
        self._states: dict[str, Any] = {}

    def play(self, choices: Sequence[Choice]) -> list[AnyRecorded]:
        for what, whom in choices:
            self._play(what, whom)
        return self.log.events

    def state(self, decider: AnyDecider, key: str) -> Any:
        return self._states.get(decider.stream(key), decider.initial)

    def left_to_do(self, key: str, now: datetime) -> bool:
        """Whether anything at all is left to do for an order, by ``now``."""
        return isinstance(next_step(self.purchase(key), now), Tell | Ask)

    def purchase(self, key: str) -> Purchase:
        placed = self.state(order.order, key)
        paid = getattr(placed, "payment", None)
        held = self.state(ticket.ticket, self.orders[key])
        attempt = self.state(payment.payment, paid) if paid else payment.Unrequested()
        return Purchase(key, self.orders[key], paid, placed, held, attempt)

    def _play(self, what: int, whom: int) -> None:
        now = self.log.at
        key, seller, buyer = f"t{whom % TICKETS}", f"s{whom % SELLERS}", f"b{whom % BUYERS}"
        price = Money(100 + whom, "usd" if whom % 2 else "eur")
        if what == 0:
            self._tell(ticket.ticket, key, ticket.ListTicket(seller, f"Show {whom % 7}", price))
        elif what == 1:
            self._tell(ticket.ticket, key, ticket.EditTicket(seller, f"Opera {whom % 5}", price))
        elif what == 2:
            self._reserve(key, f"o{len(self.orders)}", buyer, now + timedelta(seconds=whom % 40))
        elif what == 3 and whom % 4 == 0:
            self._tell(ticket.ticket, key, ticket.DelistTicket(seller))
        elif self.orders:
            self._of_order(what, whom, list(self.orders)[whom % len(self.orders)])

    def _reserve(self, key: str, order_id: str, buyer: str, until: datetime) -> None:
        if self._tell(ticket.ticket, key, ticket.ReserveTicket(order_id, buyer, until, own_allowed=True)):
            self.orders[order_id] = key

    def _of_order(self, what: int, whom: int, key: str) -> None:
        now, placed = self.log.at, self.state(order.order, key)
        buyer = placed.terms.buyer if not isinstance(placed, order.Unplaced) else ""
        if what == 4:
            self._tell(order.order, key, order.CancelOrder(buyer))
        elif what == 5:
            grace = now + timedelta(seconds=whom % 30)
            start = order.StartPayment(f"p{len(self.log.events)}", buyer, "tok", now, grace)
            self._tell(order.order, key, start)
        elif what == 6:
            self._of_parking(whom, key)
        elif what == 7 and isinstance(placed, order.Completed):
            undo: Any = payment.RequestRefund("sorry") if whom % 3 else payment.DisputePayment("d", "not me")
            self._tell(payment.payment, placed.payment, undo)
        else:
            self._pump(whom, key, now)

    def _of_parking(self, whom: int, key: str) -> None:
        commands = [
            parking.ParkPurchase("capture", "no answer", 5),
            parking.RetryPurchase("op"),
            parking.SkipPurchase("op", "written off"),
        ]
        self._tell(parking.parking, key, commands[whom % 3])

    def _pump(self, whom: int, key: str, now: datetime) -> None:
        step = next_step(self.purchase(key), now)
        if isinstance(step, Tell):
            self._tell(step.decider, step.key, step.command)
        elif isinstance(step, Ask):
            answers = ANSWERS[step.verb]
            for said in heard(answers[whom % len(answers)], step.reason):
                self._tell(payment.payment, step.attempt.id, said)

    def _tell(self, decider: AnyDecider, key: str, command: Any) -> bool:
        """Whether the command led to anything."""
        stream, state = decider.stream(key), self.state(decider, key)
        decided = decider.decide(command, state)
        if isinstance(decided, Refused) or not decided:
            return False
        self.log.append(stream, *decided)
        self._states[stream] = decider.fold(state, decided)
        return True
