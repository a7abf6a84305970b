"""A payment records what the provider has confirmed, so its money is always accounted for."""

import pytest

from domain.money import Money
from domain.payment import (
    EXISTS,
    UNKNOWN,
    AuthorizePayment,
    Captured,
    CapturePayment,
    Command,
    DeclinePayment,
    Disputed,
    DisputePayment,
    Event,
    PaymentActionRequired,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentDisputed,
    PaymentRefunded,
    PaymentRequested,
    PaymentVoided,
    Refunded,
    RefundPayment,
    RefundRequested,
    RequestPayment,
    RequestRefund,
    RequireAction,
    VoidPayment,
    payment,
)
from tests.specification import given

PRICE = Money(1999, "usd")

REQUESTED = PaymentRequested("o1", PRICE, "tok_visa")
AT_THE_BANK = PaymentActionRequired("pi_1", "https://bank.example/confirm")
AUTHORIZED = PaymentAuthorized("pi_1")
DECLINED = PaymentDeclined("card_declined", "Your card was declined.")
CAPTURED = PaymentCaptured("pi_1")
VOIDED = PaymentVoided("order expired")
REFUND_REQUESTED = RefundRequested("order expired")
REFUNDED = PaymentRefunded("re_1")
DISPUTED = PaymentDisputed("dp_1", "fraudulent")

REQUEST = RequestPayment("o1", PRICE, "tok_visa")
CONFIRM_AT_THE_BANK = RequireAction("pi_1", "https://bank.example/confirm")
AUTHORIZE = AuthorizePayment("pi_1")
DECLINE = DeclinePayment("card_declined", "Your card was declined.")
CAPTURE = CapturePayment("pi_1")
VOID = VoidPayment("order expired")
ASK_FOR_REFUND = RequestRefund("order expired")
REFUND = RefundPayment("re_1")
DISPUTE = DisputePayment("dp_1", "fraudulent")

ALL_BUT_THE_REQUEST = (
    CONFIRM_AT_THE_BANK,
    AUTHORIZE,
    DECLINE,
    CAPTURE,
    VOID,
    ASK_FOR_REFUND,
    REFUND,
    DISPUTE,
)

# How an attempt can come to stand where it stands.
OPEN: tuple[tuple[Event, ...], ...] = (
    (REQUESTED,),
    (REQUESTED, AT_THE_BANK),
    (REQUESTED, AUTHORIZED),
)
TAKEN: tuple[tuple[Event, ...], ...] = (
    (REQUESTED, AUTHORIZED, CAPTURED),
    (REQUESTED, AUTHORIZED, CAPTURED, DISPUTED),
    (REQUESTED, AUTHORIZED, CAPTURED, REFUND_REQUESTED),
    (REQUESTED, AUTHORIZED, CAPTURED, REFUND_REQUESTED, REFUNDED),
)
NEVER_TAKEN: tuple[tuple[Event, ...], ...] = ((REQUESTED, DECLINED), (REQUESTED, AUTHORIZED, VOIDED))


# ── Asking for money ──────────────────────────────────────────────────────────────────────────────


def test_an_attempt_is_on_record_before_the_provider_is_asked() -> None:
    given(payment).when(REQUEST).then(REQUESTED)


@pytest.mark.parametrize("history", [*OPEN, *TAKEN, *NEVER_TAKEN])
def test_an_attempt_requested_twice_is_one_attempt(history: tuple[Event, ...]) -> None:
    given(payment, *history).when(REQUEST).then_nothing()


def test_an_attempt_does_not_take_the_id_of_another() -> None:
    given(payment, REQUESTED).when(RequestPayment("o2", PRICE, "tok_visa")).then_refused(EXISTS)
    given(payment, REQUESTED).when(RequestPayment("o1", PRICE + PRICE, "tok_visa")).then_refused(EXISTS)
    given(payment, REQUESTED).when(RequestPayment("o1", PRICE, "tok_other")).then_refused(EXISTS)


@pytest.mark.parametrize("command", ALL_BUT_THE_REQUEST)
def test_the_provider_has_nothing_to_say_of_what_was_never_requested(command: Command) -> None:
    given(payment).when(command).then_refused(UNKNOWN)


# ── Before any money is taken ─────────────────────────────────────────────────────────────────────


def test_money_is_set_aside_at_once_or_after_the_bank_has_asked_the_buyer() -> None:
    given(payment, REQUESTED).when(AUTHORIZE).then(AUTHORIZED)
    given(payment, REQUESTED).when(CONFIRM_AT_THE_BANK).then(AT_THE_BANK)
    given(payment, REQUESTED, AT_THE_BANK).when(AUTHORIZE).then(AUTHORIZED)


def test_what_the_provider_says_twice_is_recorded_once() -> None:
    given(payment, REQUESTED, AUTHORIZED).when(AUTHORIZE).then_nothing()
    given(payment, REQUESTED, AT_THE_BANK).when(CONFIRM_AT_THE_BANK).then_nothing()
    given(payment, REQUESTED, DECLINED).when(DECLINE).then_nothing()


def test_the_bank_may_ask_the_buyer_for_something_else() -> None:
    given(payment, REQUESTED, AT_THE_BANK).when(RequireAction("pi_1", "https://bank.example/code")).then(
        PaymentActionRequired("pi_1", "https://bank.example/code")
    )


@pytest.mark.parametrize("history", OPEN)
def test_a_card_can_be_declined_until_its_money_is_taken(history: tuple[Event, ...]) -> None:
    """Also after the money was set aside: a bank may refuse the capture."""
    given(payment, *history).when(DECLINE).then(DECLINED)


@pytest.mark.parametrize("history", OPEN)
def test_an_attempt_is_voided_until_its_money_is_taken(history: tuple[Event, ...]) -> None:
    given(payment, *history).when(VOID).then(VOIDED)


@pytest.mark.parametrize("history", NEVER_TAKEN)
def test_an_attempt_that_ended_without_money_needs_no_void(history: tuple[Event, ...]) -> None:
    given(payment, *history).when(VOID).then_nothing()


@pytest.mark.parametrize("history", NEVER_TAKEN)
def test_an_attempt_that_ended_without_money_stays_ended(history: tuple[Event, ...]) -> None:
    for command in (CONFIRM_AT_THE_BANK, AUTHORIZE, CAPTURE, ASK_FOR_REFUND, REFUND, DISPUTE):
        given(payment, *history).when(command).then_refused("payment_state")


def test_a_voided_attempt_is_not_declined_as_well() -> None:
    given(payment, REQUESTED, VOIDED).when(DECLINE).then_refused("payment_state")


def test_money_set_aside_is_not_set_back_to_waiting_for_the_bank() -> None:
    given(payment, REQUESTED, AUTHORIZED).when(CONFIRM_AT_THE_BANK).then_refused("payment_state")


# ── When the money is taken ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("history", OPEN)
def test_a_capture_seen_at_the_provider_is_true_wherever_we_thought_the_attempt_was(
    history: tuple[Event, ...],
) -> None:
    given(payment, *history).when(CAPTURE).then(CAPTURED)


@pytest.mark.parametrize("history", TAKEN)
def test_money_is_taken_once(history: tuple[Event, ...]) -> None:
    given(payment, *history).when(CAPTURE).then_nothing()


@pytest.mark.parametrize("history", TAKEN)
def test_money_that_was_taken_is_neither_declined_nor_voided(history: tuple[Event, ...]) -> None:
    for command in (CONFIRM_AT_THE_BANK, AUTHORIZE, DECLINE, VOID):
        given(payment, *history).when(command).then_refused("payment_state")


# ── When it goes back ─────────────────────────────────────────────────────────────────────────────


def test_a_refund_is_on_record_before_the_provider_is_asked_and_after_it_has_answered() -> None:
    given(payment, REQUESTED, CAPTURED).when(ASK_FOR_REFUND).then(REFUND_REQUESTED)
    given(payment, REQUESTED, CAPTURED, REFUND_REQUESTED).when(REFUND).then(REFUNDED)


def test_money_goes_back_once() -> None:
    given(payment, REQUESTED, CAPTURED, REFUND_REQUESTED).when(ASK_FOR_REFUND).then_nothing()
    given(payment, REQUESTED, CAPTURED, REFUND_REQUESTED, REFUNDED).when(ASK_FOR_REFUND).then_nothing()
    given(payment, REQUESTED, CAPTURED, REFUND_REQUESTED, REFUNDED).when(REFUND).then_nothing()


@pytest.mark.parametrize("history", OPEN)
def test_money_that_was_not_taken_cannot_go_back(history: tuple[Event, ...]) -> None:
    for command in (ASK_FOR_REFUND, REFUND, DISPUTE):
        given(payment, *history).when(command).then_refused("payment_state")


def test_no_refund_is_confirmed_that_was_not_asked_for() -> None:
    given(payment, REQUESTED, CAPTURED).when(REFUND).then_refused("payment_state")


def test_a_refund_remembers_its_reason_and_the_capture_that_it_undoes() -> None:
    state = given(payment, REQUESTED, CAPTURED, REFUND_REQUESTED, REFUNDED).state
    assert state == Refunded(REQUESTED, "pi_1", "order expired")


def test_a_buyer_can_dispute_money_that_was_taken_once() -> None:
    given(payment, REQUESTED, CAPTURED).when(DISPUTE).then(DISPUTED)
    given(payment, REQUESTED, CAPTURED, DISPUTED).when(DISPUTE).then_nothing()
    assert given(payment, REQUESTED, CAPTURED, DISPUTED).state == Disputed(
        REQUESTED, "pi_1", "dp_1", "fraudulent"
    )


def test_disputed_money_is_with_the_bank_and_not_ours_to_give_back() -> None:
    given(payment, REQUESTED, CAPTURED, DISPUTED).when(ASK_FOR_REFUND).then_refused("payment_state")
    given(payment, REQUESTED, CAPTURED, DISPUTED).when(REFUND).then_refused("payment_state")


def test_money_on_its_way_back_cannot_be_disputed() -> None:
    given(payment, REQUESTED, CAPTURED, REFUND_REQUESTED).when(DISPUTE).then_refused("payment_state")
    given(payment, REQUESTED, CAPTURED, REFUND_REQUESTED, REFUNDED).when(DISPUTE).then_refused(
        "payment_state"
    )


# ── What it says ──────────────────────────────────────────────────────────────────────────────────


def test_a_refusal_says_where_the_payment_is_and_what_it_cannot() -> None:
    outcome = given(payment, REQUESTED, CAPTURED).when(VOID)
    assert str(outcome.decision) == "A payment that is captured cannot be voided"


def test_money_that_was_taken_can_be_found_at_the_provider() -> None:
    assert given(payment, REQUESTED, CAPTURED).state == Captured(REQUESTED, "pi_1")
