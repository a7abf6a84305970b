"""What happened in a history, in plain words: so that one sees that every path was walked, and how often.

``EXPECTED`` names them all. A simulation that never met a late success proves nothing about refunds.
"""

from collections.abc import Iterator

from domain import order, parking, payment, ticket
from tests.simulation.history import History
from tests.simulation.weather import KINDS
from tests.simulation.words import Words

EXPECTED = (
    "sold",
    "sold with a second card",
    "sold after the hold's own end",
    "expired unpaid",
    "expired while paying",
    "cancelled by the buyer",
    "declined",
    "confirmed at the bank",
    "voided",
    "captured after the order was over",
    "refunded",
    "sold though its money came late",
    "late money refused",
    "a refund that failed",
    "returned after it was sold",
    "refunded after it was sold",
    "sold again after it was released",
    "an order placed by the watchdog",
    "parked",
    "skipped by an operator",
    "taken up again by an operator",
    "edited",
    "delisted",
    "refused: ticket_reserved",
    "refused: own_ticket",
    "refused: ticket_locked",
    "refused: ticket_delisted",
    "refused: not_owner",
    "refused: order_unknown",
    "refused: order_paid",
    "refused: order_cancelled",
    "refused: order_expired",
    "refused: payment_in_flight",
    "an append in conflict",
    "an append repeated under its ids",
    "a call to the provider repeated under its key",
    "a process that stopped for a while",
    "a message from the dead",
    *KINDS,
)


def walked(history: History, words: Words) -> set[str]:
    """The paths that this history walked, out of ``EXPECTED``, and what went wrong in it."""
    paths = {f"refused: {errand.refusal}" for errand in history.errands if errand.refusal}
    paths |= set(_in_the_log(history))
    paths |= set(_in_the_end(history, words))
    for name, count in (
        ("an append in conflict", history.log.conflicts),
        ("an append repeated under its ids", history.log.repeats),
        ("a call to the provider repeated under its key", history.provider.repeats),
        ("a process that stopped for a while", history.scheduler.suspensions),
        ("a message from the dead", history.scheduler.ashore),
    ):
        if count:
            paths.add(name)
    return paths.intersection(EXPECTED) | history.weather.struck.keys()


def _in_the_log(history: History) -> Iterator[str]:
    for fact in history.log.facts:
        match fact.event:
            case order.OrderPlaced() if fact.metadata.actor == "watchdog":
                yield "an order placed by the watchdog"
            case order.OrderCancelled(order.CANCELLED_BY_BUYER):
                yield "cancelled by the buyer"
            case payment.PaymentActionRequired():
                yield "confirmed at the bank"
            case _:
                if name := _NAMES.get(type(fact.event)):
                    yield name


_NAMES: dict[type, str] = {
    payment.PaymentDeclined: "declined",
    payment.PaymentVoided: "voided",
    payment.PaymentRefunded: "refunded",
    payment.RefundFailed: "a refund that failed",
    order.LatePaymentRefused: "late money refused",
    ticket.TicketReturned: "returned after it was sold",
    ticket.TicketEdited: "edited",
    ticket.TicketDelisted: "delisted",
    parking.PurchaseParked: "parked",
    parking.PurchaseSkipped: "skipped by an operator",
    parking.PurchaseRetried: "taken up again by an operator",
}


def _in_the_end(history: History, words: Words) -> Iterator[str]:
    over: dict[str, int] = {}
    sellings: dict[str, int] = {}
    for fact in history.log.facts:
        match fact.event:
            case order.OrderCancelled(order.EXPIRED):
                yield "expired while paying" if words.orders[fact.key][1] else "expired unpaid"
                over[fact.key] = fact.position
            case order.OrderCompleted():
                yield "sold"
                if fact.key in over:
                    yield "sold though its money came late"
                if words.started[fact.key] > 1:
                    yield "sold with a second card"
                if fact.metadata.at > words.placed[fact.key].expires_at:
                    yield "sold after the hold's own end"
                if words.payments[fact.event.payment] == "refunded":
                    yield "refunded after it was sold"
                if sellings[words.placed[fact.key].ticket] > 1:
                    yield "sold again after it was released"
            case ticket.TicketReserved():
                sellings[fact.key] = sellings.get(fact.key, 0) + 1
    for entry in history.provider.ledger:
        if entry.kind == "capture" and over.get(entry.order, entry.head + 1) <= entry.head:
            yield "captured after the order was over"
