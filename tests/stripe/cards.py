"""What each test card does. https://docs.stripe.com/testing

A card goes by its number, by ``pm_card_<name>`` and by ``tok_<name>``; a name that begins with its brand
is known without the brand too (``pm_card_visa_chargeDeclined`` and ``pm_card_chargeDeclined``).
"""

from typing import Literal

from msgspec import Struct


class Decline(Struct, frozen=True):
    """Why a bank says no. https://docs.stripe.com/declines/codes"""

    code: str
    decline_code: str | None
    message: str


class Card(Struct, frozen=True, kw_only=True):
    """A test card.

    decline: what becomes of a charge; after authentication, where that is asked for.
    authentication: whether the owner must confirm (3-D Secure); ``setup``: unless a customer has it.
    refunds: what becomes of a refund in the end. ``pending`` ones are pending first, those that
    ``fail`` look as if they had succeeded first.
    dispute: the reason of the dispute that follows the charge at once.
    """

    name: str
    number: str
    brand: str = "visa"
    funding: str = "credit"
    country: str = "US"
    decline: Decline | None = None
    attachable: bool = True
    authentication: Literal["never", "always", "setup"] = "never"
    refunds: Literal["succeed", "pending", "fail"] = "succeed"
    dispute: str | None = None
    inquiry: bool = False
    blocked: bool = False

    @property
    def last4(self) -> str:
        return self.number[-4:]


GENERIC = Decline("card_declined", "generic_decline", "Your card was declined.")
_POOR = Decline("card_declined", "insufficient_funds", "Your card has insufficient funds.")
_PROCESSING = Decline(
    "processing_error",
    "processing_error",
    "An error occurred while processing your card. Try again in a little bit.",
)
AUTHENTICATION_REQUIRED = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
)
_ALL = (
    Card(name="visa", number="4242424242424242"),
    Card(name="visa_debit", number="4000056655665556", funding="debit"),
    Card(name="mastercard", number="5555555555554444", brand="mastercard"),
    Card(name="mastercard_debit", number="5200828282828210", brand="mastercard", funding="debit"),
    Card(name="mastercard_prepaid", number="5105105105105100", brand="mastercard", funding="prepaid"),
    Card(name="amex", number="378282246310005", brand="amex"),
    Card(name="discover", number="6011111111111117", brand="discover"),
    Card(name="diners", number="3056930009020004", brand="diners"),
    Card(name="jcb", number="3566002020360505", brand="jcb", country="JP"),
    Card(name="unionpay", number="6200000000000005", brand="unionpay", country="CN"),
    Card(name="bypassPending", number="4000000000000077"),
    # Declines
    Card(name="visa_chargeDeclined", number="4000000000000002", decline=GENERIC, attachable=False),
    Card(
        name="visa_chargeDeclinedInsufficientFunds",
        number="4000000000009995",
        decline=_POOR,
        attachable=False,
    ),
    Card(
        name="visa_chargeDeclinedLostCard",
        number="4000000000009987",
        decline=Decline("card_declined", "lost_card", "Your card was declined."),
        attachable=False,
    ),
    Card(
        name="visa_chargeDeclinedStolenCard",
        number="4000000000009979",
        decline=Decline("card_declined", "stolen_card", "Your card was declined."),
        attachable=False,
    ),
    Card(
        name="chargeDeclinedExpiredCard",
        number="4000000000000069",
        decline=Decline("expired_card", "expired_card", "Your card has expired."),
        attachable=False,
    ),
    Card(
        name="chargeDeclinedIncorrectCvc",
        number="4000000000000127",
        decline=Decline("incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect."),
        attachable=False,
    ),
    Card(
        name="chargeDeclinedProcessingError",
        number="4000000000000119",
        decline=_PROCESSING,
        attachable=False,
    ),
    Card(
        name="visa_chargeDeclinedVelocityLimitExceeded",
        number="4000000000006975",
        decline=Decline(
            "card_declined",
            "card_velocity_exceeded",
            "Your card was declined for making repeated attempts too often.",
        ),
        attachable=False,
    ),
    Card(name="chargeCustomerFail", number="4000000000000341", decline=GENERIC),
    Card(
        name="radarBlock",
        number="4100000000000019",
        decline=Decline("card_declined", "fraudulent", "Your card was declined."),
        blocked=True,
    ),
    # 3-D Secure
    Card(name="threeDSecure2Required", number="4000000000003220", authentication="always"),
    Card(name="threeDSecureRequired", number="4000000000003063", authentication="always"),
    Card(
        name="threeDSecureRequiredChargeDeclined",
        number="4000008400001629",
        authentication="always",
        decline=GENERIC,
    ),
    Card(
        name="threeDSecureRequiredProcessingError",
        number="4000008400001280",
        authentication="always",
        decline=_PROCESSING,
    ),
    Card(name="threeDSecureOptional", number="4000000000003055"),
    Card(name="amex_threeDSecureNotSupported", number="378282246310005", brand="amex"),
    Card(name="authenticationRequired", number="4000002760003184", authentication="always"),
    Card(name="authenticationRequiredOnSetup", number="4000002500003155", authentication="setup"),
    Card(name="authenticationRequiredSetupForOffSession", number="4000003800000446"),
    Card(
        name="authenticationRequiredChargeDeclinedInsufficientFunds",
        number="4000008260003178",
        authentication="always",
        decline=_POOR,
    ),
    # Refunds
    Card(name="pendingRefund", number="4000000000007726", refunds="pending"),
    Card(name="refundFail", number="4000000000005126", refunds="fail"),
    # Disputes
    Card(name="createDispute", number="4000000000000259", dispute="fraudulent"),
    Card(
        name="createDisputeProductNotReceived",
        number="4000000000002685",
        dispute="product_not_received",
    ),
    Card(name="createDisputeInquiry", number="4000000000001976", dispute="general", inquiry=True),
)
BY_NAME = {card.name: card for card in _ALL} | {
    card.name.removeprefix("visa_"): card for card in _ALL if card.name.startswith("visa_charge")
}
BY_NUMBER = {card.number: card for card in reversed(_ALL)}


def by_alias(alias: str) -> Card | None:
    """The card that a ``pm_card_…`` alias means."""
    return BY_NAME.get(alias.removeprefix("pm_card_")) if alias.startswith("pm_card_") else None


def by_token(token: str) -> Card | None:
    """The card that a ``tok_…`` alias means."""
    return BY_NAME.get(token.removeprefix("tok_")) if token.startswith("tok_") else None
