"""What each test card does, and what each call makes of an attempt."""

import pytest
from msgspec.structs import replace

from domain.money import Money
from gateways.cards import (
    CARDS,
    NOT_CONFIRMED,
    Operation,
    UnknownAttempt,
    after,
    card_of,
    confirmed,
    printable,
    too_early,
)
from processmanager.ports import (
    Answer,
    IsAuthorized,
    IsCaptured,
    IsDeclined,
    IsRefunded,
    IsVoided,
    NeedsAction,
    Returned,
)
from tests.payments.attempts import PRICE, attempt

WAITING = NeedsAction("pi_p1", "confirm:p1")
AUTHORIZED = IsAuthorized("pi_p1")
DECLINED = IsDeclined("generic_decline", "Your card was declined.")
CAPTURED = IsCaptured("pi_p1")
VOIDED = IsVoided()
REFUNDED = IsRefunded("re_p1", "pi_p1")


@pytest.mark.parametrize("token", ["tok_visa", "tok_mastercard", "tok_amex", "tok_slow", "tok_lostAnswer"])
def test_a_good_card_is_authorised(token: str) -> None:
    assert after("authorize", attempt(token=token), None) == AUTHORIZED


@pytest.mark.parametrize(
    ("token", "code", "message"),
    [
        ("tok_chargeDeclined", "generic_decline", "Your card was declined."),
        ("tok_chargeDeclinedInsufficientFunds", "insufficient_funds", "Your card has insufficient funds."),
        ("tok_chargeDeclinedExpiredCard", "expired_card", "Your card has expired."),
        ("tok_chargeDeclinedIncorrectCvc", "incorrect_cvc", "Your card's security code is incorrect."),
        ("tok_nobodyKnows", "token_invalid", "There is no such card token."),
        ("", "token_invalid", "There is no such card token."),
        ("4242424242424242", "token_invalid", "There is no such card token."),
    ],
)
def test_a_bad_card_is_declined_with_the_reason(token: str, code: str, message: str) -> None:
    assert after("authorize", attempt(token=token), None) == IsDeclined(code, message)


@pytest.mark.parametrize("amount", [0, -1999])
def test_a_card_is_never_charged_nothing_or_less(amount: int) -> None:
    answer = after("authorize", attempt(price=Money(amount, "usd")), None)
    assert isinstance(answer, IsDeclined)


def test_a_card_may_want_its_owners_word() -> None:
    assert after("authorize", attempt(token="tok_threeDSecure2Required"), None) == WAITING
    assert confirmed(WAITING, ok=True) == AUTHORIZED
    assert confirmed(WAITING, ok=False) == NOT_CONFIRMED


@pytest.mark.parametrize("now", [AUTHORIZED, DECLINED, CAPTURED, VOIDED, REFUNDED])
@pytest.mark.parametrize("ok", [True, False])
def test_the_owners_word_changes_nothing_once_it_is_too_late(now: Answer, ok: bool) -> None:
    assert confirmed(now, ok) == now


@pytest.mark.parametrize(
    ("operation", "now", "then"),
    [
        ("authorize", WAITING, WAITING),
        ("authorize", AUTHORIZED, AUTHORIZED),
        ("authorize", DECLINED, DECLINED),
        ("authorize", CAPTURED, CAPTURED),
        ("authorize", VOIDED, VOIDED),
        ("authorize", REFUNDED, REFUNDED),
        ("capture", WAITING, WAITING),
        ("capture", AUTHORIZED, CAPTURED),
        ("capture", DECLINED, DECLINED),
        ("capture", CAPTURED, CAPTURED),
        ("capture", VOIDED, VOIDED),
        ("capture", REFUNDED, REFUNDED),
        ("void", None, VOIDED),
        ("void", WAITING, VOIDED),
        ("void", AUTHORIZED, VOIDED),
        ("void", DECLINED, DECLINED),
        ("void", CAPTURED, CAPTURED),
        ("void", VOIDED, VOIDED),
        ("void", REFUNDED, REFUNDED),
        ("refund", WAITING, WAITING),
        ("refund", AUTHORIZED, AUTHORIZED),
        ("refund", DECLINED, DECLINED),
        ("refund", CAPTURED, REFUNDED),
        ("refund", VOIDED, VOIDED),
        ("refund", REFUNDED, REFUNDED),
    ],
)
def test_each_call_answers_with_what_is_true_afterwards(
    operation: Operation, now: Answer | None, then: Answer
) -> None:
    assert after(operation, attempt(), now) == then


@pytest.mark.parametrize("operation", ["capture", "refund"])
def test_money_of_an_attempt_that_was_never_seen_cannot_be_moved(operation: Operation) -> None:
    with pytest.raises(UnknownAttempt, match="p1"):
        after(operation, attempt(), None)


def test_a_call_before_its_turn_leaves_its_key_unspent() -> None:
    assert too_early("capture", WAITING)
    assert too_early("refund", WAITING)
    assert too_early("refund", AUTHORIZED)
    assert not too_early("authorize", WAITING)
    assert not too_early("void", CAPTURED)
    assert not too_early("capture", VOIDED)


def test_only_tokens_that_exist_are_ever_written_down() -> None:
    assert all(printable(token) == token for token in CARDS)
    assert "4242" not in printable("4242424242424242")
    assert card_of("4242424242424242").refusal is not None


# ── Refunds ───────────────────────────────────────────────────────────────────────────────────────


def test_a_part_goes_back_and_then_the_rest() -> None:
    part = replace(attempt(), back=Money(500, "usd"))
    first = after("refund", part, CAPTURED)
    assert first == IsCaptured("pi_p1", (Returned("re_p1", Money(500, "usd"), "done"),))
    second = after("refund", attempt(), first)
    assert isinstance(second, IsCaptured)
    assert second.returned[1:] == (Returned("re_p1_1", PRICE - Money(500, "usd"), "done"),)
    assert after("refund", attempt(), second) == second


def test_more_than_was_taken_does_not_go_back() -> None:
    assert after("refund", replace(attempt(), back=Money(10**9, "usd")), CAPTURED) == CAPTURED


def test_the_first_refund_to_a_closed_card_fails_and_the_next_goes_through() -> None:
    closed = replace(attempt(), method="tok_refundFail")
    failed = after("refund", closed, CAPTURED)
    assert isinstance(failed, IsCaptured)
    assert [each.standing for each in failed.returned] == ["failed"]
    done = after("refund", closed, failed)
    assert isinstance(done, IsCaptured)
    assert [each.standing for each in done.returned] == ["failed", "done"]
