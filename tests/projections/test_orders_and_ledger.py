"""My orders, with the ticket as it was ordered; and what was taken and given back for them."""

from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given, settings

from domain import order
from domain.money import Money
from domain.order import (
    OrderCancelled,
    OrderCompleted,
    OrderPlaced,
    OrderRevived,
    PaymentFailed,
    PaymentStarted,
)
from domain.payment import PaymentCaptured, PaymentRefunded, PaymentRequested, RefundRequested
from projections.ledger import LEDGER, Entry, Ledger, Total
from projections.orders import ORDERS, OrderItem, Orders
from projections.paging import BadCursor
from projections.projection import micros, moment
from projections.read_model import ReadModel
from tests.projections.histories import Choice, Marketplace, histories
from tests.projections.memory_log import NOON, MemoryLog

PRICE = Money(1999, "usd")
ENDS = NOON + timedelta(minutes=15, microseconds=1)
PLACED = OrderPlaced("bob", "t", "ann", "Jazz", PRICE, ENDS, 3)
STATUS: dict[type, str] = {
    order.AwaitingPayment: "created",
    order.Paying: "awaiting:payment",
    order.Completed: "complete",
    order.Cancelled: "cancelled",
}


LATE = (PaymentStarted("p", "tok", ENDS), OrderCancelled("expired"), OrderRevived("p", ENDS))


def item_of(*events: object) -> OrderItem:
    log, model = MemoryLog(), ReadModel(ORDERS, ":memory:")
    log.append("order-o", PLACED, *events)
    model.feed(log.events)
    [item] = Orders(model).of_buyer("bob").items
    model.close()
    return item


def test_an_order_shows_the_ticket_as_it_was_ordered() -> None:
    assert item_of() == OrderItem(
        "o", "bob", "created", ENDS, "t", "Jazz", PRICE, 3, "ann", None, None, 1, False
    )


@pytest.mark.parametrize(
    ("events", "status", "version", "payment"),
    [
        ((), "created", 0, None),
        ((PaymentStarted("p", "tok", ENDS),), "awaiting:payment", 0, "p"),
        ((PaymentStarted("p", "tok", ENDS), PaymentFailed("p", "no")), "created", 0, None),
        ((PaymentStarted("p", "tok", ENDS), OrderCompleted("p")), "complete", 0, "p"),
        ((OrderCancelled("expired"),), "cancelled", 1, None),
        (LATE, "awaiting:payment", 2, "p"),
        ((*LATE, OrderCompleted("p")), "complete", 2, "p"),
        ((*LATE, PaymentFailed("p", "no"), OrderCancelled("expired")), "cancelled", 3, None),
        ((PaymentStarted("p", "tok", ENDS), OrderCancelled("expired")), "cancelled", 1, "p"),
    ],
)
def test_an_order_shows_how_it_stands(
    events: tuple[object, ...], status: str, version: int, payment: str | None
) -> None:
    item = item_of(*events)
    assert (item.status, item.version, item.payment) == (status, version, payment)
    assert item.reason == ("expired" if status == "cancelled" else None)


def test_a_buyer_sees_his_own_orders_oldest_first_and_page_by_page() -> None:
    log, model = MemoryLog(), ReadModel(ORDERS, ":memory:")
    for number in range(7):
        log.append(f"order-{9 - number}", PLACED)
        log.append(f"order-x{number}", OrderPlaced("eve", "t", "ann", "Jazz", PRICE, ENDS))
    model.feed(log.events)
    orders = Orders(model)
    first = orders.of_buyer("bob", limit=3)
    second = orders.of_buyer("bob", limit=3, after=first.next)
    third = orders.of_buyer("bob", limit=3, after=second.next)
    assert [[item.id for item in page.items] for page in (first, second, third)] == [
        ["9", "8", "7"],
        ["6", "5", "4"],
        ["3"],
    ]
    assert third.next is None
    assert orders.of_buyer("nobody").items == []
    for nonsense in ("", "x", "bm9uZQ"):
        with pytest.raises(BadCursor):
            orders.of_buyer("bob", after=nonsense)
    model.close()


@given(choices=histories)
@settings(max_examples=100, deadline=None)
def test_every_order_stands_as_its_stream_says(choices: list[Choice]) -> None:
    marketplace = Marketplace()
    model = ReadModel(ORDERS, ":memory:")
    model.feed(marketplace.play(choices))
    shown = {item.id: item for buyer in ("b0", "b1", "b2") for item in Orders(model).of_buyer(buyer).items}
    states = {key: marketplace.state(order.order, key) for key in marketplace.orders}
    placed = {key: state for key, state in states.items() if not isinstance(state, order.Unplaced)}
    assert {key: item.status for key, item in shown.items()} == {
        key: STATUS[type(state)] for key, state in placed.items()
    }
    for key, item in shown.items():
        terms = placed[key].terms
        assert (item.expires_at, item.price, item.seller) == (terms.expires_at, terms.price, terms.seller)
        assert item.payment == getattr(placed[key], "payment", None)
    model.close()


def test_the_ledger_tells_what_was_taken_and_given_back() -> None:
    log, model = MemoryLog(), ReadModel(LEDGER, ":memory:")
    for key, amount in (("1", PRICE), ("2", Money(500, "jpy"))):
        log.append(f"order-o{key}", OrderPlaced("bob", "t", "ann", "Jazz", amount, ENDS))
        log.append(f"payment-p{key}", PaymentRequested(f"o{key}", amount, "tok"), PaymentCaptured("ref"))
    log.append("payment-p1", RefundRequested("sorry"), PaymentRefunded("ref"))
    model.feed(log.events)
    ledger, start = Ledger(model), NOON
    captured = Entry("capture", PRICE, "p1", "o1", "ann", start + timedelta(seconds=3), 3)
    refunded = Entry("refund", PRICE, "p1", "o1", "ann", start + timedelta(seconds=8), 8)
    assert ledger.of_order("o1") == [captured, refunded]
    assert [entry.position for entry in ledger.of_seller("ann")] == [3, 6, 8]
    assert ledger.of_seller("bob") == ledger.of_order("o3") == []
    assert ledger.totals() == [
        Total(Money(500, "jpy"), Money(0, "jpy")),
        Total(PRICE, PRICE),
    ]
    assert [total.kept.amount for total in ledger.totals()] == [500, 0]
    model.close()


@given(choices=histories)
@settings(max_examples=100, deadline=None)
def test_the_ledger_adds_up_to_the_payments_in_the_log(choices: list[Choice]) -> None:
    log, model = Marketplace(), ReadModel(LEDGER, ":memory:")
    events = log.play(choices)
    model.feed(events)
    amounts = {each.key: each.event.amount for each in events if isinstance(each.event, PaymentRequested)}
    expected = Counter[tuple[type, str]]()
    for each in events:
        if isinstance(each.event, PaymentCaptured | PaymentRefunded):
            expected[type(each.event), amounts[each.key].currency] += amounts[each.key].amount
    found = Counter[tuple[type, str]]()
    for total in Ledger(model).totals():
        found[PaymentCaptured, total.captured.currency] += total.captured.amount
        found[PaymentRefunded, total.refunded.currency] += total.refunded.amount
    assert found == expected
    by_seller = [entry for seller in ("s0", "s1") for entry in Ledger(model).of_seller(seller)]
    by_order = [entry for key in log.orders for entry in Ledger(model).of_order(key)]
    assert sorted(by_seller, key=lambda e: e.position) == sorted(by_order, key=lambda e: e.position)
    model.close()


def test_times_in_tables_are_exact_to_the_microsecond() -> None:
    for year in (1969, 2001, 2026, 9999):
        for microsecond in (0, 1, 499_999, 500_001, 999_999):
            at = NOON.replace(year=year, microsecond=microsecond)
            assert moment(micros(at)) == at
