"""Confirming an intent: with a card, at once or after its owner has authenticated himself.

https://docs.stripe.com/api/payment_intents/confirm and https://docs.stripe.com/payments/3d-secure
"""

from typing import Any, Literal

import msgspec

from tests.stripe import ids, methods
from tests.stripe.bank import Bank, Call
from tests.stripe.cards import AUTHENTICATION_REQUIRED
from tests.stripe.charging import attempt, card_error, decline, wants_another
from tests.stripe.errors import StripeError, invalid, refused
from tests.stripe.methods import MethodGiven, Use
from tests.stripe.params import Given
from tests.stripe.shapes import PaymentError, PaymentIntent, PaymentMethod

CONFIRMABLE = frozenset(("requires_payment_method", "requires_confirmation", "requires_action"))


class ConfirmGiven(Given, kw_only=True):
    """Parameters of confirming; those of creating with ``confirm`` include them."""

    payment_method: str | None = None
    payment_method_data: MethodGiven | None = None
    payment_method_options: dict[str, Any] | None = None
    allowed_payment_method_types: list[str] | None = None
    payment_method_types: list[str] | None = None
    return_url: str | None = None
    off_session: bool = False
    error_on_requires_action: bool = False
    use_stripe_sdk: bool = False
    capture_method: Literal["automatic", "automatic_async", "manual"] | None = None
    receipt_email: str | None = None
    setup_future_usage: Literal["on_session", "off_session"] | None = None
    shipping: dict[str, Any] | None = None
    mandate_data: dict[str, Any] | None = None


def chosen(bank: Bank, given: ConfirmGiven) -> PaymentMethod | None:
    """The PaymentMethod that the parameters name. Raises StripeError."""
    if given.payment_method is not None and given.payment_method_data is not None:
        raise invalid("Give either payment_method or payment_method_data", param="payment_method_data")
    if given.payment_method_data is not None:
        return methods.make(bank, given.payment_method_data)
    if given.payment_method is not None:
        return methods.named(bank, given.payment_method)
    return None


def check_return_url(intent: PaymentIntent, given: ConfirmGiven) -> None:
    """With automatic payment methods that may redirect, Stripe wants to know where to send the buyer back."""
    ways = intent.automatic_payment_methods or {}
    if ways.get("enabled") and ways.get("allow_redirects") != "never" and given.return_url is None:
        raise refused(
            "This PaymentIntent takes payment methods that may redirect the customer, so `return_url` is "
            "needed; or set automatic_payment_methods[allow_redirects] to `never`, or name the methods."
        )


def confirm(
    bank: Bank, call: Call, intent: PaymentIntent, given: ConfirmGiven, method: PaymentMethod | None
) -> PaymentIntent:
    """Confirm with ``method``, or with the one that the intent has. Raises StripeError, 402 for a decline."""
    if method is None and intent.payment_method is not None:
        method = bank.ledger.get(PaymentMethod, intent.payment_method)
    if method is None:
        raise unexpected(intent, "confirm", "it has no payment method")
    use = methods.used(bank, method, intent.id, intent.customer)
    intent.payment_method = method.id
    if _wants_authentication(use):
        if given.off_session or given.error_on_requires_action:
            decline(bank, call, intent, use, AUTHENTICATION_REQUIRED)
            raise card_error(intent)
        _ask_owner(bank, call, intent, given.return_url)
        return intent
    if attempt(bank, call, intent, use) is not None:
        raise card_error(intent)
    return intent


def authenticated(bank: Bank, intent: PaymentIntent, ok: bool) -> PaymentIntent:
    """What the owner did at his bank's page. Raises StripeError unless the intent waits for that.

    A failure is told as https://docs.stripe.com/error-codes#payment-intent-authentication-failure.
    """
    if intent.status != "requires_action":
        raise unexpected(intent, "authenticate", f"its status is {intent.status}")
    method = bank.ledger.get(PaymentMethod, intent.payment_method or "")
    assert method is not None
    use = Use(method, methods.card_of(bank, method))
    if ok:
        attempt(bank, None, intent, use)
        return intent
    intent.last_payment_error = PaymentError(
        type="invalid_request_error",
        code="payment_intent_authentication_failure",
        doc_url="https://stripe.com/docs/error-codes/payment-intent-authentication-failure",
        message="The provided PaymentMethod has failed authentication. Give another one to try again.",
        payment_method=method,
    )
    wants_another(bank, None, intent)
    return intent


def unexpected(intent: PaymentIntent, verb: str, why: str) -> StripeError:
    """https://docs.stripe.com/error-codes#payment-intent-unexpected-state; the error shows the intent."""
    return refused(
        f"You cannot {verb} this PaymentIntent because {why}.",
        code="payment_intent_unexpected_state",
        payment_intent=msgspec.to_builtins(intent),
    )


def _wants_authentication(use: Use) -> bool:
    match use.card.authentication:
        case "always":
            return True
        case "setup":
            return use.method.customer is None
        case _:
            return False


def _ask_owner(bank: Bank, call: Call, intent: PaymentIntent, return_url: str | None) -> None:
    page = f"{bank.url}/3d_secure/{intent.id}"
    intent.status = "requires_action"
    if return_url is not None:
        intent.next_action = {
            "redirect_to_url": {"return_url": return_url, "url": page},
            "type": "redirect_to_url",
        }
    else:
        intent.next_action = {
            "type": "use_stripe_sdk",
            "use_stripe_sdk": {
                "source": ids.new("payatt"),
                "stripe_js": page,
                "type": "three_d_secure_redirect",
            },
        }
    private = bank.ledger.private(intent.id)
    bank.ledger.put(intent, {**private, "return_url": return_url})
    bank.emit("payment_intent.requires_action", intent, call)
