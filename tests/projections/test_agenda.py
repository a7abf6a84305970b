"""The agenda names a purchase if and only if something is left to do for it, and says since when."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import example, given, settings

from domain import order, parking, payment
from domain.money import Money
from domain.order import (
    OrderCancelled,
    OrderCompleted,
    OrderPlaced,
    OrderRevived,
    PaymentFailed,
    PaymentStarted,
)
from domain.parking import PurchaseParked, PurchaseRetried, PurchaseSkipped
from domain.payment import (
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentDisputed,
    PaymentRefunded,
    PaymentRequested,
    RefundRequested,
)
from domain.ticket import TicketReleased, TicketReserved, TicketReturned, TicketSold
from projections.agenda import AGENDA, AgendaTable
from projections.read_model import ReadModel
from tests.projections.histories import Choice, Marketplace, histories
from tests.projections.memory_log import NOON, MemoryLog

PRICE = Money(2000, "usd")
ENDS = NOON + timedelta(minutes=15)
FAR = NOON + timedelta(days=365)

RESERVED = TicketReserved("o", "bob", PRICE, ENDS)
PLACED = OrderPlaced("bob", "t", "ann", "Jazz", PRICE, ENDS)
STARTED = PaymentStarted("p", "tok", ENDS + timedelta(minutes=5))
PARKED = PurchaseParked("capture", "no answer", 5)


class Desk:
    """Appends to a log, and asks the agenda what it makes of it."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.model = ReadModel(AGENDA, ":memory:")
        self.agenda = AgendaTable(self.model)

    def tell(self, stream: str, *events: object) -> "Desk":
        self.log.append(stream, *events)
        self.model.feed(self.log.events)
        return self

    def due(self) -> tuple[float, bool, bool] | None:
        """In how many seconds purchase ``o`` is due; whether money, and parking, are in it."""
        rows = self.agenda.due(FAR, 10)
        assert all(row.order == "o" for row in rows)
        return ((rows[0].at - self.log.at).total_seconds(), rows[0].money, rows[0].parked) if rows else None

    def until_the_hold_ends(self) -> float:
        return (ENDS - self.log.at).total_seconds()


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.model.close()


def placed(desk: Desk) -> Desk:
    return desk.tell("ticket-t", RESERVED).tell("order-o", PLACED)


def paid(desk: Desk) -> Desk:
    placed(desk).tell("order-o", STARTED).tell("payment-p", PaymentRequested("o", PRICE, "tok"))
    desk.tell("ticket-t", TicketSold("o")).tell("payment-p", PaymentCaptured("ref"))
    return desk.tell("order-o", OrderCompleted("p"))


def test_a_hold_whose_order_does_not_follow_is_looked_at_after_five_seconds(desk: Desk) -> None:
    assert desk.tell("ticket-t", RESERVED).due() == (5, False, False)
    assert desk.agenda.due(FAR, 10)[0].ticket == "t"


def test_a_placed_order_is_due_exactly_when_its_hold_ends(desk: Desk) -> None:
    placed(desk)
    assert desk.agenda.next_due() == ENDS
    assert desk.agenda.due(ENDS - timedelta(microseconds=1), 10) == []
    assert [row.order for row in desk.agenda.due(ENDS, 10)] == ["o"]


def test_an_attempt_to_pay_is_looked_at_after_five_seconds_and_may_wait_for_money(desk: Desk) -> None:
    assert placed(desk).tell("order-o", STARTED).due() == (5, True, False)


def test_after_a_declined_payment_the_hold_counts_again(desk: Desk) -> None:
    placed(desk).tell("order-o", STARTED).tell("payment-p", PaymentRequested("o", PRICE, "tok"))
    desk.tell("payment-p", PaymentDeclined("no", "no")).tell("order-o", PaymentFailed("p", "no"))
    assert desk.due() == (desk.until_the_hold_ends(), False, False)


def test_a_cancelled_order_whose_ticket_is_not_given_back_is_looked_at_after_two_seconds(desk: Desk) -> None:
    placed(desk).tell("order-o", OrderCancelled("expired"))
    assert desk.due() == (2, False, False)
    assert desk.tell("ticket-t", TicketReleased("o", "expired")).due() is None


def test_an_order_that_goes_on_for_late_money_is_looked_at_after_five_seconds_and_ends_with_its_new_hold(
    desk: Desk,
) -> None:
    placed(desk).tell("order-o", STARTED).tell("payment-p", PaymentRequested("o", PRICE, "tok"))
    desk.tell("order-o", OrderCancelled("expired")).tell("payment-p", PaymentAuthorized("ref"))
    desk.tell("order-o", OrderRevived("p", ENDS + timedelta(hours=1)))
    assert desk.due() == (5, True, False)
    [due] = desk.agenda.due(ENDS, 10)
    assert due.ends == ENDS + timedelta(hours=1)


def test_a_sale_leaves_nothing_to_do(desk: Desk) -> None:
    assert paid(desk).due() is None
    assert desk.agenda.next_due() is None


def test_a_refund_after_the_sale_is_due_until_the_money_and_the_ticket_are_back(desk: Desk) -> None:
    paid(desk).tell("payment-p", RefundRequested("sorry"))
    due = desk.due()
    assert due is not None
    assert due[0] <= 0
    assert due[1]
    desk.tell("payment-p", PaymentRefunded("ref"))
    assert desk.due() is not None
    assert desk.tell("ticket-t", TicketReturned("o")).due() is None


def test_a_parked_purchase_is_due_only_when_its_hold_ends(desk: Desk) -> None:
    placed(desk).tell("order-o", STARTED).tell("parking-o", PARKED)
    until_the_grace_ends = desk.until_the_hold_ends() + 300
    assert desk.due() == (until_the_grace_ends, True, True)
    [waiting] = desk.agenda.parked()
    assert (waiting.order, waiting.step, waiting.tries, waiting.since) == ("o", "capture", 5, desk.log.at)


def test_a_parked_purchase_that_an_operator_retries_is_due_again(desk: Desk) -> None:
    placed(desk).tell("order-o", OrderCancelled("expired")).tell("parking-o", PARKED)
    desk.tell("parking-o", PurchaseRetried("op"))
    assert desk.due() == (0, False, False)
    assert desk.agenda.parked() == []


def test_a_grace_that_ends_first_does_not_shorten_the_hold_of_a_parked_purchase(desk: Desk) -> None:
    placed(desk).tell("order-o", PaymentStarted("p", "tok", NOON + timedelta(minutes=1)))
    assert desk.tell("parking-o", PARKED).due() == (desk.until_the_hold_ends(), True, True)


def late_capture(desk: Desk) -> Desk:
    """The order was cancelled and the ticket given back while the provider took the money."""
    placed(desk).tell("order-o", STARTED).tell("payment-p", PaymentRequested("o", PRICE, "tok"))
    desk.tell("order-o", OrderCancelled("expired")).tell("ticket-t", TicketReleased("o", "expired"))
    return desk.tell("payment-p", PaymentCaptured("ref"))


def test_money_taken_for_a_cancelled_order_is_due_until_it_is_back(desk: Desk) -> None:
    assert late_capture(desk).due() == (0, True, False)
    assert desk.tell("payment-p", RefundRequested("late")).due() is not None
    assert desk.tell("payment-p", PaymentRefunded("ref")).due() is None


def test_disputed_money_is_out_of_our_hands(desk: Desk) -> None:
    assert late_capture(desk).tell("payment-p", PaymentDisputed("ref", "not me")).due() is None


def test_a_skipped_purchase_keeps_its_deadline_and_is_no_longer_listed(desk: Desk) -> None:
    placed(desk).tell("parking-o", PARKED, PurchaseSkipped("op", "written off"))
    assert desk.due() == (desk.until_the_hold_ends(), False, True)
    assert desk.agenda.parked() == []


def test_what_is_due_comes_in_pages_without_gaps_or_repeats(desk: Desk) -> None:
    for number in range(25):
        hold = TicketReserved(f"o{number:02}", "bob", PRICE, ENDS)
        desk.log.append(f"ticket-{number}", hold)
        desk.log.append(f"order-o{number:02}", PLACED)
    desk.model.feed(desk.log.events)
    seen, after = list[str](), None
    while page := desk.agenda.due(ENDS, 7, after):
        seen += [row.order for row in page]
        after = (page[-1].at, page[-1].order)
    assert seen == [f"o{number:02}" for number in range(25)]


@given(choices=histories)
@example(choices=[(0, 1), (2, 1), (5, 0), (8, 0)])
@settings(max_examples=300, deadline=None)
def test_a_purchase_is_on_the_agenda_exactly_while_something_is_left_to_do(choices: list[Choice]) -> None:
    marketplace = Marketplace()
    model = ReadModel(AGENDA, ":memory:")
    model.feed(marketplace.play(choices))
    due = {row.order for row in AgendaTable(model).due(FAR, 1000)}
    model.close()
    for key in marketplace.orders:
        if isinstance(marketplace.state(parking.parking, key), parking.Moving):
            assert (key in due) == is_left(marketplace, key), marketplace.purchase(key)
        elif key in due:
            assert is_left(marketplace, key), marketplace.purchase(key)


def is_left(marketplace: Marketplace, key: str) -> bool:
    """Somebody has to look now or later. A disputed payment of an open order waits for its operator."""
    purchase = marketplace.purchase(key)
    stuck = isinstance(purchase.order, order.Paying) and isinstance(purchase.payment, payment.Disputed)
    return stuck or marketplace.left_to_do(key, FAR)
