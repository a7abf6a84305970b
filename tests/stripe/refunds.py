"""Refunds, whole and partial, and what becomes of them. https://docs.stripe.com/refunds

Most succeed at once. Some are pending first, and some fail days after they looked well: the money then
comes back to the account, and is owed to the buyer again (https://docs.stripe.com/refunds#failed-refunds).
"""

from typing import Literal

from tests.stripe import ids
from tests.stripe.balance import move
from tests.stripe.bank import Bank, Call
from tests.stripe.currencies import check_step
from tests.stripe.errors import StripeError, invalid, refused
from tests.stripe.methods import card_of
from tests.stripe.params import Given, merged, read
from tests.stripe.shapes import Charge, Dispute, Metadata, PaymentIntent, PaymentMethod, Refund


class _Creating(Given, kw_only=True):
    amount: int | None = None
    charge: str | None = None
    payment_intent: str | None = None
    metadata: Metadata | None = None
    reason: Literal["duplicate", "fraudulent", "requested_by_customer"] | None = None
    instructions_email: str | None = None


class _Updating(Given, kw_only=True):
    metadata: Metadata | None = None


def create(bank: Bank, call: Call) -> Refund:
    given = read(_Creating, call.params)
    charge = _charge(bank, given)
    left = charge.amount_captured - charge.amount_refunded
    amount = left if given.amount is None else given.amount
    check_step(amount, charge.currency)
    _check(bank, charge, amount, left)
    method = bank.ledger.get(PaymentMethod, charge.payment_method)
    pending = method is not None and card_of(bank, method).refunds == "pending"
    refund = Refund(
        id=ids.new("re"),
        created=bank.clock.stamp(),
        amount=amount,
        charge=charge.id,
        currency=charge.currency,
        destination_details={"card": {"reference_status": "pending", "type": "refund"}, "type": "card"},
        metadata=given.metadata or {},
        payment_intent=charge.payment_intent,
        pending_reason="processing" if pending else None,
        reason=given.reason,
        status="pending" if pending else "succeeded",
    )
    refund.balance_transaction = move(bank, "refund", -amount, charge.currency, refund.id).id
    _count(charge, amount)
    bank.ledger.put(charge)
    bank.ledger.put(refund)
    bank.emit("refund.created", refund, call)
    bank.emit("charge.refunded", charge, call)
    return refund


def retrieve(bank: Bank, call: Call) -> Refund:
    read(Given, call.params)
    return bank.find(Refund, "refund", call.id)


def update(bank: Bank, call: Call) -> Refund:
    given = read(_Updating, call.params)
    refund = bank.find(Refund, "refund", call.id)
    refund.metadata = merged(refund.metadata, given.metadata)
    bank.ledger.put(refund)
    _tell(bank, refund, call)
    return refund


def cancel(bank: Bank, call: Call) -> Refund:
    """Only refunds that wait for the customer can be cancelled, and refunds to cards never do."""
    read(Given, call.params)
    refund = bank.find(Refund, "refund", call.id)
    raise refused(f"A refund in status {refund.status} cannot be canceled")


def complete(bank: Bank, refund: Refund) -> Refund:
    """The buyer's bank has taken it. Raises StripeError unless it was pending."""
    if refund.status != "pending":
        raise refused(f"The refund {refund.id} is not pending but {refund.status}")
    refund.status, refund.pending_reason = "succeeded", None
    bank.ledger.put(refund)
    _tell(bank, refund, None)
    return refund


def fail(bank: Bank, refund: Refund, reason: str = "expired_or_canceled_card") -> Refund:
    """The buyer's bank has sent it back. Raises StripeError if it had before."""
    if refund.status not in {"pending", "succeeded"}:
        raise refused(f"The refund {refund.id} is already {refund.status}")
    back = move(bank, "refund_failure", refund.amount, refund.currency, refund.id)
    refund.status, refund.pending_reason = "failed", None
    refund.failure_reason, refund.failure_balance_transaction = reason, back.id
    charge = bank.find(Charge, "charge", refund.charge)
    _count(charge, -refund.amount)
    bank.ledger.put(charge)
    bank.ledger.put(refund)
    bank.emit("refund.failed", refund, None)
    _tell(bank, refund, None)
    return refund


def _charge(bank: Bank, given: _Creating) -> Charge:
    if (given.charge is None) == (given.payment_intent is None):
        raise invalid("Name either a charge or a payment_intent", code="parameter_missing", param="charge")
    if given.charge is not None:
        return bank.find(Charge, "charge", given.charge, param="charge", status=400)
    name = given.payment_intent or ""
    intent = bank.find(PaymentIntent, "payment_intent", name, param="payment_intent", status=400)
    charge = bank.ledger.get(Charge, intent.latest_charge or "")
    if charge is None or charge.status != "succeeded":
        raise refused(f"This PaymentIntent ({name}) does not have a successful charge to refund.")
    return charge


def _check(bank: Bank, charge: Charge, amount: int, left: int) -> None:
    if charge.status != "succeeded" or not charge.captured:
        message = f"The charge {charge.id} was not captured; cancel its PaymentIntent instead."
        raise refused(message, code="charge_not_refundable")
    if any(dispute.status != "won" for dispute in bank.ledger.all(Dispute, charge=charge.id)):
        message = f"The charge {charge.id} has been charged back; it cannot be refunded."
        raise refused(message, code="charge_disputed")
    if left == 0:
        raise refused(f"Charge {charge.id} has already been refunded.", code="charge_already_refunded")
    if amount < 1:
        raise invalid("Invalid positive integer", code="parameter_invalid_integer", param="amount")
    if amount > left:
        raise _too_much(amount, left)


def _too_much(amount: int, left: int) -> StripeError:
    return refused(
        f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})", param="amount"
    )


def _count(charge: Charge, amount: int) -> None:
    charge.amount_refunded += amount
    charge.refunded = charge.amount_refunded == charge.amount_captured


def _tell(bank: Bank, refund: Refund, call: Call | None) -> None:
    bank.emit("refund.updated", refund, call)
    bank.emit("charge.refund.updated", refund, call)
