"""The people: sellers who change their minds, buyers who ask twice, and pay with whatever they have."""

from random import Random

from domain import order, ticket
from domain.money import Money
from processmanager.marketplace import Policy
from tests.simulation.errand import ORDER, TICKET, Errand
from tests.simulation.log import Log
from tests.simulation.provider import METHODS

BUYERS = ("ann", "bob", "cem")
SELLERS = ("sue", "tom")
_TOKENS, _ODDS = tuple(METHODS), tuple(METHODS.values())


class Plan:
    """An order as its buyer knows it: by an id that he may not even have been told of."""

    def __init__(self, order_id: str, ticket_id: str, buyer: str, reserve: Errand) -> None:
        self.order_id = order_id
        self.ticket_id = ticket_id
        self.buyer = buyer
        self.reserve = reserve
        self.payments: list[Errand] = []


class People:
    """Thinks up errands. ``plans``: the orders that somebody has tried to place."""

    def __init__(self, rng: Random, log: Log) -> None:
        self._rng = rng
        self._log = log
        self.tickets = {f"t{n}": rng.choice(SELLERS) for n in range(1, rng.choice((1, 1, 1, 2, 2, 3)) + 1)}
        self.plans: list[Plan] = []
        self._count = 0

    def next_errand(self) -> Errand | None:
        """Something that somebody wants now, mostly what leads to a sale; None to wait and see."""
        if not self.plans:
            return self.reserve()
        plan = self._plan()
        if plan is None:
            return None
        if self._rng.random() < (0.45 if self._released() else 0.12):
            return self.reserve()
        chance = self._rng.random()
        if chance < 0.74:
            return self.pay(plan)
        if chance < 0.82 and not plan.reserve.once:
            return plan.reserve
        if chance < 0.92:
            return self.cancel(plan)
        return self.edit() if chance < 0.97 else self.delist()

    def list_ticket(self, ticket_id: str, seller: str) -> Errand:
        price = self._price()
        return Errand(
            f"{seller} lists {ticket_id}",
            (TICKET, ticket_id),
            lambda _: ticket.ListTicket(seller, "a seat", price),
            lambda process, cause: process.marketplace.list_ticket(ticket_id, seller, "a seat", price, cause),
        )

    def reserve(self) -> Errand:
        ticket_id = self._rng.choice(list(self.tickets))
        own = self._rng.random() < 0.05
        buyer = self.tickets[ticket_id] if own else self._rng.choice(BUYERS)
        order_id = f"o{len(self.plans) + 1}"
        # An id that the server made up is told to nobody before the answer, so it cannot be asked for again.
        repeatable = self._rng.random() < 0.8
        errand = Errand(
            f"{buyer} reserves {ticket_id} as {order_id}",
            (TICKET, ticket_id),
            lambda process: ticket.ReserveTicket(order_id, buyer, process.clock.now() + Policy().hold),
            lambda process, cause: process.marketplace.reserve(
                order_id, ticket_id, buyer, cause, repeatable=repeatable
            ),
            told=(ORDER, order_id),
            once=not repeatable,
            same=self._same(),
        )
        self.plans.append(Plan(order_id, ticket_id, buyer, errand))
        return errand

    def pay(self, plan: Plan) -> Errand:
        """A new attempt, or the last one again."""
        rng = self._rng
        if plan.payments and rng.random() < 0.4:
            return plan.payments[-1]
        payment_id = f"{plan.order_id}p{len(plan.payments) + 1}"
        by = plan.buyer if rng.random() < 0.97 else rng.choice(BUYERS)
        token = rng.choices(_TOKENS, _ODDS)[0]
        errand = Errand(
            f"{by} pays {plan.order_id} with {token} as {payment_id}",
            (ORDER, plan.order_id),
            lambda process: order.StartPayment(
                payment_id, by, token, process.clock.now(), process.clock.now() + Policy().grace
            ),
            lambda process, cause: process.marketplace.pay(plan.order_id, payment_id, by, token, cause),
            same=self._same(),
        )
        plan.payments.append(errand)
        return errand

    def cancel(self, plan: Plan) -> Errand:
        by = plan.buyer if self._rng.random() < 0.95 else self._rng.choice(BUYERS)
        return Errand(
            self._number(f"{by} cancels {plan.order_id}"),
            (ORDER, plan.order_id),
            lambda _: order.CancelOrder(by),
            lambda process, cause: process.marketplace.cancel(plan.order_id, by, cause),
            same=self._same(),
        )

    def edit(self) -> Errand:
        ticket_id, by = self._somebodys_ticket()
        price = self._price()
        return Errand(
            self._number(f"{by} edits {ticket_id}"),
            (TICKET, ticket_id),
            lambda _: ticket.EditTicket(by, "a better seat", price),
            lambda process, cause: process.marketplace.edit_ticket(
                ticket_id, by, "a better seat", price, cause
            ),
            same=self._same(),
        )

    def delist(self) -> Errand:
        ticket_id, by = self._somebodys_ticket()
        return Errand(
            self._number(f"{by} delists {ticket_id}"),
            (TICKET, ticket_id),
            lambda _: ticket.DelistTicket(by),
            lambda process, cause: process.marketplace.delist_ticket(ticket_id, by, cause),
            same=self._same(),
        )

    def _plan(self) -> Plan | None:
        """One of the latest orders: mostly one that was placed, whether or not its buyer was told."""
        latest = self.plans[-4:]
        if self._rng.random() < 0.1:
            return self._rng.choice(latest)
        placed = [plan for plan in latest if f"order-{plan.order_id}" in self._log.streams]
        return self._rng.choice(placed) if placed else None

    def _released(self) -> bool:
        """Whether a ticket has just come back on sale."""
        last = (self._log.streams[f"ticket-{ticket_id}"][-1].event for ticket_id in self.tickets)
        return any(isinstance(event, ticket.TicketReleased | ticket.TicketReturned) for event in last)

    def _somebodys_ticket(self) -> tuple[str, str]:
        ticket_id = self._rng.choice(list(self.tickets))
        return ticket_id, self.tickets[ticket_id] if self._rng.random() < 0.9 else self._rng.choice(SELLERS)

    def _same(self) -> bool:
        return self._rng.random() < 0.3

    def _price(self) -> Money:
        return Money(self._rng.randint(1, 99) * 100, "usd")

    def _number(self, what: str) -> str:
        self._count += 1
        return f"{what} ({self._count})"
