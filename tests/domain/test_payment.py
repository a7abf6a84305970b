"""A payment records what the provider has confirmed, so its money is always accounted for."""

import pytest

from domain.money import Money
from domain.payment import (
    AT_THE_PROVIDER,
    EXISTS,
    UNKNOWN,
    AuthorizePayment,
    AwaitPayment,
    AwaitRefund,
    Captured,
    CapturePayment,
    CloseDispute,
    Command,
    DeclinePayment,
    Disputed,
    DisputeLost,
    DisputePayment,
    DisputeWon,
    Event,
    FailRefund,
    Given,
    Past,
    PaymentActionRequired,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentDisputed,
    PaymentPending,
    PaymentRefunded,
    PaymentRequested,
    PaymentVoided,
    Refunded,
    RefundFailed,
    Refunding,
    RefundPayment,
    RefundPending,
    RefundRequested,
    RequestPayment,
    RequestRefund,
    RequireAction,
    VoidPayment,
    kept,
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
REFUNDED = PaymentRefunded("re_1", PRICE)
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


def test_money_that_went_back_at_the_providers_own_desk_went_back() -> None:
    given(payment, REQUESTED, CAPTURED).when(REFUND).then(REFUNDED)
    state = given(payment, REQUESTED, CAPTURED, REFUNDED).state
    assert state == Refunded(
        REQUESTED, "pi_1", AT_THE_PROVIDER, Past((Given("re_1", PRICE, AT_THE_PROVIDER),))
    )


def test_a_refund_remembers_its_reason_and_the_capture_that_it_undoes() -> None:
    state = given(payment, REQUESTED, CAPTURED, REFUND_REQUESTED, REFUNDED).state
    assert state == Refunded(
        REQUESTED, "pi_1", "order expired", Past((Given("re_1", PRICE, "order expired"),))
    )


def test_a_buyer_can_dispute_money_that_was_taken_once() -> None:
    given(payment, REQUESTED, CAPTURED).when(DISPUTE).then(DISPUTED)
    given(payment, REQUESTED, CAPTURED, DISPUTED).when(DISPUTE).then_nothing()
    assert given(payment, REQUESTED, CAPTURED, DISPUTED).state == Disputed(
        REQUESTED, "pi_1", "dp_1", "fraudulent"
    )


def test_disputed_money_is_with_the_bank_and_not_ours_to_give_back() -> None:
    given(payment, REQUESTED, CAPTURED, DISPUTED).when(ASK_FOR_REFUND).then_refused("payment_state")
    given(payment, REQUESTED, CAPTURED, DISPUTED).when(REFUND).then_refused("payment_state")


def test_money_that_went_back_cannot_be_disputed() -> None:
    given(payment, REQUESTED, CAPTURED, REFUND_REQUESTED, REFUNDED).when(DISPUTE).then_refused(
        "payment_state"
    )


# ── A part of it ──────────────────────────────────────────────────────────────────────────────────

PART, REST = Money(500, "usd"), Money(1499, "usd")
SORRY = RequestRefund("sorry for the noise", PART)
PART_ASKED = RefundRequested("sorry for the noise", PART)
PART_BACK = PaymentRefunded("re_1", PART)


def test_a_part_goes_back_and_the_rest_is_kept() -> None:
    given(payment, REQUESTED, CAPTURED).when(SORRY).then(PART_ASKED)
    given(payment, REQUESTED, CAPTURED, PART_ASKED).when(RefundPayment("re_1")).then(PART_BACK)
    state = given(payment, REQUESTED, CAPTURED, PART_ASKED, PART_BACK).state
    assert isinstance(state, Captured)
    assert kept(state) == REST


def test_the_same_word_for_a_part_gives_it_back_once() -> None:
    given(payment, REQUESTED, CAPTURED, PART_ASKED).when(SORRY).then_nothing()
    given(payment, REQUESTED, CAPTURED, PART_ASKED, PART_BACK).when(SORRY).then_nothing()
    given(payment, REQUESTED, CAPTURED, PART_ASKED, PART_BACK).when(RequestRefund("again", PART)).then(
        RefundRequested("again", PART)
    )


def test_after_a_part_the_rest_goes_back() -> None:
    history = (REQUESTED, CAPTURED, PART_ASKED, PART_BACK, RefundRequested("order expired"))
    given(payment, *history).when(RefundPayment("re_2")).then(PaymentRefunded("re_2", REST))
    assert isinstance(given(payment, *history, PaymentRefunded("re_2", REST)).state, Refunded)


@pytest.mark.parametrize("amount", [Money(0, "usd"), Money(-1, "usd"), Money(1500, "usd"), Money(5, "eur")])
def test_more_than_is_left_cannot_go_back(amount: Money) -> None:
    given(payment, REQUESTED, CAPTURED, PART_ASKED, PART_BACK).when(
        RequestRefund("too much", amount)
    ).then_refused("refund_amount")


def test_a_refund_has_a_reason_and_one_is_made_at_a_time() -> None:
    given(payment, REQUESTED, CAPTURED).when(RequestRefund(" ")).then_refused("reason_missing")
    given(payment, REQUESTED, CAPTURED, PART_ASKED).when(ASK_FOR_REFUND).then_refused("refund_in_progress")


def test_a_part_that_somebody_else_gave_back_meanwhile_leaves_ours_to_be_made() -> None:
    given(payment, REQUESTED, CAPTURED, PART_ASKED).when(RefundPayment("re_desk", Money(7, "usd"))).then(
        PaymentRefunded("re_desk", Money(7, "usd")), PART_ASKED
    )


# ── A refund that does not go through at once ─────────────────────────────────────────────────────

FAILED = RefundFailed("re_1", "expired_or_canceled_card")


def test_a_refund_that_fails_is_owed_again_as_another_refund() -> None:
    history = (REQUESTED, CAPTURED, REFUND_REQUESTED)
    given(payment, *history).when(FailRefund("re_1", "expired_or_canceled_card")).then(FAILED)
    first, second = given(payment, *history).state, given(payment, *history, FAILED).state
    assert isinstance(first, Refunding)
    assert isinstance(second, Refunding)
    assert (first.past.number, second.past.number) == (0, 1)
    given(payment, *history, FAILED).when(FailRefund("re_1", "late word")).then_nothing()
    given(payment, *history, FAILED).when(RefundPayment("re_2")).then(PaymentRefunded("re_2", PRICE))


def test_a_refund_that_went_through_and_failed_later_is_owed_again() -> None:
    history = (REQUESTED, CAPTURED, REFUND_REQUESTED, REFUNDED)
    lost = RefundFailed("re_1", "closed", PRICE)
    given(payment, *history).when(FailRefund("re_1", "closed")).then(lost)
    state = given(payment, *history, lost).state
    assert isinstance(state, Refunding)
    assert (state.reason, state.amount, kept(state)) == ("order expired", PRICE, PRICE)


def test_a_refund_that_the_provider_still_works_on_is_known_by_its_name() -> None:
    history = (REQUESTED, CAPTURED, REFUND_REQUESTED)
    given(payment, *history).when(AwaitRefund("re_1")).then(RefundPending("re_1"))
    given(payment, *history, RefundPending("re_1")).when(AwaitRefund("re_1")).then_nothing()
    state = given(payment, *history, RefundPending("re_1")).state
    assert isinstance(state, Refunding)
    assert (state.reason, state.refund) == ("order expired", "re_1")


def test_a_payment_that_the_provider_still_works_on_can_end_in_any_way() -> None:
    given(payment, REQUESTED).when(AwaitPayment("pi_1")).then(PaymentPending("pi_1"))
    history = (REQUESTED, PaymentPending("pi_1"))
    given(payment, *history).when(AwaitPayment("pi_1")).then_nothing()
    for command, event in ((AUTHORIZE, AUTHORIZED), (DECLINE, DECLINED), (CAPTURE, CAPTURED), (VOID, VOIDED)):
        given(payment, *history).when(command).then(event)


# ── A dispute ─────────────────────────────────────────────────────────────────────────────────────

WON, LOST = DisputeWon("dp_1"), DisputeLost("dp_1", PRICE)


def test_a_dispute_that_is_won_leaves_the_money_where_it_was() -> None:
    given(payment, REQUESTED, CAPTURED, DISPUTED).when(CloseDispute("dp_1", won=True)).then(WON)
    history = (REQUESTED, CAPTURED, DISPUTED, WON)
    assert kept(given(payment, *history).state) == PRICE
    given(payment, *history).when(CloseDispute("dp_1", won=True)).then_nothing()
    given(payment, *history).when(DISPUTE).then_nothing()


def test_a_dispute_that_is_lost_takes_the_money() -> None:
    given(payment, REQUESTED, CAPTURED, DISPUTED).when(CloseDispute("dp_1", won=False)).then(LOST)
    history = (REQUESTED, CAPTURED, DISPUTED, LOST)
    assert kept(given(payment, *history).state) is None
    given(payment, *history).when(CloseDispute("dp_1", won=False)).then_nothing()
    given(payment, *history).when(ASK_FOR_REFUND).then_nothing()


def test_a_refund_that_was_owed_before_a_dispute_is_owed_after_it_is_won() -> None:
    history = (REQUESTED, CAPTURED, REFUND_REQUESTED, DISPUTED)
    given(payment, *history).when(CloseDispute("dp_1", won=True)).then(WON, REFUND_REQUESTED)
    given(payment, *history).when(CloseDispute("dp_1", won=False)).then(LOST)


def test_only_the_dispute_that_was_opened_is_settled() -> None:
    given(payment, REQUESTED, CAPTURED, DISPUTED).when(CloseDispute("dp_2", won=True)).then_refused(
        "payment_state"
    )
    given(payment, REQUESTED, CAPTURED).when(CloseDispute("dp_1", won=True)).then_refused("payment_state")


# ── What the first version wrote ──────────────────────────────────────────────────────────────────


def test_a_refund_without_an_amount_gave_all_of_it_back() -> None:
    state = given(payment, REQUESTED, CAPTURED, REFUND_REQUESTED, PaymentRefunded("re_1")).state
    assert isinstance(state, Refunded)


# ── What it says ──────────────────────────────────────────────────────────────────────────────────


def test_a_refusal_says_where_the_payment_is_and_what_it_cannot() -> None:
    outcome = given(payment, REQUESTED, CAPTURED).when(VOID)
    assert str(outcome.decision) == "A payment that is captured cannot be voided"


def test_money_that_was_taken_can_be_found_at_the_provider() -> None:
    assert given(payment, REQUESTED, CAPTURED).state == Captured(REQUESTED, "pi_1")
