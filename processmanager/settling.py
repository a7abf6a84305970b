"""Settling one payment by an operator's word: make the log and the provider agree on it.

What the provider says is recorded. Where the log has decided and the provider lags behind, it is asked
again. Money of an attempt that the log knows nothing of, or holds for ended, goes back only when told so.
"""

from typing import Literal, TypeAlias

from domain import order, payment
from domain.decider import Refused
from processmanager.desk import Cause, Desk
from processmanager.ports import (
    Answer,
    Attempt,
    IsAuthorized,
    IsCaptured,
    IsPending,
    IsRefunded,
    NeedsAction,
    Payments,
    step_key,
)
from processmanager.pump import Pump
from processmanager.purchase import attempt_of, give_back

UNKNOWN_THERE = "the payment provider does not know of it"
PAID_BY_IT = Refused("payment_counts", "The order was paid by this payment: to undo it, refund the order")
Outcome: TypeAlias = Literal["agrees", "holds money", "ended", "given back"]


class Settler:
    """Raises StepFailed, PaymentsUnavailable, Refused and what the desk raises."""

    def __init__(self, desk: Desk, pump: Pump, payments: Payments) -> None:
        self._desk = desk
        self._pump = pump
        self._payments = payments

    async def settle(self, payment_id: str, cause: Cause) -> payment.State:
        """Record what the provider says of a payment, do what the log had decided, finish its purchase."""
        await self._pump.hear_of(payment_id, cause)
        state = await self._state(payment_id)
        if not isinstance(state, payment.Captured | payment.Refunding | payment.Refunded):
            return state
        answer = await self._payments.look(attempt_of(payment_id, state))
        if isinstance(answer, IsAuthorized) and isinstance(state, payment.Captured):
            await self._payments.capture(attempt_of(payment_id, state), step_key(payment_id, "capture"))
        if isinstance(answer, IsCaptured):
            there = {each.reference for each in answer.returned if each.standing != "failed"}
            for given in state.past.given:
                if given.reference not in there:
                    failed = payment.FailRefund(given.reference, UNKNOWN_THERE)
                    await self._desk.execute(payment.payment, payment_id, failed, cause)
            await self._pump.pump(state.request.order, cause)
        return await self._state(payment_id)

    async def give_back(self, payment_id: str, reason: str, cause: Cause) -> payment.State:
        """Give the money of a captured payment back that its order does not go by."""
        asked_for = await self._state(payment_id)
        if not isinstance(asked_for, payment.Unrequested):
            placed = (await self._desk.load(order.order, asked_for.request.order)).state
            if isinstance(placed, order.Completed) and placed.payment == payment_id:
                raise PAID_BY_IT
        asked = payment.RequestRefund(reason)
        done = await self._desk.execute(payment.payment, payment_id, asked, cause)
        if isinstance(done.state, payment.Refunding):
            step = give_back(payment_id, done.state)
            await self._payments.refund(step.attempt, step.key)
            await self._pump.hear_of(payment_id, cause)
        return await self._state(payment_id)

    async def end_stray(self, stray: Attempt) -> Outcome:
        """End what the provider holds under a name that the log does not go by: void it, or refund it."""
        answer = await self._payments.look(stray)
        if _is_open(answer):
            answer = await self._payments.void(stray, f"{stray.reference}:void")
            if not isinstance(answer, IsCaptured):
                return "ended"
        if not isinstance(answer, IsCaptured):
            return "agrees"
        answer = await self._payments.refund(stray, f"{stray.reference}:refund")
        went = isinstance(answer, IsRefunded) or (isinstance(answer, IsCaptured) and bool(answer.returned))
        return "given back" if went else "holds money"

    async def _state(self, payment_id: str) -> payment.State:
        return (await self._desk.load(payment.payment, payment_id)).state


def _is_open(answer: Answer) -> bool:
    return isinstance(answer, IsPending | NeedsAction | IsAuthorized)
