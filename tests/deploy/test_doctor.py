"""The doctor finds what is wrong, and nothing in what is right: each kind of damage is done to a sale."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from deploy.books import Books
from deploy.doctor import CHECKS, Case, Finding
from domain.decider import Unreadable
from domain.money import Money
from domain.order import OrderCancelled, OrderCompleted, OrderPlaced, PaymentStarted
from domain.parking import PurchaseParked, PurchaseRetried, PurchaseSkipped
from domain.payment import (
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDisputed,
    PaymentRefunded,
    PaymentRequested,
    RefundRequested,
)
from domain.ticket import TicketListed, TicketReleased, TicketReserved, TicketReturned, TicketSold
from gateways.card_ledger import Entry
from tests.deploy.logbook import EXPIRES, NOW, PRICE, Logbook, bought, expired, listed, reserved

CAPTURE = Entry(1, "capture", "p", "o", PRICE)
REFUND = Entry(2, "refund", "p", "o", PRICE)
PARKED = PurchaseParked("capture", "PaymentsUnavailable", 6)


def examine(log: Logbook, entries: Sequence[Entry] = ()) -> dict[str, list[Finding]]:
    """What each check finds, by its name, where it finds something."""
    books = Books()
    books.take(log.facts)
    case = Case(books, tuple(entries), NOW)
    return {check.__name__: found for check in CHECKS if (found := list(check(case)))}


# ── Nothing is wrong ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("log", "entries"),
    [
        (Logbook(), []),
        (listed(), []),
        (bought(), [CAPTURE]),
        (expired(), []),
        (bought().write("payment-p", PaymentDisputed("dp", "fraudulent")), [CAPTURE]),
        (
            bought()
            .write("payment-p", RefundRequested("goodwill"), PaymentRefunded("re"))
            .write("ticket-t", TicketReturned("o")),
            [CAPTURE, REFUND],
        ),
    ],
    ids=["nothing", "listed", "bought", "expired", "disputed", "refunded"],
)
def test_nothing_is_found_in_what_is_right(log: Logbook, entries: list[Entry]) -> None:
    assert examine(log, entries) == {}


def test_a_purchase_under_way_is_not_judged() -> None:
    just_now = NOW - timedelta(seconds=5)
    log = listed().write(
        "ticket-t", TicketReserved("o", "buyer", PRICE, NOW + timedelta(minutes=15)), at=just_now
    )
    assert examine(log) == {}


def test_a_hold_is_left_alone_until_a_minute_after_its_end() -> None:
    end = NOW - timedelta(seconds=50)
    log = (
        listed()
        .write("ticket-t", TicketReserved("o", "buyer", PRICE, end))
        .write("order-o", OrderPlaced("buyer", "t", "seller", "Front row", PRICE, end))
    )
    assert examine(log) == {}


# ── Something is wrong ────────────────────────────────────────────────────────────────────────────


def test_a_hold_that_nobody_ended() -> None:
    found = examine(reserved())
    assert set(found) == {"deadlines"}
    assert found["deadlines"] == [
        Finding("order o is still open 0:45:00 after its deadline", "admitone serve")
    ]


def test_an_attempt_to_pay_that_hangs_beyond_its_grace() -> None:
    log = reserved().write("order-o", PaymentStarted("p", "tok_visa", EXPIRES + timedelta(minutes=10)))
    assert [finding.what for finding in examine(log)["deadlines"]] == [
        "order o is still open 0:35:00 after its deadline"
    ]


def test_a_ticket_taken_for_an_order_that_was_never_placed() -> None:
    found = examine(reserved().without(OrderPlaced))
    assert "never placed" in found["holds"][0].what
    assert found["holds"][0].repair == "admitone serve"


def test_a_ticket_that_an_expired_order_still_holds() -> None:
    found = examine(expired().without(TicketReleased))
    assert "is still held for order o, which is over" in found["holds"][0].what


def test_a_ticket_sold_to_an_order_that_was_cancelled() -> None:
    found = examine(bought().without(OrderCompleted).write("order-o", OrderCancelled("expired")), [CAPTURE])
    assert "has not paid" in found["holds"][0].what


def test_a_completed_order_whose_ticket_is_somebody_elses() -> None:
    log = (
        bought()
        .write(
            "ticket-t", TicketReturned("o"), TicketReserved("o2", "other", PRICE, NOW + timedelta(minutes=9))
        )
        .write(
            "order-o2", OrderPlaced("other", "t", "seller", "Front row", PRICE, NOW + timedelta(minutes=9))
        )
    )
    found = examine(log, [CAPTURE])
    assert found["tickets_of_orders"][0].what == "order o is completed, but ticket t is not its own"
    assert "49.50 USD were kept, and the ticket says 0.00 USD" in found["money"][0].what


def test_a_ticket_sold_and_never_charged() -> None:
    log = bought().without(PaymentCaptured)
    assert "0.00 USD were kept, and the ticket says 49.50 USD" in examine(log)["money"][0].what


def test_money_kept_for_an_order_that_expired() -> None:
    log = (
        expired()
        .write("payment-p", PaymentRequested("o", PRICE, "tok_visa"), PaymentAuthorized("ref"))
        .write("payment-p", PaymentCaptured("ref"))
    )
    assert "49.50 USD were kept, and the ticket says 0.00 USD" in examine(log, [CAPTURE])["money"][0].what


def test_two_captures_for_one_ticket() -> None:
    log = bought().write(
        "payment-p2", PaymentRequested("o", PRICE, "tok_visa"), PaymentAuthorized("r2"), PaymentCaptured("r2")
    )
    entries = [CAPTURE, Entry(2, "capture", "p2", "o", PRICE)]
    assert "99.00 USD were kept, and the ticket says 49.50 USD" in examine(log, entries)["money"][0].what


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([], "the provider keeps 0.00 USD, and the log says 49.50 USD"),
        ([CAPTURE, REFUND], "the provider keeps 0.00 USD, and the log says 49.50 USD"),
        ([CAPTURE, Entry(2, "capture", "p", "o", PRICE)], "the provider keeps 99.00 USD"),
        ([Entry(1, "capture", "p", "o", Money(4949, "usd"))], "the provider keeps 49.49 USD"),
        ([CAPTURE, Entry(2, "capture", "stranger", "o", PRICE)], "payment stranger of order o"),
    ],
)
def test_a_provider_whose_ledger_says_something_else(entries: list[Entry], says: str) -> None:
    found = examine(bought(), entries)
    assert set(found) == {"ledger"}
    assert says in found["ledger"][0].what
    assert found["ledger"][0].repair.startswith("admitone events payment-")


def test_a_parked_purchase_is_said_once_and_with_its_command() -> None:
    log = reserved().write("parking-o", PARKED)
    assert examine(log) == {
        "parked": [
            Finding(
                "order o is parked: capture failed 6 times (PaymentsUnavailable)", "admitone parked retry o"
            )
        ]
    }


def test_what_an_operator_skipped_is_settled_and_what_he_took_up_again_is_judged() -> None:
    skipped = reserved().write("parking-o", PARKED, PurchaseSkipped("operator", "agreed with the buyer"))
    assert examine(skipped) == {}
    assert set(examine(skipped.write("parking-o", PurchaseRetried("operator")))) == {"deadlines"}


@pytest.mark.parametrize(
    "broken",
    [
        bought().with_event(0, Unreadable("TicketListed", b"?", "it was altered")),
        bought().with_event(0, TicketSold("o")),
    ],
    ids=["unreadable", "out of place"],
)
def test_a_stream_that_cannot_be_folded(broken: Logbook) -> None:
    found = examine(broken, [CAPTURE])
    assert found["streams"][0].what.startswith("ticket-t cannot be read: revision 0")
    assert found["streams"][0].repair == "admitone events ticket-t"


def test_a_gap_in_a_stream() -> None:
    log = bought()
    del log.facts[1]
    assert "revision 2 does not follow" in examine(log, [CAPTURE])["streams"][0].what


def test_a_stream_of_a_category_from_the_future() -> None:
    log = listed().write("voucher-v", TicketListed("seller", "Front row", PRICE))
    assert "category that this version does not know" in examine(log)["streams"][0].what
