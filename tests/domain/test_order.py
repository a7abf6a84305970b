"""An order ends once: paid, cancelled or expired. While it is being paid, its hold is fenced."""

from datetime import UTC, datetime, timedelta

from msgspec import structs

from domain.money import Money
from domain.order import (
    ALREADY_CANCELLED,
    ALREADY_PAID,
    BEING_PAID,
    CANCELLED_BY_BUYER,
    EXISTS,
    EXPIRED,
    HOLD_ENDED,
    IN_FLIGHT,
    NO_SUCH_ATTEMPT,
    NOT_DUE,
    NOT_OWNER,
    PAID_FOR,
    UNKNOWN,
    AwaitingPayment,
    Cancelled,
    CancelOrder,
    Completed,
    CompleteOrder,
    ExpireOrder,
    FailPayment,
    LatePaymentRefused,
    OrderCancelled,
    OrderCompleted,
    OrderPlaced,
    OrderRevived,
    Paying,
    PaymentFailed,
    PaymentStarted,
    PlaceOrder,
    RefuseLatePayment,
    ReviveOrder,
    StartPayment,
    Terms,
    order,
)
from tests.specification import given

START = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
EXPIRES = START + timedelta(minutes=15)
INSTANT = timedelta(microseconds=1)
GRACE = EXPIRES + timedelta(minutes=9)

TERMS = Terms("ann", "t1", "sue", "concert", Money(1999, "usd"), EXPIRES, ticket_version=3)
PLACED = OrderPlaced("ann", "t1", "sue", "concert", Money(1999, "usd"), EXPIRES, ticket_version=3)
STARTED = PaymentStarted("p1", "tok_visa", GRACE, "", START)
FAILED = PaymentFailed("p1", "card_declined")
COMPLETED = OrderCompleted("p1")
CANCELLED = OrderCancelled(CANCELLED_BY_BUYER)
ENDED_BY_TIME = OrderCancelled(EXPIRED)


def pay(payment: str = "p1", by: str = "ann", at: datetime = START) -> StartPayment:
    return StartPayment(payment, by, "tok_visa", at, GRACE)


# ── Placing ───────────────────────────────────────────────────────────────────────────────────────


def test_an_order_is_placed_on_the_terms_of_its_hold() -> None:
    given(order).when(PlaceOrder(TERMS)).then(PLACED)


def test_an_order_placed_twice_is_placed_once_and_keeps_its_first_deadline() -> None:
    again = structs.replace(TERMS, expires_at=EXPIRES + timedelta(minutes=5))
    for history in (
        (PLACED,),
        (PLACED, STARTED),
        (PLACED, STARTED, COMPLETED),
        (PLACED, CANCELLED),
    ):
        given(order, *history).when(PlaceOrder(TERMS)).then_nothing()
        given(order, *history).when(PlaceOrder(again)).then_nothing()


def test_an_order_does_not_take_the_id_of_anothers_or_of_another_ticket() -> None:
    for other in (structs.replace(TERMS, buyer="bob"), structs.replace(TERMS, ticket="t2")):
        for history in ((PLACED,), (PLACED, CANCELLED)):
            given(order, *history).when(PlaceOrder(other)).then_refused(EXISTS)


def test_nothing_can_be_done_with_an_order_that_was_never_placed() -> None:
    for command in (
        pay(),
        FailPayment("p1", "card_declined"),
        CompleteOrder("p1"),
        CancelOrder("ann"),
        ExpireOrder(EXPIRES),
    ):
        given(order).when(command).then_refused(UNKNOWN)


# ── Paying ────────────────────────────────────────────────────────────────────────────────────────


def test_a_buyer_starts_to_pay_within_the_hold() -> None:
    given(order, PLACED).when(pay()).then(STARTED)
    last = EXPIRES - INSTANT
    given(order, PLACED).when(pay(at=last)).then(PaymentStarted("p1", "tok_visa", GRACE, "", last))


def test_nobody_pays_once_the_hold_has_ended() -> None:
    given(order, PLACED).when(pay(at=EXPIRES)).then_refused(HOLD_ENDED)
    given(order, PLACED, STARTED, FAILED).when(pay("p2", at=EXPIRES)).then_refused(HOLD_ENDED)


def test_only_the_buyer_pays_or_cancels_whatever_the_state() -> None:
    for history in ((PLACED,), (PLACED, STARTED), (PLACED, STARTED, COMPLETED), (PLACED, CANCELLED)):
        given(order, *history).when(pay(by="bob")).then_refused(NOT_OWNER)
        given(order, *history).when(CancelOrder("bob")).then_refused(NOT_OWNER)


def test_a_payment_started_twice_is_one_attempt_whatever_became_of_it() -> None:
    for history in (
        (PLACED, STARTED),
        (PLACED, STARTED, FAILED),
        (PLACED, STARTED, FAILED, PaymentStarted("p2", "tok_visa", GRACE)),
        (PLACED, STARTED, COMPLETED),
        (PLACED, STARTED, ENDED_BY_TIME),
    ):
        given(order, *history).when(pay("p1", at=EXPIRES)).then_nothing()


def test_two_attempts_are_never_in_flight_together() -> None:
    given(order, PLACED, STARTED).when(pay("p2")).then_refused(IN_FLIGHT)


def test_after_a_decline_the_buyer_pays_with_another_card() -> None:
    given(order, PLACED, STARTED).when(FailPayment("p1", "card_declined")).then(FAILED)
    given(order, PLACED, STARTED, FAILED).when(pay("p2")).then(
        PaymentStarted("p2", "tok_visa", GRACE, "", START)
    )


def test_an_order_remembers_which_attempts_failed_and_why() -> None:
    second = PaymentFailed("p2", "expired_card")
    state = given(order, PLACED, STARTED, FAILED, PaymentStarted("p2", "tok_x", GRACE), second).state
    assert state == AwaitingPayment(PLACED, (FAILED, second))


def test_a_paid_order_is_not_paid_again() -> None:
    given(order, PLACED, STARTED, COMPLETED).when(pay("p2")).then_refused(ALREADY_PAID)


def test_a_cancelled_order_is_not_paid() -> None:
    given(order, PLACED, CANCELLED).when(pay()).then_refused(ALREADY_CANCELLED)
    given(order, PLACED, STARTED, ENDED_BY_TIME).when(pay("p2")).then_refused(ALREADY_CANCELLED)


def test_a_failure_is_told_once_and_only_of_the_attempt_in_flight() -> None:
    given(order, PLACED, STARTED, FAILED).when(FailPayment("p1", "card_declined")).then_nothing()
    for history in ((PLACED,), (PLACED, STARTED), (PLACED, STARTED, COMPLETED), (PLACED, CANCELLED)):
        given(order, *history).when(FailPayment("p9", "?")).then_refused(NO_SUCH_ATTEMPT)


def test_an_attempt_that_completed_or_lost_its_order_can_no_longer_fail_it() -> None:
    for history in ((PLACED, STARTED, COMPLETED), (PLACED, STARTED, ENDED_BY_TIME)):
        given(order, *history).when(FailPayment("p1", "late")).then_refused(NO_SUCH_ATTEMPT)


# ── Completing ────────────────────────────────────────────────────────────────────────────────────


def test_the_attempt_in_flight_completes_the_order_once() -> None:
    given(order, PLACED, STARTED).when(CompleteOrder("p1")).then(COMPLETED)
    given(order, PLACED, STARTED, COMPLETED).when(CompleteOrder("p1")).then_nothing()


def test_no_other_attempt_completes_it() -> None:
    for history in (
        (PLACED,),
        (PLACED, STARTED),
        (PLACED, STARTED, COMPLETED),
        (PLACED, CANCELLED),
    ):
        given(order, *history).when(CompleteOrder("p9")).then_refused(NO_SUCH_ATTEMPT)


def test_a_late_success_does_not_revive_an_order_that_has_ended() -> None:
    given(order, PLACED, STARTED, ENDED_BY_TIME).when(CompleteOrder("p1")).then_refused(NO_SUCH_ATTEMPT)
    given(order, PLACED, STARTED, FAILED).when(CompleteOrder("p1")).then_refused(NO_SUCH_ATTEMPT)


def test_an_order_that_ended_while_being_paid_names_the_money_that_must_not_be_kept() -> None:
    assert given(order, PLACED, STARTED, ENDED_BY_TIME).state == Cancelled(PLACED, (), EXPIRED, "p1")
    assert given(order, PLACED, STARTED, FAILED, CANCELLED).state == Cancelled(
        PLACED, (FAILED,), CANCELLED_BY_BUYER, None
    )


# ── Cancelling ────────────────────────────────────────────────────────────────────────────────────


def test_a_buyer_cancels_before_paying_once() -> None:
    given(order, PLACED).when(CancelOrder("ann")).then(CANCELLED)
    given(order, PLACED, STARTED, FAILED).when(CancelOrder("ann")).then(CANCELLED)
    given(order, PLACED, CANCELLED).when(CancelOrder("ann")).then_nothing()
    given(order, PLACED, ENDED_BY_TIME).when(CancelOrder("ann")).then_nothing()


def test_an_order_is_not_cancelled_while_it_is_being_paid() -> None:
    given(order, PLACED, STARTED).when(CancelOrder("ann")).then_refused(BEING_PAID)


def test_a_paid_order_is_not_cancelled() -> None:
    given(order, PLACED, STARTED, COMPLETED).when(CancelOrder("ann")).then_refused(PAID_FOR)


# ── Expiring ──────────────────────────────────────────────────────────────────────────────────────


def test_a_hold_ends_at_its_deadline_and_not_a_microsecond_before() -> None:
    given(order, PLACED).when(ExpireOrder(EXPIRES - INSTANT)).then_refused(NOT_DUE)
    given(order, PLACED).when(ExpireOrder(EXPIRES)).then(ENDED_BY_TIME)
    given(order, PLACED).when(ExpireOrder(EXPIRES + timedelta(days=9))).then(ENDED_BY_TIME)


def test_a_hold_does_not_end_while_an_attempt_to_pay_is_in_flight() -> None:
    given(order, PLACED, STARTED).when(ExpireOrder(EXPIRES)).then_refused(IN_FLIGHT)
    given(order, PLACED, STARTED).when(ExpireOrder(GRACE - INSTANT)).then_refused(IN_FLIGHT)


def test_the_fence_around_an_attempt_ends_with_its_grace() -> None:
    given(order, PLACED, STARTED).when(ExpireOrder(GRACE)).then(ENDED_BY_TIME)


def test_a_short_grace_does_not_shorten_the_hold() -> None:
    hasty = PaymentStarted("p1", "tok_visa", START + timedelta(minutes=1))
    state = given(order, PLACED, hasty).state
    assert isinstance(state, Paying)
    assert state.deadline == EXPIRES
    given(order, PLACED, hasty).when(ExpireOrder(EXPIRES - INSTANT)).then_refused(IN_FLIGHT)
    given(order, PLACED, hasty).when(ExpireOrder(EXPIRES)).then(ENDED_BY_TIME)


def test_the_fence_falls_with_the_attempt_that_raised_it() -> None:
    given(order, PLACED, STARTED, FAILED).when(ExpireOrder(EXPIRES)).then(ENDED_BY_TIME)


def test_declined_cards_do_not_stretch_a_hold() -> None:
    """However often a buyer tries, his last attempt begins within the hold."""
    given(order, PLACED, STARTED, FAILED).when(pay("p2", at=EXPIRES + INSTANT)).then_refused(HOLD_ENDED)


def test_a_paid_order_does_not_expire() -> None:
    given(order, PLACED, STARTED, COMPLETED).when(ExpireOrder(GRACE)).then_refused(ALREADY_PAID)


def test_an_order_that_has_ended_does_not_end_again() -> None:
    given(order, PLACED, CANCELLED).when(ExpireOrder(EXPIRES)).then_nothing()
    given(order, PLACED, ENDED_BY_TIME).when(ExpireOrder(EXPIRES)).then_nothing()


# ── Money that came late ──────────────────────────────────────────────────────────────────────────

AGAIN = GRACE + timedelta(minutes=10)
REVIVED = OrderRevived("p1", AGAIN)
REFUSED = LatePaymentRefused("p1", "the ticket is gone")
OVER = (PLACED, STARTED, ENDED_BY_TIME)


def test_an_order_that_ended_while_it_was_paid_for_is_revived_by_that_payment_once() -> None:
    given(order, *OVER).when(ReviveOrder("p1", AGAIN)).then(REVIVED)
    given(order, *OVER, REVIVED).when(ReviveOrder("p1", AGAIN)).then_nothing()
    given(order, *OVER, REVIVED, ENDED_BY_TIME).when(ReviveOrder("p1", AGAIN)).then_refused(NO_SUCH_ATTEMPT)


def test_nothing_else_revives_an_order() -> None:
    for history in ((PLACED, ENDED_BY_TIME), (PLACED, CANCELLED), (PLACED, STARTED), OVER):
        given(order, *history).when(ReviveOrder("p2", AGAIN)).then_refused(NO_SUCH_ATTEMPT)


def test_late_money_is_refused_or_revives_but_never_both() -> None:
    given(order, *OVER).when(RefuseLatePayment("p1", "the ticket is gone")).then(REFUSED)
    given(order, *OVER, REFUSED).when(ReviveOrder("p1", AGAIN)).then_refused(NO_SUCH_ATTEMPT)
    given(order, *OVER, REVIVED).when(RefuseLatePayment("p1", "the ticket is gone")).then_nothing()


def test_a_revived_order_is_completed_by_a_sale_from_its_new_hold_only() -> None:
    given(order, *OVER, REVIVED).when(CompleteOrder("p1", EXPIRES)).then_refused(NO_SUCH_ATTEMPT)
    given(order, *OVER, REVIVED).when(CompleteOrder("p1", AGAIN)).then(COMPLETED)
    assert given(order, *OVER, REVIVED, COMPLETED).state == Completed(PLACED, (), "p1", revived=True)


def test_a_revived_order_ends_with_its_new_hold_and_with_its_payment() -> None:
    given(order, *OVER, REVIVED).when(ExpireOrder(AGAIN - INSTANT)).then_refused(IN_FLIGHT)
    given(order, *OVER, REVIVED).when(ExpireOrder(AGAIN)).then(ENDED_BY_TIME)
    given(order, *OVER, REVIVED).when(FailPayment("p1", "card_declined")).then(FAILED, ENDED_BY_TIME)


def test_a_revived_order_takes_no_other_payment_and_is_not_cancelled() -> None:
    given(order, *OVER, REVIVED).when(pay("p2")).then_refused(IN_FLIGHT)
    given(order, *OVER, REVIVED).when(CancelOrder("ann")).then_refused(BEING_PAID)
