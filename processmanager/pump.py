"""The pump: do what the purchase needs next, record how it went, and look again.

Requests, timers, restarts and operators all pump. Two pumps on one purchase waste work and nothing
else: facts are guarded by revisions, and the provider is asked under the same keys.
"""

from typing import assert_never

from domain import order, payment, ticket
from domain.decider import Refused
from processmanager.desk import Cause, Desk
from processmanager.ports import (
    Answer,
    Clock,
    IsAuthorized,
    IsCaptured,
    IsDeclined,
    IsRefunded,
    IsVoided,
    NeedsAction,
    Payments,
)
from processmanager.purchase import Ask, Purchase, Tell, Wait, needs_proof, next_step

MAX_STEPS = 32
"""More than any purchase needs in one go; a bound on what a mistake in ``next_step`` could cost."""


class StepFailed(Exception):
    """A step could not be done now. ``purchase`` stands where it stood; ``error`` says why."""

    def __init__(self, purchase: Purchase, step: str, error: Exception) -> None:
        super().__init__(f"{step}: {error}")
        self.purchase = purchase
        self.step = step
        self.error = error


class Pump:
    """Drives one purchase at a time as far as it can go."""

    def __init__(self, desk: Desk, payments: Payments, clock: Clock) -> None:
        self._desk = desk
        self._payments = payments
        self._clock = clock

    async def pump(
        self,
        order_id: str,
        cause: Cause,
        *,
        ticket_id: str | None = None,
        current: bool = True,
        asking: bool = True,
    ) -> Purchase:
        """Do step after step until nothing is left to do now, and give the purchase as it then stands.

        ticket_id: whose hold names the order, in case the order was never placed.
        current: look at the streams first; False trusts what was seen last, for a caller who wrote just now.
        asking: the payment provider may be asked; without it, that is left to whoever may.
        Raises StepFailed.
        """
        for _ in range(MAX_STEPS):
            purchase = await self._look(order_id, ticket_id, current=current)
            step = next_step(purchase, self._clock.now())
            if not current and needs_proof(step, purchase):
                current = True
                continue
            if isinstance(step, Wait) or (isinstance(step, Ask) and not asking):
                return purchase
            try:
                moved = await self._attempt(step, cause)
            except Exception as error:
                raise StepFailed(purchase, step.name, error) from error
            if not moved and current and await self._look(order_id, ticket_id, current=False) == purchase:
                return purchase
            # A step that changed nothing was chosen on an old picture, or others were quicker, which the desk
            # has just found out and remembers: look properly before giving up.
            current = not moved
        unsettled = RuntimeError(f"order {order_id} did not settle in {MAX_STEPS} steps")
        raise StepFailed(purchase, "pump", unsettled)

    async def _look(self, order_id: str, ticket_id: str | None, *, current: bool) -> Purchase:
        see = self._desk.load if current else self._desk.recall
        placed = await see(order.order, order_id)
        payment_id: str | None = None
        match placed.state:
            case order.Paying() | order.Completed() | order.Cancelled():
                payment_id = placed.state.payment
        if not isinstance(placed.state, order.Unplaced):
            ticket_id = placed.state.terms.ticket
        held = await see(ticket.ticket, ticket_id) if ticket_id is not None else None
        paid = await see(payment.payment, payment_id) if payment_id is not None else None
        return Purchase(
            order_id,
            ticket_id,
            payment_id,
            placed.state,
            held.state if held else ticket.ticket.initial,
            paid.state if paid else payment.payment.initial,
            max(seen.position for seen in (placed, held, paid) if seen is not None),
        )

    async def _attempt(self, step: Tell | Ask, cause: Cause) -> bool:
        """Do one step; True if it led to a new fact."""
        try:
            return await self._do(step, cause)
        except Refused:
            # Somebody else moved the purchase on; what is next is looked up anew.
            return False

    async def _do(self, step: Tell | Ask, cause: Cause) -> bool:
        if isinstance(step, Tell):
            done = await self._desk.execute(step.decider, step.key, step.command, cause)
        else:
            said = heard(await self._ask(step), step.reason)
            done = await self._desk.execute(payment.payment, step.attempt.id, said, cause)
        return bool(done.events)

    async def _ask(self, step: Ask) -> Answer:
        match step.verb:
            case "authorize":
                return await self._payments.authorize(step.attempt, step.key)
            case "look":
                return await self._payments.look(step.attempt)
            case "capture":
                return await self._payments.capture(step.attempt, step.key)
            case "void":
                return await self._payments.void(step.attempt, step.key)
            case "refund":
                return await self._payments.refund(step.attempt, step.key)
            case _:
                assert_never(step.verb)


def heard(answer: Answer, reason: str) -> payment.Command:
    """The fact to record for what the provider said."""
    match answer:
        case NeedsAction(reference, action):
            return payment.RequireAction(reference, action)
        case IsAuthorized(reference):
            return payment.AuthorizePayment(reference)
        case IsDeclined(code, message):
            return payment.DeclinePayment(code, message)
        case IsCaptured(reference):
            return payment.CapturePayment(reference)
        case IsVoided():
            return payment.VoidPayment(reason or "ended at the provider")
        case IsRefunded(reference):
            return payment.RefundPayment(reference)
        case _:
            assert_never(answer)
