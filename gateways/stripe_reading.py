"""What Stripe's objects say of an attempt, in the words of the port. Pure."""

from collections.abc import Iterable

import stripe

from gateways.stripe_money import from_stripe
from gateways.stripe_shapes import Dispute, Intent, Refund
from processmanager.ports import (
    Answer,
    Contested,
    IsAuthorized,
    IsCaptured,
    IsDeclined,
    IsPending,
    IsVoided,
    NeedsAction,
    Returned,
)

STILL_WANTING = frozenset(("requires_payment_method", "requires_confirmation"))
"""Such an intent could still be paid with another card. Here another card is another attempt."""

_ABOUT_THE_BUYERS_CHOICE = ("payment_method", "source", "token", "card", "amount", "currency", "customer")
_CODES = frozenset(
    """amount_too_large amount_too_small card_decline_rate_limit_exceeded payment_method_invalid_parameter
    payment_method_not_available payment_method_unactivated token_already_used token_in_use""".split()
)


def read_intent(
    intent: Intent, returned: tuple[Returned, ...] = (), contested: tuple[Contested, ...] = ()
) -> Answer:
    """What an intent says. Raises ValueError for one that is STILL_WANTING, which is no answer."""
    match intent.status:
        case "requires_action":
            return NeedsAction(intent.id, intent.next_action.type if intent.next_action else "confirm")
        case "processing":
            return IsPending(intent.id)
        case "requires_capture":
            return IsAuthorized(intent.id)
        case "succeeded":
            return IsCaptured(intent.id, returned, contested)
        case "canceled":
            failed = intent.last_payment_error
            if failed is None:
                return IsVoided()
            code = failed.decline_code or failed.code or "declined"
            return IsDeclined(code, failed.message or "The payment failed.")
        case status:
            raise ValueError(f"{intent.id} is {status}")


def read_refusal(error: stripe.CardError | stripe.InvalidRequestError) -> IsDeclined | None:
    """A refusal of the buyer's card or amount; None for one that is about our request."""
    told = error.error
    decline = getattr(told, "decline_code", None) if told is not None else None
    about_him = (error.param or "").startswith(_ABOUT_THE_BUYERS_CHOICE) or error.code in _CODES
    if isinstance(error, stripe.CardError) or about_him:
        return IsDeclined(
            str(decline or error.code or "declined"), error.user_message or "The payment failed."
        )
    return None


def intent_of(error: stripe.StripeError) -> str | None:
    """The intent that a refused call has left behind."""
    intent = getattr(error.error, "payment_intent", None) if error.error is not None else None
    name = getattr(intent, "id", None)
    return name if isinstance(name, str) else None


def read_refunds(refunds: Iterable[Refund]) -> tuple[Returned, ...]:
    return tuple(_read_refund(each) for each in refunds)


def _read_refund(refund: Refund) -> Returned:
    amount = from_stripe(refund.amount, refund.currency)
    match refund.status:
        case "succeeded":
            return Returned(refund.id, amount, "done")
        case "failed" | "canceled":
            return Returned(refund.id, amount, "failed", refund.failure_reason or "canceled")
        case _:  # pending, or the buyer has to do something for it
            return Returned(refund.id, amount, "pending")


def read_disputes(disputes: Iterable[Dispute]) -> tuple[Contested, ...]:
    """Without inquiries, which ask and take nothing (https://docs.stripe.com/disputes/how-disputes-work)."""
    return tuple(_read_dispute(each) for each in disputes if not each.status.startswith("warning_"))


def _read_dispute(dispute: Dispute) -> Contested:
    match dispute.status:
        case "lost":
            return Contested(dispute.id, dispute.reason, "lost")
        case "won" | "prevented":
            return Contested(dispute.id, dispute.reason, "won")
        case _:
            return Contested(dispute.id, dispute.reason, "open")
