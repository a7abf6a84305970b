"""The attempt to charge a card, and what it makes of the intent and its charge.

https://docs.stripe.com/payments/paymentintents/lifecycle, https://docs.stripe.com/declines and
https://docs.stripe.com/payments/place-a-hold-on-a-payment-method
"""

import msgspec

from tests.stripe import disputes, ids
from tests.stripe.balance import fee_of, move
from tests.stripe.bank import Bank, Call
from tests.stripe.cards import Card, Decline
from tests.stripe.clock import DAY
from tests.stripe.errors import Problem, StripeError
from tests.stripe.methods import Use, card_of
from tests.stripe.shapes import Charge, PaymentError, PaymentIntent, PaymentMethod

HOLD_DAYS = 7
"""How long a card's bank sets money aside; after that an uncaptured intent is cancelled by itself."""


def attempt(bank: Bank, call: Call | None, intent: PaymentIntent, use: Use) -> Decline | None:
    """Charge the card, or only set the money aside when the capture is manual. Says why if it failed."""
    intent.next_action = None
    if use.card.decline is not None:
        decline(bank, call, intent, use, use.card.decline)
        return use.card.decline
    charge = _charge(bank, intent, use)
    charge.status, charge.paid = "succeeded", True
    charge.outcome = {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "approved_by_network",
        "reason": None,
        "risk_level": "normal",
        "risk_score": 12,
        "seller_message": "Payment complete.",
        "type": "authorized",
    }
    intent.latest_charge, intent.last_payment_error = charge.id, None
    if intent.capture_method == "manual":
        intent.status, intent.amount_capturable = "requires_capture", intent.amount
        _keep(bank, intent, charge)
        bank.emit("payment_intent.amount_capturable_updated", intent, call)
        bank.emit("charge.succeeded", charge, call)
    else:
        _take(bank, intent, charge, intent.amount)
        bank.emit("payment_intent.succeeded", intent, call)
        bank.emit("charge.succeeded", charge, call)
        _dispute(bank, call, charge, use.card)
    return None


def capture(bank: Bank, call: Call, intent: PaymentIntent, amount: int) -> None:
    """Take what was set aside, or a part of it; the rest is let go."""
    charge = charge_of(bank, intent)
    _take(bank, intent, charge, amount)
    bank.emit("charge.captured", charge, call)
    bank.emit("payment_intent.succeeded", intent, call)
    method = bank.ledger.get(PaymentMethod, charge.payment_method)
    if method is not None:
        _dispute(bank, call, charge, card_of(bank, method))


def let_go(bank: Bank, call: Call | None, intent: PaymentIntent) -> None:
    """Give back what was set aside and not captured. No money had moved, so there is no refund.

    https://docs.stripe.com/changelog/basil/2025-03-31/remove-refund-from-partial-capture-and-payment-cancellation-flow
    """
    intent.amount_capturable = 0
    if call is None:
        bank.emit("charge.expired", charge_of(bank, intent), None)


def decline(bank: Bank, call: Call | None, intent: PaymentIntent, use: Use, why: Decline) -> None:
    """A failed charge; the intent wants another PaymentMethod."""
    charge = _charge(bank, intent, use)
    charge.failure_code, charge.failure_message = why.code, why.message
    charge.outcome = {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "not_sent_to_network" if use.card.blocked else "declined_by_network",
        "reason": "highest_risk_level" if use.card.blocked else why.decline_code,
        "risk_level": "highest" if use.card.blocked else "normal",
        "seller_message": "The bank did not return any further details with this decline.",
        "type": "blocked" if use.card.blocked else "issuer_declined",
    }
    intent.latest_charge = charge.id
    intent.last_payment_error = PaymentError(
        type="card_error",
        code=why.code,
        decline_code=why.decline_code,
        message=why.message,
        charge=charge.id,
        doc_url=f"https://stripe.com/docs/error-codes/{why.code.replace('_', '-')}",
        payment_method=use.method,
    )
    wants_another(bank, call, intent)
    bank.ledger.put(charge)
    bank.emit("charge.failed", charge, call)


def wants_another(bank: Bank, call: Call | None, intent: PaymentIntent) -> None:
    """Back to the beginning: the PaymentMethod was not good."""
    intent.status, intent.payment_method, intent.next_action = "requires_payment_method", None, None
    bank.ledger.put(intent)
    bank.emit("payment_intent.payment_failed", intent, call)


def card_error(intent: PaymentIntent) -> StripeError:
    """The 402 that tells of the intent's last failure."""
    last = intent.last_payment_error
    assert last is not None
    return StripeError(
        402,
        Problem(
            "card_error",
            last.message,
            code=last.code,
            decline_code=last.decline_code,
            charge=last.charge,
            payment_intent=msgspec.to_builtins(intent),
            payment_method=msgspec.to_builtins(last.payment_method),
        ),
    )


def charge_of(bank: Bank, intent: PaymentIntent) -> Charge:
    charge = bank.ledger.get(Charge, intent.latest_charge or "")
    assert charge is not None, f"{intent.id} has no charge"
    return charge


def _take(bank: Bank, intent: PaymentIntent, charge: Charge, amount: int) -> None:
    booked = move(bank, "charge", amount, charge.currency, charge.id, fee=fee_of(amount))
    charge.captured, charge.amount_captured, charge.balance_transaction = True, amount, booked.id
    intent.status, intent.amount_received, intent.amount_capturable = "succeeded", amount, 0
    _keep(bank, intent, charge)


def _keep(bank: Bank, intent: PaymentIntent, charge: Charge) -> None:
    bank.ledger.put(charge)
    bank.ledger.put(intent)


def _dispute(bank: Bank, call: Call | None, charge: Charge, card: Card) -> None:
    if card.dispute is not None:
        disputes.open_dispute(bank, call, charge, card.dispute, inquiry=card.inquiry)


def _charge(bank: Bank, intent: PaymentIntent, use: Use) -> Charge:
    """A charge on the card, failed until it is known to be better."""
    now = bank.clock.stamp()
    card = use.method.card
    shown = {name: card[name] for name in ("brand", "country", "fingerprint", "funding", "last4")}
    expiry = {"exp_month": card["exp_month"], "exp_year": card["exp_year"]}
    manual = intent.capture_method == "manual"
    return Charge(
        id=ids.new("ch"),
        created=now,
        amount=intent.amount,
        billing_details=use.method.billing_details,
        currency=intent.currency,
        customer=intent.customer,
        description=intent.description,
        metadata=dict(intent.metadata),
        payment_intent=intent.id,
        payment_method=use.method.id,
        payment_method_details={
            "card": {
                **shown,
                **expiry,
                "amount_authorized": intent.amount,
                "capture_before": now + HOLD_DAYS * DAY if manual else None,
                "network": card["brand"],
                "three_d_secure": None,
            },
            "type": "card",
        },
        receipt_email=intent.receipt_email,
        status="failed",
        transfer_group=intent.transfer_group,
    )
