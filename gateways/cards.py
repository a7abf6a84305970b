"""The simulated bank: what each test card does, and what a call makes of an attempt. Pure.

The state of an attempt *is* the answer that the port gives of it, so a rule maps an answer to the
next one. The tokens are named as Stripe's test tokens, and declines carry Stripe's codes and words.
"""

from typing import Literal, TypeAlias

from msgspec import Struct

from domain.money import Money
from processmanager.ports import (
    Answer,
    Attempt,
    IsAuthorized,
    IsCaptured,
    IsDeclined,
    IsRefunded,
    IsVoided,
    NeedsAction,
    PaymentsUnavailable,
    Returned,
)

Operation: TypeAlias = Literal["authorize", "capture", "void", "refund"]


class UnknownAttempt(PaymentsUnavailable):
    """The provider has never heard of the attempt: its authorisation did not arrive, or not yet."""


# ── Cards ─────────────────────────────────────────────────────────────────────────────────────────


class Card(Struct, frozen=True):
    """How a card behaves when it is authorised.

    refusal: why the bank declines it; None if it does not.
    confirmed_by_owner: whether its owner has to confirm the payment (3-D Secure).
    seconds: how long the bank thinks it over.
    loses_answer: whether the first answer under a key gets lost on its way, after the deed.
    refund_fails: whether the first refund to it comes back.
    """

    refusal: IsDeclined | None = None
    confirmed_by_owner: bool = False
    seconds: float = 0.0
    loses_answer: bool = False
    refund_fails: bool = False


def _declined(code: str, message: str) -> Card:
    return Card(refusal=IsDeclined(code, message))


CARDS: dict[str, Card] = {
    **dict.fromkeys(
        (
            "tok_visa tok_visa_debit tok_mastercard tok_mastercard_debit tok_mastercard_prepaid "
            "tok_amex tok_discover tok_diners tok_jcb tok_unionpay"
        ).split(),
        Card(),
    ),
    "tok_slow": Card(seconds=3.0),
    "tok_lostAnswer": Card(loses_answer=True),
    "tok_refundFail": Card(refund_fails=True),
    "tok_threeDSecure2Required": Card(confirmed_by_owner=True),
    "tok_chargeDeclined": _declined("generic_decline", "Your card was declined."),
    "tok_chargeDeclinedInsufficientFunds": _declined(
        "insufficient_funds", "Your card has insufficient funds."
    ),
    "tok_chargeDeclinedLostCard": _declined("lost_card", "Your card was declined."),
    "tok_chargeDeclinedStolenCard": _declined("stolen_card", "Your card was declined."),
    "tok_chargeDeclinedFraudulent": _declined("fraudulent", "Your card was declined."),
    "tok_chargeDeclinedExpiredCard": _declined("expired_card", "Your card has expired."),
    "tok_chargeDeclinedIncorrectCvc": _declined("incorrect_cvc", "Your card's security code is incorrect."),
    "tok_chargeDeclinedProcessingError": _declined(
        "processing_error", "An error occurred while processing your card. Try again in a little bit."
    ),
}

NO_CARD = _declined("token_invalid", "There is no such card token.")
NOTHING_TO_PAY = IsDeclined("amount_too_small", "Amount must be greater than zero.")
NOT_CONFIRMED = IsDeclined(
    "payment_intent_authentication_failure", "The provided payment method has failed authentication."
)


def card_of(token: str) -> Card:
    return CARDS.get(token, NO_CARD)


def printable(token: str) -> str:
    """The token as it may be stored: whoever sends a card number in its place must not find it kept."""
    return token if token in CARDS else "(unknown)"


# ── Rules ─────────────────────────────────────────────────────────────────────────────────────────


def after(operation: Operation, attempt: Attempt, now: Answer | None) -> Answer:
    """What is true of ``attempt`` after ``operation``, if ``now`` was true before (None: never seen).

    Raises UnknownAttempt when there is nothing yet that could be captured or refunded.
    """
    match operation, now:
        case "authorize", None:
            return _authorize(attempt)
        # Voiding what was never seen leaves a mark, so that an authorisation on its way comes too late.
        case "void", None | NeedsAction() | IsAuthorized():
            return IsVoided()
        case _, None:
            raise UnknownAttempt(f"the provider knows of no attempt {attempt.id}")
        case "capture", IsAuthorized(reference):
            return IsCaptured(reference)
        case "refund", IsCaptured():
            return _refund(attempt, now)
        case _:
            return now


def too_early(operation: Operation, now: Answer) -> bool:
    """Whether ``operation`` changed nothing because its turn may yet come, so that its key stays unspent."""
    match operation, now:
        case (("capture" | "refund"), NeedsAction()):
            return True
        case "refund", IsAuthorized():
            return True
        case _:
            return False


def confirmed(now: Answer, ok: bool) -> Answer:
    """What is true after the card's owner has confirmed the payment, or has failed to."""
    match now:
        case NeedsAction(reference):
            return IsAuthorized(reference) if ok else NOT_CONFIRMED
        case _:
            return now


def _authorize(attempt: Attempt) -> Answer:
    card = card_of(attempt.method)
    reference = f"pi_{attempt.id}"
    if card.refusal is not None:
        return card.refusal
    if attempt.amount.amount <= 0:
        return NOTHING_TO_PAY
    if card.confirmed_by_owner:
        return NeedsAction(reference, action=f"confirm:{attempt.id}")
    return IsAuthorized(reference)


def _refund(attempt: Attempt, now: IsCaptured) -> Answer:
    """Give back what is asked for, or all that is left; nothing if that much is not left."""
    gone = sum(each.amount.amount for each in now.returned if each.standing == "done")
    left = Money(attempt.amount.amount - gone, attempt.amount.currency)
    back = attempt.back or left
    if not 0 < back.amount <= left.amount:
        return now
    number = f"_{len(now.returned)}" if now.returned else ""
    reference = f"re_{attempt.id}{number}"
    if card_of(attempt.method).refund_fails and not now.returned:
        return _with(now, Returned(reference, back, "failed", "expired_or_canceled_card"))
    if back == attempt.amount and not now.returned:
        return IsRefunded(reference, now.reference)
    return _with(now, Returned(reference, back, "done"))


def _with(now: IsCaptured, refund: Returned) -> IsCaptured:
    return IsCaptured(now.reference, (*now.returned, refund), now.contested)
