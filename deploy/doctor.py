"""What must hold between tickets, orders, payments, deadlines and the provider's ledger.

Pure: facts in, findings out. A purchase that is under way may be between two steps, so nothing is judged
that was written to within the last minute.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta

from msgspec import Struct

from deploy.books import Books
from domain.money import Money
from domain.order import AwaitingPayment, Cancelled, Completed, Paying, Revived, Unplaced
from domain.parking import Parked, Skipped
from domain.payment import Captured, ChargedBack, Refunded, Unrequested, kept
from domain.payment import State as PaymentState
from domain.ticket import Reserved, Sold
from gateways.card_ledger import Entry

SETTLING = timedelta(seconds=60)
"""How long a purchase may take from one step to the next before that is worth a word."""

SERVE = "admitone serve"
"""The repair of whatever a purchase still has to do: a process that serves takes it up by itself."""


class Finding(Struct, frozen=True):
    """``what`` is wrong, and the command that repairs it, or shows a person what there is to see."""

    what: str
    repair: str


class Case(Struct, frozen=True):
    """What is looked at. ``entries``: the provider's ledger."""

    books: Books
    entries: tuple[Entry, ...]
    now: datetime

    def quiet(self, *streams: str) -> bool:
        """Whether nothing was written to any of ``streams`` within the last minute."""
        touched = self.books.touched
        return all(self.now - touched[stream] > SETTLING for stream in streams if stream in touched)

    def judged(self, order_id: str, *streams: str) -> bool:
        """Whether a purchase is to be judged: it is at rest, can be read, and no operator minds it."""
        streams = (f"order-{order_id}", *streams)
        minded = isinstance(self.books.parkings.get(order_id), Parked | Skipped)
        return not minded and self.quiet(*streams) and not self.books.broken.keys() & set(streams)


def streams(case: Case) -> Iterator[Finding]:
    """Every stream can be folded."""
    for stream, why in case.books.broken.items():
        yield Finding(f"{stream} cannot be read: {why}", f"admitone events {stream}")


def parked(case: Case) -> Iterator[Finding]:
    """No purchase is set aside."""
    for order_id, state in case.books.parkings.items():
        if isinstance(state, Parked):
            failed = f"{state.step} failed {state.tries} times ({state.error})"
            yield Finding(f"order {order_id} is parked: {failed}", f"admitone parked retry {order_id}")


def deadlines(case: Case) -> Iterator[Finding]:
    """No purchase is open long after its hold, or its grace to pay, has ended."""
    for order_id, state in case.books.orders.items():
        if isinstance(state, AwaitingPayment | Paying | Revived) and case.judged(order_id):
            deadline = state.terms.expires_at if isinstance(state, AwaitingPayment) else state.deadline
            if case.now - deadline > SETTLING:
                late = timedelta(seconds=int((case.now - deadline).total_seconds()))
                yield Finding(f"order {order_id} is still open {late} after its deadline", SERVE)


def holds(case: Case) -> Iterator[Finding]:
    """Each ticket that is held or sold is so for an order that says the same."""
    for ticket_id, state in case.books.tickets.items():
        if not isinstance(state, Reserved | Sold) or not case.judged(state.order, f"ticket-{ticket_id}"):
            continue
        order_id = state.order
        match state, case.books.orders.get(order_id):
            case _, None:
                yield Finding(
                    f"ticket {ticket_id} is held for order {order_id}, which was never placed", SERVE
                )
            case Reserved(), Completed() | Cancelled():
                yield Finding(f"ticket {ticket_id} is still held for order {order_id}, which is over", SERVE)
            case Sold(), AwaitingPayment() | Cancelled():
                yield Finding(f"ticket {ticket_id} is sold to order {order_id}, which has not paid", SERVE)


def tickets_of_orders(case: Case) -> Iterator[Finding]:
    """Each open or completed order has its ticket, unless its money went back."""
    for order_id, state in case.books.orders.items():
        if isinstance(state, Unplaced | Cancelled):
            continue
        ticket_id = state.terms.ticket
        held = case.books.tickets.get(ticket_id)
        if isinstance(held, Reserved | Sold) and held.order == order_id:
            continue
        if isinstance(state, Completed) and isinstance(
            case.books.payments.get(state.payment), Refunded | ChargedBack
        ):
            continue
        if case.judged(order_id, f"ticket-{ticket_id}"):
            kind = type(state).__name__.lower()
            yield Finding(
                f"order {order_id} is {kind}, but ticket {ticket_id} is not its own",
                f"admitone events order-{order_id}",
            )


def money(case: Case) -> Iterator[Finding]:
    """For each order that is over, captured minus refunded is its price if its ticket is sold, else 0."""
    payments = _payments_by_order(case.books)
    for order_id, state in case.books.orders.items():
        if not isinstance(state, AwaitingPayment | Completed | Cancelled):
            continue
        ids = payments.get(order_id, [])
        touched = [f"ticket-{state.terms.ticket}", *(f"payment-{payment}" for payment in ids)]
        if not case.judged(order_id, *touched):
            continue
        held = case.books.tickets.get(state.terms.ticket)
        sold = isinstance(held, Sold) and held.order == order_id
        none = Money(0, state.terms.price.currency)
        here = sum((_kept(case.books.payments[payment], none) for payment in ids), none)
        given = sum((_given(case.books.payments[payment], none) for payment in ids), none)
        owed = state.terms.price if sold else none
        # A part that was given back for a ticket that is kept was somebody's word, with its reason.
        if here != owed and not (sold and here + given == owed):
            yield Finding(
                f"order {order_id}: the log says that {here} were kept, and the ticket says {owed}", SERVE
            )


def ledger(case: Case) -> Iterator[Finding]:
    """For every payment the provider's ledger and the log say the same."""
    moved: dict[str, Money] = {}
    orders: dict[str, str] = {}
    for entry in case.entries:
        amount = entry.amount if entry.kind == "capture" else -entry.amount
        moved[entry.attempt] = moved.get(entry.attempt, Money(0, amount.currency)) + amount
        orders[entry.attempt] = entry.order
    for payment_id, state in case.books.payments.items():
        if not isinstance(state, Unrequested):
            orders[payment_id] = state.request.order
    for payment_id, order_id in orders.items():
        if not case.judged(order_id, f"payment-{payment_id}"):
            continue
        state = case.books.payments.get(payment_id, Unrequested())
        at_provider = moved.get(payment_id)
        none = Money(0, at_provider.currency) if at_provider else _none(state)
        if (at_provider or none) != _kept(state, none):
            yield Finding(
                f"payment {payment_id} of order {order_id}: the provider keeps {at_provider or none}, "
                f"and the log says {_kept(state, none)}",
                f"admitone events payment-{payment_id}",
            )


CHECKS: tuple[Callable[[Case], Iterable[Finding]], ...] = (
    streams,
    holds,
    tickets_of_orders,
    deadlines,
    money,
    ledger,
    parked,
)


def _payments_by_order(books: Books) -> dict[str, list[str]]:
    found = defaultdict(list)
    for payment_id, state in books.payments.items():
        if not isinstance(state, Unrequested):
            found[state.request.order].append(payment_id)
    return found


def _kept(state: PaymentState, none: Money) -> Money:
    """What the house has of an attempt, as far as the provider has confirmed it."""
    return kept(state) or none


def _given(state: PaymentState, none: Money) -> Money:
    """What went back of a payment of which some was kept."""
    return sum((each.amount for each in state.past.given), none) if isinstance(state, Captured) else none


def _none(state: PaymentState) -> Money:
    currency = "usd" if isinstance(state, Unrequested) else state.request.amount.currency
    return Money(0, currency)
