"""What a person can ask of the marketplace: list, edit, delist, reserve, pay, cancel, and look.

Each is a command on one stream; what must follow on the others is left to the pump, so a request
that dies half-way leaves behind exactly what the pump needs to finish it.
"""

from datetime import timedelta

from msgspec import Struct
from msgspec.structs import replace

from domain import order, payment, ticket
from domain.decider import Loaded, Refused
from domain.money import Money
from processmanager.desk import Cause, Desk, Done
from processmanager.ports import Clock, Confirmation
from processmanager.pump import Pump, StepFailed
from processmanager.purchase import terms_of

IMPATIENCE = timedelta(seconds=2)
"""A buyer who has waited longer than this for a step that failed is told so at once."""


class Policy(Struct, frozen=True):
    """The rules of the house that may change without changing a fact that was written under them.

    hold: how long a reservation lasts. grace: how long an attempt to pay fences off the end of a hold.
    own_tickets: whether a seller may buy his own ticket. late_sales: whether money that comes after its hold
    has ended still buys the ticket, if that is free: it is then held once more, for a grace. Otherwise, and
    if it is gone, the money goes back.
    """

    hold: timedelta = timedelta(minutes=15)
    grace: timedelta = timedelta(minutes=10)
    own_tickets: bool = False
    late_sales: bool = True

    @property
    def late(self) -> timedelta | None:
        """As for ``purchase.next_step``."""
        return self.grace if self.late_sales else None


class Paid(Struct, frozen=True):
    """What became of an attempt to pay, as far as it is known now. ``repeated``: what was asked
    for had begun before; of a refund: it had been made."""

    payment_id: str
    payment: payment.State
    order: order.State
    position: int
    repeated: bool = False


class Marketplace:
    def __init__(self, desk: Desk, pump: Pump, clock: Clock, policy: Policy) -> None:
        self._desk = desk
        self._pump = pump
        self._clock = clock
        self.policy = policy

    # ── Sellers ───────────────────────────────────────────────────────────────────────────────────

    async def list_ticket(
        self, ticket_id: str, seller: str, title: str, price: Money, cause: Cause
    ) -> Done[ticket.State]:
        """Offer a ticket under an id that the caller has made up. Raises Refused."""
        command = ticket.ListTicket(seller, title, price)
        return await self._desk.execute(ticket.ticket, ticket_id, command, cause, new=True)

    async def edit_ticket(
        self, ticket_id: str, by: str, title: str, price: Money, cause: Cause
    ) -> Done[ticket.State]:
        """Change title and price. Raises Refused while the ticket is held or sold."""
        command = ticket.EditTicket(by, title, price)
        return await self._desk.execute(ticket.ticket, ticket_id, command, cause)

    async def delist_ticket(self, ticket_id: str, by: str, cause: Cause) -> Done[ticket.State]:
        """Take an offer back. Raises Refused while the ticket is held or sold."""
        return await self._desk.execute(ticket.ticket, ticket_id, ticket.DelistTicket(by), cause)

    # ── Buyers ────────────────────────────────────────────────────────────────────────────────────

    async def reserve(
        self, order_id: str, ticket_id: str, buyer: str, cause: Cause, *, repeatable: bool = False
    ) -> Done[order.State]:
        """Take a ticket for a while, under an order id that the caller has made up.

        order_id: random, or derived from buyer, ticket and the caller's key: an order id belongs to one
        ticket. repeatable: it was derived, so the order may exist already. Raises Refused.
        """
        if repeatable:
            placed = await self._desk.load(order.order, order_id)
            if not isinstance(placed.state, order.Unplaced):
                return _already(placed, ticket_id, buyer)
        taken = await self._desk.execute(
            ticket.ticket,
            ticket_id,
            ticket.ReserveTicket(
                order_id, buyer, self._clock.now() + self.policy.hold, self.policy.own_tickets
            ),
            cause,
        )
        if not isinstance(taken.state, ticket.Reserved):
            # A repeat that raced with the whole rest of its own purchase.
            return _already(await self._desk.load(order.order, order_id), ticket_id, buyer)
        done = await self._desk.execute(
            order.order, order_id, order.PlaceOrder(terms_of(ticket_id, taken.state)), cause, new=True
        )
        if isinstance(done.state, order.Cancelled | order.Completed):
            # A repeat took the ticket again for an order that is over: give it back.
            await self._pump.pump(order_id, cause)
        return done

    async def pay(self, order_id: str, payment_id: str, by: str, token: str, cause: Cause) -> Paid:
        """Begin the attempt ``payment_id`` and drive the purchase as far as it goes now.

        token: the provider's token of a payment method. The same payment_id again joins the same attempt.
        Raises Refused, and StepFailed when a step could not be done now (the watchdog goes on with it).
        """
        now = self._clock.now()
        command = order.StartPayment(payment_id, by, token, now, now + self.policy.grace, cause.correlation)
        started = await self._desk.execute(order.order, order_id, command, cause)
        try:
            # After our own append the picture is fresh; a repeat may come from a process that knows less.
            purchase = await self._pump.pump(order_id, cause, current=not started.events)
        except StepFailed:
            if self._clock.now() - now > IMPATIENCE:
                raise
            # A lost answer is found again under the same key, and mostly at once.
            purchase = await self._pump.pump(order_id, cause)
        paid = await self._desk.recall(payment.payment, payment_id)
        position, repeated = max(purchase.position, paid.position), not started.events
        return Paid(payment_id, paid.state, purchase.order, position, repeated)

    async def confirmation(self, payment_id: str) -> Confirmation | None:
        """What the buyer needs to confirm his payment at his bank; None if that is not waited for.

        Raises PaymentsUnavailable.
        """
        return await self._pump.confirmation(payment_id)

    async def cancel(self, order_id: str, by: str, cause: Cause) -> Done[order.State]:
        """Give a hold back before paying, or while the bank still waits for the buyer.

        Raises Refused, and StepFailed or PaymentsUnavailable when an attempt to pay could not be ended now.
        """
        try:
            done = await self._desk.execute(order.order, order_id, order.CancelOrder(by), cause)
        except Refused as refused:
            if refused != order.BEING_PAID:
                raise
            await self._end_attempt(order_id, cause)
            done = await self._desk.execute(order.order, order_id, order.CancelOrder(by), cause)
        purchase = await self._pump.pump(order_id, cause, current=not done.events)
        return Done(done.state, done.revision, max(done.position, purchase.position), done.events)

    async def _end_attempt(self, order_id: str, cause: Cause) -> None:
        """What cannot take money any more is no reason to keep the hold. A command of its own, and so is its
        trace: the order may be refused its end all the same."""
        placed = await self._desk.load(order.order, order_id)
        if isinstance(placed.state, order.Paying):
            own = replace(cause, causation=f"{cause.causation}: end the payment")
            if await self._pump.end(placed.state.payment, order.CANCELLED_BY_BUYER, own):
                await self._pump.pump(order_id, own)

    # ── Operators ─────────────────────────────────────────────────────────────────────────────────

    async def refund(self, order_id: str, reason: str, cause: Cause, amount: Money | None = None) -> Paid:
        """Give the money of a completed order back, whole or ``amount`` of it; whole, the ticket goes too.

        The same reason and amount again give nothing more. Raises Refused, and StepFailed when the
        provider could not do it now (the watchdog goes on with it).
        """
        placed = await self._desk.load(order.order, order_id)
        if isinstance(placed.state, order.Unplaced):
            raise Refused(order.UNKNOWN.code, order.UNKNOWN.message)
        if not isinstance(placed.state, order.Completed):
            raise Refused(order.NOT_PAID.code, order.NOT_PAID.message)
        payment_id = placed.state.payment
        command = payment.RequestRefund(reason, amount)
        asked = await self._desk.execute(payment.payment, payment_id, command, cause)
        repeated = not asked.events and not isinstance(asked.state, payment.Refunding)
        purchase = await self._pump.pump(order_id, cause)
        paid = await self._desk.recall(payment.payment, payment_id)
        position = max(purchase.position, paid.position)
        return Paid(payment_id, paid.state, purchase.order, position, repeated)

    # ── Anybody ───────────────────────────────────────────────────────────────────────────────────

    async def ticket(self, ticket_id: str) -> Loaded[ticket.State]:
        return await self._desk.load(ticket.ticket, ticket_id)

    async def order(self, order_id: str) -> Loaded[order.State]:
        return await self._desk.load(order.order, order_id)

    async def payment(self, payment_id: str) -> Loaded[payment.State]:
        return await self._desk.load(payment.payment, payment_id)


def _already(placed: Loaded[order.State], ticket_id: str, buyer: str) -> Done[order.State]:
    """The answer to a repeated reservation: the order as it now is."""
    if isinstance(placed.state, order.Unplaced):
        raise Refused(ticket.RESERVED.code, ticket.RESERVED.message)
    terms = placed.state.terms
    if (terms.ticket, terms.buyer) != (ticket_id, buyer):
        raise Refused(order.EXISTS.code, order.EXISTS.message)
    return Done(placed.state, placed.revision, placed.position, ())
