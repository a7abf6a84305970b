"""What each stream may say: the legal words of tickets, orders and payments, spelled out a second time.

Written apart from the domain and in another way, so that a slip there is not repeated here. The events
of the whole log are read in order of position, and each is judged by what came before it anywhere.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct

from domain import order, payment, ticket
from domain.decider import AnyRecorded
from domain.money import Money
from tests.simulation.violation import Violation

ONE_HOLDER = "a ticket has at most one holder or owner"
ONE_END = "an order ends once"
NOT_EARLY = "no hold ends early"
SOLD_FIRST = "an order is completed only when it is sold and paid"
ONE_PAYMENT = "an attempt to pay ends once"
AS_AGREED = "what is ordered and paid is what was held"
GIVEN_BACK = "money goes back only when the order is over"
OWN = "nobody buys his own ticket"
DENSE = "a stream has no gaps"

SUPPORT = "support"
"""Who may give money back for a ticket that was sold."""
NO_GRACE = datetime.min.replace(tzinfo=UTC)


class Hold(Struct, frozen=True):
    buyer: str
    price: Money
    expires_at: datetime


class Words:
    """Reads a log and raises Violation at the first event that must not stand where it stands.

    What it leaves: the standing of every ticket, order and payment, as plain words.
    """

    def __init__(self) -> None:
        self.tickets: dict[str, tuple[str, str | None]] = {}
        """free, held, sold or delisted, and by or to which order."""
        self.orders: dict[str, tuple[str, str | None]] = {}
        """awaiting, paying, completed or cancelled, and the attempt to pay that counts."""
        self.payments: dict[str, str] = {}
        self.placed: dict[str, order.OrderPlaced] = {}
        self.started: Counter[str] = Counter()
        self.sold_at: dict[str, int] = {}
        """When the ticket was sold to an order, as a position."""
        self._prices: dict[str, Money] = {}
        self._sellers: dict[str, str] = {}
        self._holds: dict[str, Hold] = {}
        self._graces: dict[str, datetime] = {}
        self._paid_for: dict[str, str] = {}
        self._attempts: set[str] = set()
        self._late: dict[str, str] = {}
        """What was settled about money that came late: revived or refused."""
        self._revisions: dict[str, int] = {}

    def read(self, facts: Sequence[AnyRecorded]) -> None:
        if len({fact.id for fact in facts}) != len(facts):
            raise Violation(DENSE, "two events have one id")
        for place, fact in enumerate(facts, 1):
            revision = self._revisions.get(fact.stream, -1) + 1
            if (fact.revision, fact.position) != (revision, place):
                raise Violation(DENSE, f"{fact} should be revision {revision} at position {place}")
            self._revisions[fact.stream] = revision
            match fact.category:
                case "ticket":
                    self._ticket(fact)
                case "order":
                    self._order(fact)
                case "payment":
                    self._payment(fact)

    # ── Tickets ───────────────────────────────────────────────────────────────────────────────────

    def _ticket(self, fact: AnyRecorded) -> None:
        was = self.tickets.get(fact.key, ("unlisted", None))
        then: tuple[str, str | None]
        event = fact.event
        match event:
            case ticket.TicketListed(price=price):
                may, then = was[0] == "unlisted", ("free", None)
                self._prices[fact.key] = price
                self._sellers[fact.key] = event.seller
            case ticket.TicketEdited(price=price):
                may, then = was[0] == "free", ("free", None)
                self._prices[fact.key] = price
            case ticket.TicketReserved(order_id, buyer, price, expires_at):
                may, then = was[0] == "free", ("held", order_id)
                self._holds[order_id] = Hold(buyer, price, expires_at)
                if buyer == self._sellers[fact.key]:
                    raise Violation(OWN, f"{fact}")
                if price != self._prices[fact.key]:
                    raise Violation(AS_AGREED, f"{fact} is not at the price of the listing")
            case ticket.TicketReleased(order_id):
                may, then = was == ("held", order_id), ("free", None)
                # Only a hold that was taken for an order which was already over ends without its word.
                if self.orders.get(order_id, ("", None))[0] not in {"cancelled", "completed"}:
                    raise Violation(NOT_EARLY, f"{fact} though its order is not over")
            case ticket.TicketSold(order_id):
                may, then = was == ("held", order_id), ("sold", order_id)
                self.sold_at.setdefault(order_id, fact.position)
            case ticket.TicketReturned(order_id):
                may, then = was == ("sold", order_id), ("free", None)
            case _:
                may, then = was[0] == "free", ("delisted", None)
        if not may:
            raise Violation(ONE_HOLDER, f"{fact} while the ticket is {was}")
        self.tickets[fact.key] = then

    # ── Orders ────────────────────────────────────────────────────────────────────────────────────

    def _order(self, fact: AnyRecorded) -> None:
        was = self.orders.get(fact.key, ("unplaced", None))
        then: tuple[str, str | None]
        event = fact.event
        match event:
            case order.OrderPlaced():
                may, then = was[0] == "unplaced", ("awaiting", None)
                self._as_held(fact, event)
            case order.PaymentStarted(attempt, grace_until=grace):
                may, then = was[0] == "awaiting" and attempt not in self._attempts, ("paying", attempt)
                self._attempts.add(attempt)
                self.started[fact.key] += 1
                self._graces[fact.key] = grace
            case order.PaymentFailed(attempt):
                may, then = was == ("paying", attempt), ("awaiting", None)
                del self._graces[fact.key]
            case order.OrderCompleted(attempt):
                may, then = was == ("paying", attempt), ("completed", attempt)
                self._sold_and_paid(fact, attempt)
            case order.OrderRevived(attempt, expires_at):
                may, then = was == ("cancelled", attempt) and fact.key not in self._late, ("paying", attempt)
                self._as_ordered_again(fact, attempt)
                self._late[fact.key] = "revived"
                self._graces[fact.key] = expires_at
            case order.LatePaymentRefused(attempt):
                may, then = was == ("cancelled", attempt) and fact.key not in self._late, was
                self._late[fact.key] = "refused"
            case _:
                only_if = {"awaiting", "paying"} if event.reason == order.EXPIRED else {"awaiting"}
                may, then = was[0] in only_if, ("cancelled", was[1])
                self._not_early(fact, event.reason)
        if not may:
            raise Violation(ONE_END, f"{fact} while the order is {was}")
        self.orders[fact.key] = then

    def _as_held(self, fact: AnyRecorded, placed: order.OrderPlaced) -> None:
        self.placed[fact.key] = placed
        held = self._holds.get(fact.key)
        if held != Hold(placed.buyer, placed.price, placed.expires_at):
            raise Violation(AS_AGREED, f"{fact} differs from {held}")

    def _as_ordered_again(self, fact: AnyRecorded, attempt: str) -> None:
        """What is held for it anew is what it had ordered, and its money had come."""
        held, placed = self._holds[fact.key], self.placed[fact.key]
        if (held.buyer, held.price) != (placed.buyer, placed.price):
            raise Violation(AS_AGREED, f"{fact}, but {held} is not what was ordered")
        if self.payments.get(attempt) in {None, "requested", "confirming"}:
            raise Violation(SOLD_FIRST, f"{fact} while the payment is {self.payments.get(attempt)}")

    def _not_early(self, fact: AnyRecorded, reason: str) -> None:
        if self._late.get(fact.key) == "revived" and fact.key not in self._graces:
            return  # its late payment has just failed, long after its own hold had ended
        deadline = max(self.placed[fact.key].expires_at, self._graces.get(fact.key, NO_GRACE))
        if reason == order.EXPIRED and fact.metadata.at < deadline:
            raise Violation(NOT_EARLY, f"{fact} before {deadline}")

    def _sold_and_paid(self, fact: AnyRecorded, attempt: str) -> None:
        sold = self.tickets[self.placed[fact.key].ticket] == ("sold", fact.key)
        if not sold or self.payments.get(attempt) != "captured":
            raise Violation(
                SOLD_FIRST, f"{fact} while the payment is {self.payments.get(attempt)}, sold: {sold}"
            )

    # ── Payments ──────────────────────────────────────────────────────────────────────────────────

    def _payment(self, fact: AnyRecorded) -> None:
        was = self.payments.get(fact.key, "unrequested")
        then, before = _PAYMENT[type(fact.event)]
        if was not in before:
            raise Violation(ONE_PAYMENT, f"{fact} while the payment is {was}")
        self.payments[fact.key] = then
        self._given_back(fact, was)
        if isinstance(event := fact.event, payment.PaymentRequested):
            self._paid_for[fact.key] = event.order
            if event.amount != self.placed[event.order].price:
                raise Violation(AS_AGREED, f"{fact} is not the price of the order")

    def _given_back(self, fact: AnyRecorded, was: str) -> None:
        match fact.event:
            case payment.RefundRequested():
                wanted = fact.metadata.actor == SUPPORT
            case payment.PaymentVoided(reason):
                wanted = reason == "ended at the provider"
                # While his bank waits for him, the buyer may cancel: the attempt ends before the order does.
                # His confirmation may still be written in between, and is undone with the rest.
                wanted |= reason == order.CANCELLED_BY_BUYER and was in {"confirming", "authorized"}
                # Whoever had decided this before the money came may be slow; the provider has the last word.
                wanted |= self._late.get(self._paid_for[fact.key]) == "revived"
            case _:
                return
        standing, _ = self.orders[self._paid_for[fact.key]]
        if not wanted and standing != "cancelled":
            raise Violation(GIVEN_BACK, f"{fact} while the order is {standing}")


_OPEN = ("requested", "confirming", "authorized")
_PAYMENT: dict[type, tuple[str, tuple[str, ...]]] = {
    payment.PaymentRequested: ("requested", ("unrequested",)),
    payment.PaymentActionRequired: ("confirming", ("requested", "confirming")),
    payment.PaymentAuthorized: ("authorized", ("requested", "confirming")),
    payment.PaymentDeclined: ("declined", _OPEN),
    payment.PaymentCaptured: ("captured", _OPEN),
    payment.PaymentVoided: ("voided", _OPEN),
    payment.RefundRequested: ("refunding", ("captured",)),
    payment.RefundFailed: ("refunding", ("refunding",)),
    payment.PaymentRefunded: ("refunded", ("refunding",)),
}
