"""Why an order is as it is, and what happens next and when: said in plain words that name the events.

What is next is asked of ``next_step`` itself, so the explanation cannot promise what the pump would not do.
"""

from datetime import datetime, timedelta
from typing import assert_never

from msgspec import Struct

from domain import order, parking, payment, ticket
from domain.decider import AnyRecorded
from processmanager.archive import PastPurchase
from processmanager.purchase import Ask, Step, Tell, Verb, Wait, ends, next_step
from processmanager.timeline import moment


class Explanation(Struct, frozen=True):
    """state: one sentence. because: the facts that made it so, oldest first, each with its event's name.

    next: one sentence. at: when that happens; None for at once, or for never. over: nothing is to come.
    """

    state: str
    because: tuple[str, ...]
    next: str
    at: datetime | None
    over: bool


def explain(
    purchase: PastPurchase, now: datetime, *, late: timedelta | None = None, discreet: bool = False
) -> Explanation:
    """``purchase`` as it was at ``now``, which must have been placed.

    late: as for ``next_step``. discreet: without what passed between the buyer and his bank.
    """
    because = tuple(f"{moment(fact.metadata.at)}: {_named(fact)}" for fact in _reasons(purchase))
    parked = _is_parked(purchase)
    step = next_step(purchase, now, late)
    following, at = _next(step, purchase, discreet=discreet)
    if parked and not isinstance(step, Wait):
        following, at = "An operator decides how it goes on (PurchaseParked); the hold ends on time.", None
        if (end := ends(purchase)) is not None:
            at = end
    over = isinstance(step, Wait) and step.until is None and not _is_frozen(purchase)
    return Explanation(_state(purchase, discreet=discreet), because, following, at, over)


def _state(purchase: PastPurchase, *, discreet: bool) -> str:
    match purchase.order:
        case order.Unplaced():
            raise ValueError("there is nothing to explain of an order that was never placed")
        case order.AwaitingPayment(terms, failures):
            again = f" {len(failures)} earlier attempts to pay failed." if failures and not discreet else ""
            return f"The ticket is held until {moment(terms.expires_at)}, and waits to be paid for.{again}"
        case order.Paying():
            return f"A payment is under way. {_of_money(purchase.payment, discreet=discreet)}"
        case order.Revived(deadline=deadline):
            again = f"the ticket was still free and is held again until {moment(deadline)}"
            return f"It was paid late: {again}. {_of_money(purchase.payment, discreet=discreet)}"
        case order.Completed():
            frozen = " The ticket is frozen meanwhile." if _is_frozen(purchase) else ""
            return f"The order is complete. {_of_money(purchase.payment, discreet=discreet)}{frozen}"
        case order.Cancelled(reason=reason):
            return f"The order is over without a sale: {reason}. {_of_money(purchase.payment, discreet=True)}"
        case _:
            assert_never(purchase.order)


def _of_money(state: payment.State, *, discreet: bool) -> str:
    match state:
        case payment.Unrequested():
            return "No money was asked for."
        case payment.Requested():
            return "The payment provider has not answered yet."
        case payment.Pending():
            return "The payment provider cannot say yet how it ends."
        case payment.ActionRequired():
            return "The bank waits for the buyer's confirmation."
        case payment.Authorized():
            return "The bank has set the money aside; it is not taken yet."
        case payment.Captured():
            return "The money was taken."
        case payment.Disputed():
            return "The buyer's bank has taken the payment into question."
        case payment.ChargedBack():
            return "The buyer's bank has given the money back to him."
        case payment.Refunding():
            return "The money is going back."
        case payment.Refunded():
            return "The money went back."
        case payment.Declined(message=message):
            return "The card was declined." if discreet else f"The card was declined: {message}."
        case payment.Voided():
            return "No money was taken."
        case _:
            assert_never(state)


# ── Why ───────────────────────────────────────────────────────────────────────────────────────────

_WORDS: dict[type, str] = {
    ticket.TicketReserved: "the ticket was taken for this order",
    ticket.TicketReleased: "the ticket went back on sale",
    ticket.TicketSold: "the ticket was sold to this order",
    ticket.TicketReturned: "the sale was undone",
    order.OrderPlaced: "the order was placed",
    order.PaymentStarted: "the buyer began to pay",
    order.PaymentFailed: "the attempt to pay failed",
    order.OrderCompleted: "money and ticket had both changed hands",
    order.OrderCancelled: "the order ended",
    order.LatePaymentRefused: "the money came late and is not kept",
    order.OrderRevived: "the money came late, and the ticket was still free",
    payment.PaymentRequested: "the payment provider was to be asked",
    payment.PaymentPending: "the payment provider took it up",
    payment.PaymentActionRequired: "the bank asked for the buyer's confirmation",
    payment.PaymentAuthorized: "the bank set the money aside",
    payment.PaymentDeclined: "the card was declined",
    payment.PaymentCaptured: "the money was taken",
    payment.PaymentVoided: "the attempt ended without money",
    payment.RefundRequested: "the money was to go back",
    payment.RefundPending: "the payment provider began to give the money back",
    payment.PaymentRefunded: "money went back",
    payment.RefundFailed: "the money could not be given back",
    payment.PaymentDisputed: "the buyer's bank took the payment into question",
    payment.DisputeWon: "the bank left the money here",
    payment.DisputeLost: "the bank gave the money to the buyer",
    parking.PurchaseParked: "it was set aside for an operator",
    parking.PurchaseRetried: "an operator had it tried again",
    parking.PurchaseSkipped: "an operator left it as it was",
}


def _named(fact: AnyRecorded) -> str:
    name = type(fact.event).__name__
    return f"{_WORDS.get(type(fact.event), 'something happened')} ({name})"


def _reasons(purchase: PastPurchase) -> list[AnyRecorded]:
    """What led here: how it was placed, and everything since the last attempt to pay began, if one did."""
    facts = purchase.facts
    began = [at for at, fact in enumerate(facts) if isinstance(fact.event, order.PaymentStarted)]
    since = began[-1] if began else 0
    placed = (ticket.TicketReserved, order.OrderPlaced)
    return [fact for at, fact in enumerate(facts) if at >= since or isinstance(fact.event, placed)]


def _is_frozen(purchase: PastPurchase) -> bool:
    """Whether its ticket is sold to it and stays so until the bank has decided about the money."""
    return isinstance(purchase.order, order.Completed) and isinstance(purchase.payment, payment.Disputed)


def _is_parked(purchase: PastPurchase) -> bool:
    said = [fact.event for fact in purchase.facts if fact.category == parking.parking.category]
    return bool(said) and not isinstance(said[-1], parking.PurchaseRetried)


# ── What is next ──────────────────────────────────────────────────────────────────────────────────

_ASKED: dict[Verb, str] = {
    "authorize": "The payment provider is asked to set it aside (PaymentAuthorized or PaymentDeclined).",
    "look": "The payment provider is asked how it stands; its answer is recorded when it has one.",
    "capture": "The payment provider is asked to take the money (PaymentCaptured).",
    "void": "The payment provider is asked to let the money go (PaymentVoided).",
    "refund": "The payment provider is asked to give the money back (PaymentRefunded).",
}

_TOLD: dict[type, str] = {
    order.PlaceOrder: "The order is placed (OrderPlaced).",
    order.ExpireOrder: "The hold has ended: the order is cancelled (OrderCancelled).",
    order.FailPayment: "The attempt is recorded as failed (PaymentFailed); another card may be tried.",
    order.CompleteOrder: "The order is completed (OrderCompleted).",
    order.RefuseLatePayment: "The money came late and goes back (LatePaymentRefused).",
    order.ReviveOrder: "The order goes on, for the ticket is held for it again (OrderRevived).",
    ticket.RetakeTicket: "The money came late and the ticket is free: it is held again (TicketReserved).",
    ticket.SellTicket: "The ticket is sold to this order (TicketSold).",
    ticket.ReleaseTicket: "The ticket goes back on sale (TicketReleased).",
    ticket.ReturnTicket: "The sale is undone, and the ticket goes back on sale (TicketReturned).",
    payment.RequestPayment: "The payment is asked for (PaymentRequested).",
    payment.RequestRefund: "The money is to go back (RefundRequested).",
}


def _next(step: Step, purchase: PastPurchase, *, discreet: bool) -> tuple[str, datetime | None]:
    match step:
        case Tell(command=command):
            return _TOLD[type(command)], None
        case Ask(verb=verb):
            if verb == "look" and isinstance(purchase.payment, payment.ActionRequired) and not discreet:
                return "The buyer has to confirm at his bank; until then nothing is taken.", ends(purchase)
            return _ASKED[verb], None
        case Wait(until=None) if _is_frozen(purchase):
            return (
                "The bank decides: the money stays here (DisputeWon) or goes to the buyer (DisputeLost).",
                None,
            )
        case Wait(until=until) if until is None:
            return "Nothing: all that was to be done is done.", None
        case Wait(until=until):
            assert until is not None
            end = "the order is cancelled (OrderCancelled) and the ticket goes back on sale (TicketReleased)"
            return f"If it is not paid for before {moment(until)}, {end}.", until
        case _:
            assert_never(step)
