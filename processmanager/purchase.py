"""A purchase, and what happens next in it: a function of state, never of the event that came in.

A purchase is one order with its ticket and its latest payment. ``next_step`` looks at the three and
says the one thing to do. A signal, a timer, a restart and an operator's button all ask it the same
question, so a crash between doing and recording costs a repetition and never a loss.
"""

from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias, assert_never

from msgspec import Struct

from domain import order, payment, ticket
from domain.decider import Decider
from processmanager.ports import Attempt, step_key

# ── What is known ─────────────────────────────────────────────────────────────────────────────────


class Purchase(Struct, frozen=True):
    """``payment_id``: the attempt that counts, if there is one. ``position``: the latest position seen."""

    order_id: str
    ticket_id: str | None
    payment_id: str | None
    order: order.State
    ticket: ticket.State
    payment: payment.State
    position: int = 0


# ── What can be next ──────────────────────────────────────────────────────────────────────────────


class Tell(Struct, frozen=True):
    """Give an aggregate a command."""

    decider: Decider[Any, Any, Any]
    key: str
    command: Any

    @property
    def name(self) -> str:
        return type(self.command).__name__


Verb: TypeAlias = Literal["authorize", "look", "capture", "void", "refund"]


class Ask(Struct, frozen=True):
    """Ask the payment provider, and record what it says.

    reason: why, if money is given back. number: how many refunds came before this one.
    sparing: an attempt is ended only if no money has come by it.
    """

    verb: Verb
    attempt: Attempt
    reason: str = ""
    number: int = 0
    sparing: bool = False

    @property
    def name(self) -> str:
        return self.verb

    @property
    def key(self) -> str:
        return step_key(self.attempt.id, self.verb, self.number)


class Wait(Struct, frozen=True):
    """Nothing to do: until a time, or for good."""

    until: datetime | None = None


Step: TypeAlias = Tell | Ask | Wait

# ── What is next ──────────────────────────────────────────────────────────────────────────────────

NOT_SOLD = "the ticket can no longer be sold to this order"
OVER = "the order is over"
TOO_LATE = "the ticket could not be held again in time"
LATE_SALES_ARE_OFF = "late money does not buy tickets here"
CHARGED_BACK = "the buyer's bank took the money back"


def next_step(purchase: Purchase, now: datetime, late: timedelta | None = None) -> Step:
    """The one thing that this purchase needs now.

    late: how long a ticket that is still free is held again for money that came after its hold had ended.
    None: it is not, and the money goes back.
    """
    match purchase.order:
        case order.Unplaced():
            return _place_what_was_reserved(purchase)
        case order.AwaitingPayment(terms):
            if now >= terms.expires_at:
                return _tell_order(purchase, order.ExpireOrder(now))
            return Wait(terms.expires_at)
        case order.Paying() | order.Revived():
            return _settle(purchase, purchase.order, now)
        case order.Completed():
            return _after_completion(purchase)
        case order.Cancelled():
            return _compensate(purchase, purchase.order, now, late)
        case _:
            assert_never(purchase.order)


def _place_what_was_reserved(purchase: Purchase) -> Step:
    """The process died between taking the ticket and placing the order: the hold says what to place."""
    held, ticket_id = purchase.ticket, purchase.ticket_id
    if ticket_id is None or not isinstance(held, ticket.Reserved) or held.order != purchase.order_id:
        return Wait()
    return _tell_order(purchase, order.PlaceOrder(terms_of(ticket_id, held)))


def _settle(purchase: Purchase, paying: order.Paying | order.Revived, now: datetime) -> Step:
    """An attempt to pay is in flight. Its outcome comes first, then the deadline, then the next push."""
    attempt = purchase.payment
    match attempt:
        case payment.Declined(code=code):
            return _tell_order(purchase, order.FailPayment(paying.payment, code))
        case payment.Voided(reason=reason) | payment.Refunded(reason=reason):
            return _tell_order(purchase, order.FailPayment(paying.payment, reason))
        case payment.ChargedBack():
            return _tell_order(purchase, order.FailPayment(paying.payment, CHARGED_BACK))
        case payment.Refunding():
            return _refund(purchase, attempt)
        case payment.Captured() | payment.Disputed() if _sold_to(purchase):
            assert isinstance(purchase.ticket, ticket.Sold)
            return _tell_order(purchase, order.CompleteOrder(paying.payment, purchase.ticket.expires_at))
        case payment.Captured():
            if _held_by(purchase):
                return _sell(purchase, paying)
            return _tell_payment(purchase, payment.RequestRefund(NOT_SOLD))
    if now >= paying.deadline:
        return _tell_order(purchase, order.ExpireOrder(now))
    match attempt:
        case payment.Unrequested() if isinstance(paying, order.Paying):
            request = payment.RequestPayment(
                purchase.order_id, paying.terms.price, paying.method, paying.request, paying.started_at
            )
            return _tell_payment(purchase, request)
        case payment.Requested():
            return _ask(purchase, "authorize")
        case payment.ActionRequired() | payment.Pending():
            return _ask(purchase, "look")
        case payment.Disputed() | payment.Unrequested():
            # Nothing is handed over for money in question; won later, it goes back to the buyer.
            return Wait(paying.deadline)
        case payment.Authorized():
            return _sell_then_capture(purchase, paying)
        case _:
            assert_never(attempt)


def _sell_then_capture(purchase: Purchase, paying: order.Paying | order.Revived) -> Step:
    """The one place that decides "captured if and only if sold"."""
    if _sold_to(purchase):
        return _ask(purchase, "capture")
    if _held_by(purchase):
        return _sell(purchase, paying)
    return _ask(purchase, "void", NOT_SOLD)


def _sell(purchase: Purchase, paying: order.Paying | order.Revived) -> Tell:
    hold = paying.deadline if isinstance(paying, order.Revived) else paying.terms.expires_at
    return _tell_ticket(purchase, ticket.SellTicket(purchase.order_id, hold))


def _after_completion(purchase: Purchase) -> Step:
    match purchase.payment:
        case payment.Refunding():
            return _refund(purchase, purchase.payment)
        case payment.Refunded() | payment.ChargedBack() if _sold_to(purchase):
            return _tell_ticket(purchase, ticket.ReturnTicket(purchase.order_id))
        case _ if _held_by(purchase):
            # A late repeat of its reservation took the ticket again, after the sale had been undone.
            return _tell_ticket(purchase, ticket.ReleaseTicket(purchase.order_id, OVER))
        case _:
            return Wait()


def _compensate(
    purchase: Purchase, cancelled: order.Cancelled, now: datetime, late: timedelta | None
) -> Step:
    """The order is over: undo what may have been touched. The ticket first, which needs nobody outside."""
    seat, paid = purchase.ticket, purchase.payment
    if isinstance(seat, ticket.Reserved | ticket.Sold) and seat.order == purchase.order_id:
        return _take_back(purchase, cancelled, seat, now, late)
    reason = f"order {cancelled.reason}"
    match paid:
        case payment.Requested() | payment.Pending() | payment.ActionRequired():
            # Money that came meanwhile is not let go before it is settled whether it buys the ticket.
            return _ask(purchase, "void", reason, sparing=cancelled.revivable)
        case payment.Authorized() | payment.Captured() if cancelled.revivable:
            return _settle_late(purchase, cancelled, now, late)
        case payment.Authorized():
            return _ask(purchase, "void", reason)
        case payment.Captured():
            return _tell_payment(purchase, payment.RequestRefund(reason))
        case payment.Refunding():
            return _refund(purchase, paid)
        case _:
            return Wait()


def _settle_late(
    purchase: Purchase, cancelled: order.Cancelled, now: datetime, late: timedelta | None
) -> Step:
    """Money has come after the end: it buys the ticket, or that it does not is settled for good."""
    assert purchase.payment_id is not None
    if (why := _refusal(purchase, cancelled, late)) is not None:
        return _tell_order(purchase, order.RefuseLatePayment(purchase.payment_id, why))
    assert late is not None
    terms = cancelled.terms
    retake = ticket.RetakeTicket(purchase.order_id, terms.buyer, terms.title, terms.price, now + late)
    return _tell_ticket(purchase, retake)


def _refusal(purchase: Purchase, cancelled: order.Cancelled, late: timedelta | None) -> str | None:
    """Why money that came late does not buy the ticket; None if it does."""
    if late is None:
        return LATE_SALES_ARE_OFF
    match purchase.ticket:
        case ticket.Available() as seat:
            return None if _as_ordered(seat, cancelled.terms) else "the ticket has been changed since"
        case ticket.Reserved():
            return "the ticket is held for another order"
        case ticket.Sold():
            return "the ticket was sold to another order"
        case _:
            return "the ticket is no longer for sale"


def _take_back(
    purchase: Purchase,
    cancelled: order.Cancelled,
    seat: ticket.Reserved | ticket.Sold,
    now: datetime,
    late: timedelta | None,
) -> Step:
    """What a cancelled order still has. Another hold than its own was taken for money that came late."""
    order_id, hold = purchase.order_id, seat.expires_at
    retaken = cancelled.revivable and hold != cancelled.hold
    if isinstance(seat, ticket.Sold):
        # Only an order that was revived is sold to again: the picture of this one is old.
        return Wait(now) if retaken else _tell_ticket(purchase, ticket.ReturnTicket(order_id, hold))
    came = isinstance(purchase.payment, payment.Authorized | payment.Captured)
    if retaken and came:
        # Both end on the order's stream: a hold that an order may yet be revived by is not let go.
        assert purchase.payment_id is not None
        if late is not None and now < hold and _as_ordered(seat, cancelled.terms):
            return _tell_order(purchase, order.ReviveOrder(purchase.payment_id, hold))
        return _tell_order(purchase, order.RefuseLatePayment(purchase.payment_id, TOO_LATE))
    return _tell_ticket(purchase, ticket.ReleaseTicket(order_id, cancelled.reason, hold))


def _as_ordered(seat: ticket.Available | ticket.Reserved, terms: order.Terms) -> bool:
    return (seat.listing.title, seat.listing.price) == (terms.title, terms.price)


def _refund(purchase: Purchase, refunding: payment.Refunding) -> Ask:
    assert purchase.payment_id is not None
    return give_back(purchase.payment_id, refunding)


def give_back(payment_id: str, refunding: payment.Refunding) -> Ask:
    """Ask for a refund once; what the provider has taken up is only looked at, until it has an end."""
    if refunding.refund:
        return Ask("look", attempt_of(payment_id, refunding), refunding.reason)
    return Ask("refund", attempt_of(payment_id, refunding), refunding.reason, refunding.past.number)


def needs_proof(step: Step, purchase: Purchase) -> bool:
    """Whether a step must not be taken on a picture that may be old.

    A fact is checked against the revision of its own stream only, and a call to the provider against
    none. So money is given back, and that is decided, on a current picture alone; and a purchase is left
    alone only when it is seen that nothing is left to do, unless it is completed, as most are.
    """
    match step:
        case Ask():
            return step.verb in {"void", "refund"}
        case Wait():
            return not isinstance(purchase.order, order.Completed)
        case Tell(command=ticket.ReleaseTicket(hold=hold)):
            # Of an order that may be revived, another hold than its own may be the one that revives it.
            over = purchase.order
            return isinstance(over, order.Cancelled) and over.revivable and hold != over.hold
        case Tell(command=command):
            return isinstance(command, _PROVEN)


_PROVEN = payment.RequestRefund | ticket.RetakeTicket | order.ReviveOrder | order.RefuseLatePayment


def ends(purchase: Purchase) -> datetime | None:
    """When its hold ends; None if it is over or was never placed."""
    match purchase.order:
        case order.AwaitingPayment(terms):
            return terms.expires_at
        case order.Paying() | order.Revived():
            return purchase.order.deadline
        case _:
            return None


# ── Words for it ──────────────────────────────────────────────────────────────────────────────────


def terms_of(ticket_id: str, held: ticket.Reserved) -> order.Terms:
    """The ticket as it was ordered, at the public version that the buyer saw."""
    listing = held.listing
    return order.Terms(
        buyer=held.buyer,
        ticket=ticket_id,
        seller=listing.seller,
        title=listing.title,
        price=listing.price,
        expires_at=held.expires_at,
        ticket_version=listing.version - 1,
    )


def _held_by(purchase: Purchase) -> bool:
    return isinstance(purchase.ticket, ticket.Reserved) and purchase.ticket.order == purchase.order_id


def _sold_to(purchase: Purchase) -> bool:
    return isinstance(purchase.ticket, ticket.Sold) and purchase.ticket.order == purchase.order_id


def _tell_order(purchase: Purchase, command: order.Command) -> Tell:
    return Tell(order.order, purchase.order_id, command)


def _tell_ticket(purchase: Purchase, command: ticket.Command) -> Tell:
    assert purchase.ticket_id is not None
    return Tell(ticket.ticket, purchase.ticket_id, command)


def _tell_payment(purchase: Purchase, command: payment.Command) -> Tell:
    assert purchase.payment_id is not None
    return Tell(payment.payment, purchase.payment_id, command)


def attempt_of(payment_id: str, state: payment.Active) -> Attempt:
    """An attempt in the words of the port."""
    asked = state.request
    return Attempt(
        payment_id,
        asked.order,
        asked.amount,
        asked.method,
        getattr(state, "reference", None),
        asked.request,
        asked.at,
        state.amount if isinstance(state, payment.Refunding) else None,
    )


def _ask(purchase: Purchase, verb: Verb, reason: str = "", *, sparing: bool = False) -> Ask:
    assert purchase.payment_id is not None
    assert not isinstance(purchase.payment, payment.Unrequested)
    return Ask(verb, attempt_of(purchase.payment_id, purchase.payment), reason, sparing=sparing)
