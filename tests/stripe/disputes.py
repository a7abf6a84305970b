"""Disputes: opened, answered, won, lost. https://docs.stripe.com/disputes and https://docs.stripe.com/api/disputes

A dispute takes the money at once, with a fee; an inquiry takes none. Winning brings the money back.
"""

from typing import Any, Literal

from tests.stripe import ids
from tests.stripe.balance import DISPUTE_FEE, move
from tests.stripe.bank import Bank, Call
from tests.stripe.clock import DAY
from tests.stripe.errors import refused
from tests.stripe.params import Given, merged, read
from tests.stripe.shapes import Charge, Dispute, Metadata

CLOSED = frozenset(("won", "lost", "warning_closed"))
EVIDENCE_DAYS = 9


class _Updating(Given, kw_only=True):
    evidence: dict[str, Any] | None = None
    metadata: Metadata | None = None
    submit: bool = True


def retrieve(bank: Bank, call: Call) -> Dispute:
    read(Given, call.params)
    return bank.find(Dispute, "dispute", call.id)


def update(bank: Bank, call: Call) -> Dispute:
    """Evidence decides by what its ``uncategorized_text`` says, as on https://docs.stripe.com/testing."""
    given = read(_Updating, call.params)
    dispute = _open_one(bank, call.id)
    dispute.metadata = merged(dispute.metadata, given.metadata)
    if given.evidence:
        dispute.evidence.update(given.evidence)
        dispute.evidence_details["has_evidence"] = True
    if not (given.evidence and given.submit):
        bank.ledger.put(dispute)
        bank.emit("charge.dispute.updated", dispute, call)
        return dispute
    dispute.evidence_details["submission_count"] += 1
    match given.evidence.get("uncategorized_text"):
        case "winning_evidence":
            return end(bank, call, dispute, "won")
        case "losing_evidence":
            return end(bank, call, dispute, "lost")
    dispute.status = "warning_under_review" if _is_inquiry(dispute) else "under_review"
    bank.ledger.put(dispute)
    bank.emit("charge.dispute.updated", dispute, call)
    return dispute


def close(bank: Bank, call: Call) -> Dispute:
    """The seller gives in: the dispute is lost for good."""
    read(Given, call.params)
    return end(bank, call, _open_one(bank, call.id), "lost")


def open_dispute(
    bank: Bank, call: Call | None, charge: Charge, reason: str, *, inquiry: bool = False
) -> Dispute:
    """The card's owner goes to his bank. Raises StripeError when nothing is left to dispute."""
    amount = charge.amount_captured - charge.amount_refunded
    if charge.disputed or amount <= 0:
        raise refused(f"The charge {charge.id} cannot be disputed: it is already, or nothing of it is left")
    now = bank.clock.stamp()
    dispute = Dispute(
        id=ids.new("du"),
        created=now,
        amount=amount,
        charge=charge.id,
        currency=charge.currency,
        evidence_details={
            "due_by": now + EVIDENCE_DAYS * DAY,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        is_charge_refundable=inquiry,
        payment_intent=charge.payment_intent,
        payment_method_details={
            "card": {"brand": charge.payment_method_details["card"]["brand"], "case_type": "chargeback"},
            "type": "card",
        },
        reason=reason,
        status="warning_needs_response" if inquiry else "needs_response",
    )
    charge.disputed = True
    if not inquiry:
        dispute.balance_transactions.append(
            move(bank, "adjustment", -amount, charge.currency, dispute.id, fee=DISPUTE_FEE)
        )
    bank.ledger.put(charge)
    bank.ledger.put(dispute)
    bank.emit("charge.dispute.created", dispute, call)
    if not inquiry:
        bank.emit("charge.dispute.funds_withdrawn", dispute, call)
    return dispute


def end(bank: Bank, call: Call | None, dispute: Dispute, how: Literal["won", "lost"]) -> Dispute:
    """The bank has decided; an inquiry is just closed. Raises StripeError if it had before."""
    if dispute.status in CLOSED:
        raise refused(f"This dispute is already closed: {dispute.status}")
    if _is_inquiry(dispute):
        dispute.status = "warning_closed"
    else:
        dispute.status = how
        if how == "won":
            back = move(
                bank,
                "adjustment",
                dispute.amount,
                dispute.currency,
                dispute.id,
                fee=-DISPUTE_FEE,
                category="dispute_reversal",
            )
            dispute.balance_transactions.append(back)
    bank.ledger.put(dispute)
    bank.emit("charge.dispute.closed", dispute, call)
    if dispute.status == "won":
        bank.emit("charge.dispute.funds_reinstated", dispute, call)
    return dispute


def _open_one(bank: Bank, name: str) -> Dispute:
    dispute = bank.find(Dispute, "dispute", name)
    if dispute.status in CLOSED:
        raise refused(f"This dispute is already closed: {dispute.status}")
    return dispute


def _is_inquiry(dispute: Dispute) -> bool:
    return dispute.status.startswith("warning_")
