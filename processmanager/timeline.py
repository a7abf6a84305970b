"""A timeline: what happened to a ticket, an order or a payment, for a person to read.

Pure: facts in, entries out. How people are called is an argument: an operator sees ids, a visitor of the
shop sees roles and no id of anybody else.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from msgspec import Struct

from domain import order, parking, payment, ticket
from domain.decider import AnyRecorded, Unreadable
from domain.money import Money

Name = Callable[[str], str]
"""How an account, or a part of the system, is called in front of whoever reads."""


class Entry(Struct, frozen=True):
    """One fact in plain words.

    event: its name in the log. who: had it decided. why: the reason that the log gives, empty if it gives
    none. price: what it was about; the ticket's price, or the money that moved. holder: who has the ticket
    from then on; None while it is for sale, or where the fact does not say. lasted: until the next fact of
    the same stream; None if nothing has followed yet.
    """

    position: int
    at: datetime
    stream: str
    event: str
    who: str
    what: str
    why: str
    price: Money | None
    holder: str | None
    lasted: timedelta | None


class Said(Struct, frozen=True):
    """What one event says, beside where and when it stands."""

    what: str
    why: str = ""
    price: Money | None = None


def timeline(facts: Iterable[AnyRecorded], name: Name, *, discreet: bool = False) -> list[Entry]:
    """The story of ``facts``, which are whole streams or beginnings of them, in the log's order.

    discreet: without what passed between the buyer and his bank.
    """
    facts = list(facts)
    followed = _followed(facts)
    entries, price, holder, sold = list[Entry](), None, None, False
    for fact in facts:
        said = _said(fact, name, discreet=discreet)
        what = said.what + (_FREEZE.get(type(fact.event), "") if sold else "")
        if fact.category == ticket.ticket.category:
            price, holder = said.price or price, _holder(fact, name, holder)
            sold = isinstance(fact.event, ticket.TicketSold)
        entries.append(
            Entry(
                position=fact.position,
                at=fact.metadata.at,
                stream=fact.stream,
                event=fact.event.type if isinstance(fact.event, Unreadable) else type(fact.event).__name__,
                who=name(fact.metadata.actor),
                what=what,
                why=said.why,
                price=said.price or (price if fact.category == ticket.ticket.category else None),
                holder=holder,
                lasted=followed.get(fact.position),
            )
        )
    return entries


def _followed(facts: Iterable[AnyRecorded]) -> dict[int, timedelta]:
    """How long each fact was the last word in its stream, by its position. Clocks of two machines may
    disagree a little: that is no time, and never less."""
    followed, before = dict[int, timedelta](), dict[str, AnyRecorded]()
    for fact in facts:
        if earlier := before.get(fact.stream):
            gone = fact.metadata.at - earlier.metadata.at
            followed[earlier.position] = max(gone, timedelta(0))
        before[fact.stream] = fact
    return followed


def _holder(fact: AnyRecorded, name: Name, before: str | None) -> str | None:
    match fact.event:
        case ticket.TicketReserved(buyer=buyer):
            return name(buyer)
        case ticket.TicketReleased() | ticket.TicketReturned() | ticket.TicketListed():
            return None
        case _:
            return before


_FREEZE: dict[type, str] = {
    payment.PaymentDisputed: "; the ticket is frozen until it has decided",
    payment.DisputeWon: "; the ticket is frozen no longer",
}
"""What a dispute means for a ticket that is sold. It is said of no other: a hold ends by its own time."""

# ── The words ─────────────────────────────────────────────────────────────────────────────────────


def _said(fact: AnyRecorded, name: Name, *, discreet: bool) -> Said:
    if isinstance(fact.event, Unreadable):
        return Said("Something that this version cannot read", fact.event.reason)
    match fact.category:
        case "ticket":
            return _of_ticket(fact.event, name)
        case "order":
            return _of_order(fact.event, name, discreet=discreet)
        case "payment":
            return _of_payment(fact.event, discreet=discreet)
        case "parking":
            return _of_parking(fact.event, name, discreet=discreet)
        case _:
            return Said(type(fact.event).__name__)


def _of_ticket(event: ticket.Event, name: Name) -> Said:
    match event:
        case ticket.TicketListed(seller, title, price):
            return Said(f"“{title}” is put up for sale by {name(seller)}", price=price)
        case ticket.TicketEdited(title, price):
            return Said(f"The offer is changed to “{title}” for {price}", price=price)
        case ticket.TicketReserved(order_id, buyer, price, expires_at):
            return Said(
                f"{_does(name(buyer), 'reserve')} it until {moment(expires_at)}, by order {order_id}",
                price=price,
            )
        case ticket.TicketReleased(order_id, reason):
            return Said(f"The hold of order {order_id} ends; it is for sale again", reason)
        case ticket.TicketSold(order_id):
            return Said(f"Sold to order {order_id}")
        case ticket.TicketReturned(order_id):
            return Said(f"The sale to order {order_id} is undone; it is for sale again")
        case ticket.TicketDelisted():
            return Said("Taken off the list")


def _of_order(event: order.Event, name: Name, *, discreet: bool) -> Said:
    match event:
        case order.OrderPlaced(buyer=buyer, title=title, price=price, expires_at=expires_at):
            held = f"the ticket is held until {moment(expires_at)}"
            return Said(f"{_does(name(buyer), 'order')} “{title}”; {held}", price=price)
        case order.PaymentStarted(payment=payment_id, grace_until=until):
            fence = f"the hold does not end before {moment(until)} while it is under way"
            return Said("The buyer begins to pay" if discreet else f"Payment {payment_id} begins; {fence}")
        case order.PaymentFailed(payment_id, reason):
            return Said("The payment fails") if discreet else Said(f"Payment {payment_id} fails", reason)
        case order.OrderCompleted(payment_id):
            return Said("The order is paid and complete" + ("" if discreet else f", by payment {payment_id}"))
        case order.OrderCancelled(reason):
            return Said("The order ends without a sale", reason)
        case order.OrderRevived(expires_at=expires_at):
            again = f"the ticket was still free and is held again until {moment(expires_at)}"
            return Said(f"The money came after the end of the hold; {again}")
        case order.LatePaymentRefused(reason=reason):
            return Said("The money came after the end of the hold, and goes back", reason)


def _of_payment(event: payment.Event, *, discreet: bool) -> Said:
    match event:
        case payment.PaymentRequested(amount=amount):
            return Said(f"A payment of {amount} is asked for", price=amount)
        case payment.PaymentPending():
            return Said("The payment provider cannot say yet how it ends")
        case payment.PaymentActionRequired():
            return Said("The bank waits for the buyer's confirmation")
        case payment.PaymentAuthorized():
            return Said("The bank has set the money aside")
        case payment.PaymentDeclined(code, message):
            return Said("The card is declined") if discreet else Said("The card is declined", message or code)
        case payment.PaymentCaptured():
            return Said("The money is taken")
        case payment.PaymentVoided(reason):
            return Said("The attempt ends; no money can be taken by it", reason)
        case _:
            return _of_money_back(event, discreet=discreet)


def _of_money_back(event: payment.Event, *, discreet: bool) -> Said:
    match event:
        case payment.RefundRequested(reason, amount):
            return Said(f"{amount or 'The money'} shall go back", reason, price=amount)
        case payment.RefundPending():
            return Said("The payment provider is giving the money back")
        case payment.PaymentRefunded(amount=amount):
            return Said(f"{amount or 'The money'} went back", price=amount)
        case payment.RefundFailed(reason=reason):
            return Said("The money could not be given back", "" if discreet else reason)
        case payment.PaymentDisputed(reason=reason):
            return Said("The buyer's bank takes the payment into question", "" if discreet else reason)
        case payment.DisputeWon():
            return Said("The bank leaves the money here")
        case payment.DisputeLost(amount=amount):
            return Said(f"The bank gives {amount} back to the buyer", price=amount)
        case _:
            return Said(type(event).__name__)


def _of_parking(event: parking.Event, name: Name, *, discreet: bool) -> Said:
    match event:
        case parking.PurchaseParked(step, error, tries):
            what = f"Set aside after {tries} tries of {step}"
            return Said("Set aside for an operator") if discreet else Said(what, error)
        case parking.PurchaseRetried(by):
            return Said(f"{_capital(name(by))} has it tried again")
        case parking.PurchaseSkipped(by, reason):
            return Said(f"{_capital(name(by))} leaves it as it is", "" if discreet else reason)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _does(who: str, verb: str) -> str:
    """Who does what, at the beginning of a sentence: ``You reserve``, ``Buyer 1 reserves``."""
    return f"{_capital(who)} {verb}" if who == "you" else f"{_capital(who)} {verb}s"


def moment(at: datetime) -> str:
    """A time for a person, in UTC and to the second."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def span(lasted: timedelta) -> str:
    """How long something took, for a person: its two largest units, as in ``2 h 5 min``."""
    whole = int(lasted.total_seconds())
    if whole < 1:
        return "under 1 s"
    units = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
    parts = list[str]()
    for size, unit in units:
        number, whole = divmod(whole, size)
        if number or parts:
            parts.append(f"{number} {unit}")
    return " ".join(part for part in parts[:2] if not part.startswith("0 "))
