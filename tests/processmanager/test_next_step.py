"""What is next in a purchase: one step for every state that order, ticket and payment can be in."""

from datetime import timedelta
from itertools import product
from typing import Any, TypeAlias

import pytest
from msgspec.structs import replace

from domain import order, payment, ticket
from domain.decider import Refused
from domain.money import Money
from processmanager.purchase import Ask, Purchase, Step, Tell, Wait, needs_proof, next_step
from tests.processmanager.house import GRACE, HOLD, PRICE, START

EXPIRES, DEADLINE = START + HOLD, START + HOLD + GRACE
LATE = timedelta(minutes=10)
AGAIN = DEADLINE + LATE
LISTING = ticket.Listing("sue", "a seat", PRICE, 1)
TERMS = order.Terms("ann", "t1", "sue", "a seat", PRICE, EXPIRES)
REQUEST = payment.PaymentRequested("o1", PRICE, "tok_visa")
FAILED = (order.PaymentFailed("p0", "card_declined"),)

# ── Every state ───────────────────────────────────────────────────────────────────────────────────

UNPLACED = order.Unplaced()
AWAITING = order.AwaitingPayment(TERMS, FAILED)
PAYING = order.Paying(TERMS, FAILED, "p1", "tok_visa", DEADLINE)
COMPLETED = order.Completed(TERMS, FAILED, "p1")
CANCELLED = order.Cancelled(TERMS, FAILED, "expired", "p1", refused="why")
EXPIRED = order.Cancelled(TERMS, FAILED, "expired", "p1")
REVIVED = order.Revived(TERMS, FAILED, "p1", AGAIN)
ORDERS: tuple[order.State, ...] = (UNPLACED, AWAITING, PAYING, COMPLETED, CANCELLED, EXPIRED, REVIVED)

FREE = ticket.Available(LISTING)
HELD = ticket.Reserved(LISTING, "o1", "ann", EXPIRES)
HELD_AGAIN = ticket.Reserved(LISTING, "o1", "ann", AGAIN)
SOLD_AGAIN = ticket.Sold(LISTING, "o1", "ann", AGAIN)
SOLD = ticket.Sold(LISTING, "o1", "ann", EXPIRES)
TAKEN = ticket.Reserved(LISTING, "o2", "bob", EXPIRES)
GONE = ticket.Sold(LISTING, "o2", "bob", EXPIRES)
TICKETS: tuple[ticket.State, ...] = (
    ticket.Unlisted(),
    FREE,
    HELD,
    HELD_AGAIN,
    SOLD,
    SOLD_AGAIN,
    TAKEN,
    GONE,
    ticket.Delisted(LISTING),
)
NOT_OURS = (FREE, TAKEN, GONE, ticket.Delisted(LISTING))

UNREQUESTED = payment.Unrequested()
REQUESTED = payment.Requested(REQUEST)
CONFIRMING = payment.ActionRequired(REQUEST, "ref", "confirm")
AUTHORIZED = payment.Authorized(REQUEST, "ref")
CAPTURED = payment.Captured(REQUEST, "ref")
DISPUTED = payment.Disputed(REQUEST, "ref", "d1", "fraud")
CHARGED_BACK = payment.ChargedBack(REQUEST, "ref", "fraud")
PENDING = payment.Pending(REQUEST, "ref")
REFUNDING = payment.Refunding(REQUEST, "ref", "why")
ON_ITS_WAY = payment.Refunding(REQUEST, "ref", "why", refund="re_1")
REFUNDED = payment.Refunded(REQUEST, "ref", "why")
DECLINED = payment.Declined(REQUEST, "card_declined", "No.")
VOIDED = payment.Voided(REQUEST, "why")
PAYMENTS: tuple[payment.State, ...] = (
    UNREQUESTED,
    REQUESTED,
    CONFIRMING,
    AUTHORIZED,
    CAPTURED,
    DISPUTED,
    CHARGED_BACK,
    PENDING,
    REFUNDING,
    ON_ITS_WAY,
    REFUNDED,
    DECLINED,
    VOIDED,
)
MOMENTS = (START, EXPIRES, DEADLINE, DEADLINE + timedelta(days=1))

Case: TypeAlias = tuple[order.State, ticket.State, payment.State]


def purchase(ordered: order.State, held: ticket.State, paid: payment.State) -> Purchase:
    counts = not isinstance(ordered, order.Unplaced | order.AwaitingPayment)
    return Purchase(
        "o1", "t1", "p1" if counts else None, ordered, held, paid if counts else payment.Unrequested()
    )


def step_for(case: Case, now: Any = START) -> Step:
    return next_step(purchase(*case), now)


def told(step: Step) -> Any:
    """The command of a step that tells an aggregate something; the verb of one that asks the provider."""
    match step:
        case Tell():
            return type(step.command)
        case Ask():
            return step.verb
        case Wait():
            return Wait


# ── One step for each ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("now", MOMENTS, ids=["at first", "at the end", "after the grace", "much later"])
def test_every_state_has_a_step_and_none_raises(now: Any) -> None:
    met = {told(step_for(case, now)) for case in product(ORDERS, TICKETS, PAYMENTS)}
    assert Wait in met
    assert {"void", "refund"} < met


def _is_an_old_picture(case: Case) -> bool:
    """An order that pays for one hold, and a ticket that it has by another."""
    other = {order.Paying: (HELD_AGAIN, SOLD_AGAIN), order.Revived: (HELD, SOLD)}
    return case[1] in other.get(type(case[0]), ())


def test_a_command_that_is_next_is_never_refused() -> None:
    """On the very states that it was chosen on. That is what keeps the pump from turning in circles."""
    for case, now, late in product(product(ORDERS, TICKETS, PAYMENTS), MOMENTS, (None, LATE)):
        step = next_step(purchase(*case), now, late)
        if isinstance(step, Tell) and not _is_an_old_picture(case):
            decided_on = {"order": case[0], "ticket": case[1], "payment": case[2]}[step.decider.category]
            decision = step.decider.decide(step.command, decided_on)
            assert decision, f"{step} in {case} leads to nothing"
            assert not isinstance(decision, Refused), f"{step} in {case} is refused: {decision}"


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        # Nothing was placed: only a hold of this order wants one.
        ((UNPLACED, HELD, UNREQUESTED), order.PlaceOrder),
        *(((UNPLACED, held, UNREQUESTED), Wait) for held in (*NOT_OURS, SOLD)),
        ((AWAITING, HELD, UNREQUESTED), Wait),
        # Paying: the money is asked for step by step.
        ((PAYING, HELD, UNREQUESTED), payment.RequestPayment),
        ((PAYING, HELD, REQUESTED), "authorize"),
        *(((PAYING, HELD, waiting), "look") for waiting in (CONFIRMING, PENDING)),
        ((PAYING, HELD, AUTHORIZED), ticket.SellTicket),
        ((PAYING, SOLD, AUTHORIZED), "capture"),
        ((PAYING, SOLD, CAPTURED), order.CompleteOrder),
        ((PAYING, SOLD, DISPUTED), order.CompleteOrder),
        # Paying, and it came to nothing.
        *(((PAYING, HELD, ended), order.FailPayment) for ended in (DECLINED, VOIDED, REFUNDED, CHARGED_BACK)),
        ((PAYING, HELD, REFUNDING), "refund"),
        ((PAYING, HELD, ON_ITS_WAY), "look"),
        # Paying, and the money is in question before the ticket is handed over.
        ((PAYING, HELD, DISPUTED), Wait),
        # Paying, and the money came by itself.
        ((PAYING, HELD, CAPTURED), ticket.SellTicket),
        # Paying, and the ticket is not ours.
        *(((PAYING, held, AUTHORIZED), "void") for held in NOT_OURS),
        *(((PAYING, held, CAPTURED), payment.RequestRefund) for held in NOT_OURS),
        # Completed: nothing, unless the money goes back.
        ((COMPLETED, SOLD, CAPTURED), Wait),
        ((COMPLETED, SOLD, REFUNDING), "refund"),
        ((COMPLETED, SOLD, ON_ITS_WAY), "look"),
        ((COMPLETED, SOLD, DISPUTED), Wait),
        *(((COMPLETED, SOLD, gone), ticket.ReturnTicket) for gone in (REFUNDED, CHARGED_BACK)),
        ((COMPLETED, FREE, REFUNDED), Wait),
        ((COMPLETED, HELD, REFUNDED), ticket.ReleaseTicket),
        # Cancelled: the ticket first, which needs nobody outside.
        *(((CANCELLED, HELD, paid), ticket.ReleaseTicket) for paid in PAYMENTS),
        *(((CANCELLED, SOLD, paid), ticket.ReturnTicket) for paid in PAYMENTS),
        *(((CANCELLED, TAKEN, open_), "void") for open_ in (REQUESTED, PENDING, CONFIRMING, AUTHORIZED)),
        ((CANCELLED, TAKEN, CAPTURED), payment.RequestRefund),
        ((CANCELLED, TAKEN, REFUNDING), "refund"),
        ((CANCELLED, TAKEN, ON_ITS_WAY), "look"),
        *(
            ((CANCELLED, TAKEN, over), Wait)
            for over in (UNREQUESTED, REFUNDED, DECLINED, VOIDED, DISPUTED, CHARGED_BACK)
        ),
    ],
    ids=lambda each: "-".join(type(part).__name__ for part in each) if isinstance(each, tuple) else None,
)
def test_what_is_next_while_the_hold_lasts(case: Case, expected: Any) -> None:
    assert told(step_for(case)) == expected


@pytest.mark.parametrize(
    ("case", "early", "at"),
    [
        ((AWAITING, HELD, UNREQUESTED), EXPIRES - timedelta(milliseconds=1), EXPIRES),
        ((PAYING, HELD, UNREQUESTED), DEADLINE - timedelta(milliseconds=1), DEADLINE),
        ((PAYING, HELD, REQUESTED), DEADLINE - timedelta(milliseconds=1), DEADLINE),
        ((PAYING, HELD, AUTHORIZED), DEADLINE - timedelta(milliseconds=1), DEADLINE),
        ((PAYING, SOLD, AUTHORIZED), DEADLINE - timedelta(milliseconds=1), DEADLINE),
        ((PAYING, HELD, DISPUTED), DEADLINE - timedelta(milliseconds=1), DEADLINE),
    ],
    ids=["unpaid", "not yet asked for", "asked for", "set aside", "sold", "in question"],
)
def test_a_hold_ends_at_its_end_and_not_before(case: Case, early: Any, at: Any) -> None:
    assert told(step_for(case, early)) != order.ExpireOrder
    assert told(step_for(case, at)) == order.ExpireOrder


def test_money_that_was_taken_completes_the_sale_however_late() -> None:
    assert told(step_for((PAYING, SOLD, CAPTURED), DEADLINE + timedelta(days=1))) == order.CompleteOrder


def test_one_waits_for_the_end_of_an_unpaid_hold_and_for_nothing_else() -> None:
    assert step_for((AWAITING, HELD, UNREQUESTED)) == Wait(EXPIRES)
    assert step_for((COMPLETED, SOLD, CAPTURED)) == Wait(None)


def test_what_is_ordered_is_what_was_held() -> None:
    step = step_for((UNPLACED, HELD, UNREQUESTED))
    assert isinstance(step, Tell)
    assert step.command == order.PlaceOrder(order.Terms("ann", "t1", "sue", "a seat", PRICE, EXPIRES, 0))


# ── Money ─────────────────────────────────────────────────────────────────────────────────────────


def test_money_is_taken_only_for_a_ticket_that_is_sold_to_the_order() -> None:
    for case, now in product(product(ORDERS, TICKETS, PAYMENTS), MOMENTS):
        if told(step_for(case, now)) == "capture":
            assert case[0] in {PAYING, REVIVED}
            assert case[1] in {SOLD, SOLD_AGAIN}
            assert case[2] == AUTHORIZED


def test_money_is_given_back_only_when_the_ticket_is_not_for_this_order() -> None:
    for case, now in product(product(ORDERS, TICKETS, PAYMENTS), MOMENTS):
        if told(step_for(case, now)) in {"void", payment.RequestRefund}:
            assert case[0] in {CANCELLED, EXPIRED, PAYING, REVIVED}
            assert case[1] not in {HELD, SOLD, HELD_AGAIN, SOLD_AGAIN}


def test_each_step_of_each_attempt_has_a_key_of_its_own_that_stays_the_same() -> None:
    keys = {step.key for _ in range(2) for case in product(ORDERS, TICKETS, PAYMENTS)
            if isinstance(step := step_for(case), Ask)}  # fmt: skip
    assert keys == {f"p1:{verb}" for verb in ("authorize", "look", "capture", "void", "refund")}


def test_a_refund_is_another_one_after_each_that_had_its_end() -> None:
    part = payment.Given("re_1", Money(1, "usd"), "why")
    for past, key in (
        (payment.Past(), "p1:refund"),
        (payment.Past(failed=("re_1",)), "p1:refund:1"),
        (payment.Past((part,), ("re_0",)), "p1:refund:2"),
    ):
        step = step_for((COMPLETED, SOLD, payment.Refunding(REQUEST, "ref", "why", past, Money(5, "usd"))))
        assert isinstance(step, Ask)
        assert (step.key, step.attempt.back) == (key, Money(5, "usd"))


def test_the_provider_is_told_which_request_began_it_and_when() -> None:
    asked = payment.PaymentRequested("o1", PRICE, "tok_visa", "request-1", START)
    step = step_for((PAYING, HELD, payment.Requested(asked)))
    assert isinstance(step, Ask)
    assert (step.attempt.request, step.attempt.at) == ("request-1", START)


def test_what_cannot_be_taken_back_is_done_on_a_current_picture_alone() -> None:
    for case, now in product(product(ORDERS, TICKETS, PAYMENTS), MOMENTS):
        step = step_for(case, now)
        proof = needs_proof(step, purchase(*case))
        if told(step) in {"void", "refund", payment.RequestRefund, order.RefuseLatePayment}:
            assert proof
        elif isinstance(step, Wait):
            assert proof is not isinstance(case[0], order.Completed)
        elif (case[0], told(step)) == (EXPIRED, ticket.ReleaseTicket):
            # Another hold than its own may be the one that revives it.
            assert proof is (case[1] == HELD_AGAIN)
        else:
            assert not proof


# ── Money that came late ──────────────────────────────────────────────────────────────────────────

CAME = (AUTHORIZED, CAPTURED)
NOT_CAME = (REQUESTED, PENDING, CONFIRMING)
CHANGED = ticket.Available(replace(LISTING, price=Money(1, "usd")))


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        # Free as it was ordered: held again, then the order goes on.
        *(((EXPIRED, FREE, paid), ticket.RetakeTicket) for paid in CAME),
        *(((EXPIRED, HELD_AGAIN, paid), order.ReviveOrder) for paid in CAME),
        ((REVIVED, HELD_AGAIN, AUTHORIZED), ticket.SellTicket),
        ((REVIVED, SOLD_AGAIN, AUTHORIZED), "capture"),
        ((REVIVED, SOLD_AGAIN, CAPTURED), order.CompleteOrder),
        # Its own hold ends first: others may take the ticket too.
        *(((EXPIRED, HELD, paid), ticket.ReleaseTicket) for paid in CAME),
        *(((EXPIRED, SOLD, paid), ticket.ReturnTicket) for paid in CAME),
        # Not free, or not as it was ordered: that is settled before the money goes.
        *(
            ((EXPIRED, gone, paid), order.RefuseLatePayment)
            for gone in (TAKEN, GONE, CHANGED, ticket.Delisted(LISTING))
            for paid in CAME
        ),
        *(
            ((CANCELLED, FREE, paid), step)
            for paid, step in zip(CAME, ("void", payment.RequestRefund), strict=True)
        ),
        # A hold that was taken again for money that came to nothing.
        *(((EXPIRED, HELD_AGAIN, over), ticket.ReleaseTicket) for over in (VOIDED, DECLINED, REFUNDED)),
        # It was revived meanwhile: this picture is old.
        ((EXPIRED, SOLD_AGAIN, CAPTURED), Wait),
        *(((REVIVED, HELD_AGAIN, over), order.FailPayment) for over in (VOIDED, DECLINED, REFUNDED)),
    ],
)
def test_money_that_came_late_buys_the_ticket_if_that_is_still_free(case: Case, expected: Any) -> None:
    assert told(next_step(purchase(*case), DEADLINE, LATE)) == expected


@pytest.mark.parametrize("paid", CAME)
@pytest.mark.parametrize("seat", [FREE, TAKEN, HELD_AGAIN])
def test_where_late_money_buys_nothing_that_is_settled_before_it_goes_back(
    seat: ticket.State, paid: payment.State
) -> None:
    assert told(next_step(purchase(EXPIRED, seat, paid), DEADLINE)) == order.RefuseLatePayment


def test_an_order_is_not_revived_by_a_hold_that_has_ended_and_not_twice() -> None:
    assert told(next_step(purchase(EXPIRED, HELD_AGAIN, CAPTURED), AGAIN, LATE)) == order.RefuseLatePayment
    assert told(next_step(purchase(REVIVED, SOLD_AGAIN, AUTHORIZED), AGAIN, LATE)) == order.ExpireOrder
    again = order.Cancelled(TERMS, FAILED, "expired", "p1", revived=AGAIN)
    assert told(next_step(purchase(again, SOLD_AGAIN, AUTHORIZED), AGAIN, LATE)) == ticket.ReturnTicket
    assert told(next_step(purchase(again, FREE, AUTHORIZED), AGAIN, LATE)) == "void"


@pytest.mark.parametrize(("seat", "late"), [(FREE, LATE), (FREE, None), (TAKEN, LATE)])
@pytest.mark.parametrize("paid", NOT_CAME)
def test_an_attempt_is_ended_after_a_look_whether_its_money_has_come(
    paid: payment.State, seat: ticket.State, late: timedelta | None
) -> None:
    step = next_step(purchase(EXPIRED, seat, paid), DEADLINE, late)
    assert isinstance(step, Ask)
    assert (step.verb, step.sparing) == ("void", True)
    settled = next_step(purchase(CANCELLED, seat, paid), DEADLINE, late)
    assert isinstance(settled, Ask)
    assert (settled.verb, settled.sparing) == ("void", False)
