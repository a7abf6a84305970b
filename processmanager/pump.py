"""The pump: do what the purchase needs next, record how it went, and look again.

Requests, timers, restarts and operators all pump. Two pumps on one purchase waste work and nothing
else: facts are guarded by revisions, and the provider is asked under the same keys.
"""

from contextlib import suppress
from datetime import timedelta
from typing import assert_never

from domain import order, payment, ticket
from domain.decider import Refused
from processmanager.desk import Cause, Desk
from processmanager.ports import (
    Answer,
    Clock,
    Confirmation,
    Contested,
    IsAuthorized,
    IsCaptured,
    IsDeclined,
    IsPending,
    IsRefunded,
    IsUnknown,
    IsVoided,
    NeedsAction,
    Payments,
    Returned,
)
from processmanager.purchase import (
    Ask,
    Purchase,
    Tell,
    Wait,
    attempt_of,
    give_back,
    needs_proof,
    next_step,
)

MAX_STEPS = 32
"""More than any purchase needs in one go; a bound on what a mistake in ``next_step`` could cost."""
MOST_REFUNDS = 6
"""So many refunds of one attempt may come to nothing, most of them days after the provider had said yes. One
more would too; it is for an operator to find another way."""


class StepFailed(Exception):
    """A step could not be done now. ``purchase`` stands where it stood; ``error`` says why."""

    def __init__(self, purchase: Purchase, step: str, error: Exception) -> None:
        super().__init__(f"{step}: {error}")
        self.purchase = purchase
        self.step = step
        self.error = error


class RefundCameToNothing(Exception):
    """The provider could not give the money back. It is on record, and the next try is another refund."""


class Pump:
    """Drives one purchase at a time as far as it can go."""

    def __init__(self, desk: Desk, payments: Payments, clock: Clock, late: timedelta | None = None) -> None:
        """late: as for ``next_step``."""
        self._late = late
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
            step = next_step(purchase, self._clock.now(), self._late)
            if not current and needs_proof(step, purchase):
                current = True
                continue
            if needs_proof(step, purchase) and not isinstance(step, Wait) and await self._moved(purchase):
                continue
            if isinstance(step, Wait):
                step = await self._owed_for_earlier_attempts(purchase) or step
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

    async def hear_of(self, payment_id: str, cause: Cause) -> Purchase | None:
        """Ask the provider what became of an attempt, record it, and do what the purchase then needs.

        That is what a hint from outside leads to, whatever it says. None if there is no such attempt.
        Raises StepFailed, PaymentsUnavailable and what the desk raises.
        """
        asked = await self._desk.load(payment.payment, payment_id)
        if isinstance(asked.state, payment.Unrequested):
            return None
        answer = await self._payments.look(attempt_of(payment_id, asked.state))
        with suppress(RefundCameToNothing):  # the pump goes on with the next one
            await self._record(payment_id, answer, "", cause)
        return await self.pump(asked.state.request.order, cause)

    async def confirmation(self, payment_id: str) -> Confirmation | None:
        """What the buyer needs to confirm an attempt; None if it does not wait for him.

        Raises PaymentsUnavailable and what the desk raises.
        """
        asked = await self._desk.recall(payment.payment, payment_id)
        if isinstance(asked.state, payment.ActionRequired):
            return await self._payments.confirmation(attempt_of(payment_id, asked.state))
        return None

    async def end(self, payment_id: str, reason: str, cause: Cause) -> bool:
        """Have the provider end an attempt that waits for somebody outside; False if it does not wait.

        Raises PaymentsUnavailable and what the desk raises.
        """
        asked = await self._desk.load(payment.payment, payment_id)
        if isinstance(asked.state, payment.ActionRequired | payment.Pending):
            step = Ask("void", attempt_of(payment_id, asked.state), reason)
            return await self._record(payment_id, await self._ask(step), reason, cause)
        return False

    async def _owed_for_earlier_attempts(self, purchase: Purchase) -> Ask | None:
        """A refund of an attempt that had failed before, and that itself failed after it had gone through."""
        failures = () if isinstance(purchase.order, order.Unplaced) else purchase.order.failures
        for failed in failures:
            earlier = await self._desk.recall(payment.payment, failed.payment)
            if isinstance(earlier.state, payment.Refunding):
                earlier = await self._desk.load(payment.payment, failed.payment)
            if isinstance(earlier.state, payment.Refunding):
                return give_back(failed.payment, earlier.state)
        return None

    async def _look(self, order_id: str, ticket_id: str | None, *, current: bool) -> Purchase:
        see = self._desk.load if current else self._desk.recall
        placed = await see(order.order, order_id)
        payment_id: str | None = None
        match placed.state:
            case order.Paying() | order.Revived() | order.Completed() | order.Cancelled():
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

    async def _moved(self, purchase: Purchase) -> bool:
        """Whether the order went on while the rest was read, which then is no picture of any moment."""
        return (await self._desk.load(order.order, purchase.order_id)).state != purchase.order

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
            return bool(done.events)
        if step.verb == "refund":
            await self._refuse_one_too_many(step.attempt.id)
        return await self._record(step.attempt.id, await self._ask(step), step.reason, cause)

    async def _refuse_one_too_many(self, payment_id: str) -> None:
        """Raises RefundCameToNothing."""
        paid = (await self._desk.recall(payment.payment, payment_id)).state
        failed = paid.past.failed if isinstance(paid, payment.Refunding) else ()
        if len(failed) >= MOST_REFUNDS:
            raise RefundCameToNothing(
                f"{len(failed)} refunds of payment {payment_id} came to nothing: give the money back at the "
                "provider's own desk, or another way and skip this with a reason"
            )

    async def _record(self, payment_id: str, answer: Answer, reason: str, cause: Cause) -> bool:
        """Record what the provider said; True if any of it was news. Raises RefundCameToNothing."""
        news: list[payment.Event] = []
        for said in heard(answer, reason):
            # What does not fit any more was said late: the provider said something later to somebody else.
            with suppress(Refused):
                news += (await self._desk.execute(payment.payment, payment_id, said, cause)).events
        for event in news:
            if isinstance(event, payment.RefundFailed):
                raise RefundCameToNothing(f"{event.reference} failed: {event.reason}")
        return bool(news)

    async def _ask(self, step: Ask) -> Answer:
        match step.verb:
            case "authorize":
                return await self._payments.authorize(step.attempt, step.key)
            case "look":
                return await self._payments.look(step.attempt)
            case "capture":
                return await self._payments.capture(step.attempt, step.key)
            case "void":
                came = await self._payments.look(step.attempt) if step.sparing else None
                if isinstance(came, IsAuthorized | IsCaptured):
                    return came
                return await self._payments.void(step.attempt, step.key)
            case "refund":
                return await self._payments.refund(step.attempt, step.key)
            case _:
                assert_never(step.verb)


def heard(answer: Answer, reason: str) -> tuple[payment.Command, ...]:
    """The facts to record for what the provider said, in their order."""
    match answer:
        case IsUnknown():
            return ()
        case IsPending(reference):
            return (payment.AwaitPayment(reference),)
        case NeedsAction(reference, action):
            return (payment.RequireAction(reference, action),)
        case IsAuthorized(reference):
            return (payment.AuthorizePayment(reference),)
        case IsDeclined(code, message):
            return (payment.DeclinePayment(code, message),)
        case IsCaptured(reference, returned, contested):
            since = (*map(_heard_of_refund, returned), *(c for each in contested for c in _heard_of(each)))
            return (payment.CapturePayment(reference), *since)
        case IsVoided():
            return (payment.VoidPayment(reason or "ended at the provider"),)
        case IsRefunded(reference, of):
            # It may have gone back at the provider's own desk before we heard that it was taken.
            return (payment.CapturePayment(of or reference), payment.RefundPayment(reference))
        case _:
            assert_never(answer)


def _heard_of_refund(refund: Returned) -> payment.Command:
    match refund.standing:
        case "pending":
            return payment.AwaitRefund(refund.reference)
        case "done":
            return payment.RefundPayment(refund.reference, refund.amount)
        case "failed":
            return payment.FailRefund(refund.reference, refund.reason)
        case _:
            assert_never(refund.standing)


def _heard_of(dispute: Contested) -> tuple[payment.Command, ...]:
    opened = payment.DisputePayment(dispute.reference, dispute.reason)
    if dispute.standing == "open":
        return (opened,)
    return opened, payment.CloseDispute(dispute.reference, dispute.standing == "won")
