"""The archive: any stream, and any purchase, as it was at a position of the log.

Nothing is remembered and nothing is decided here. A past state is the same fold as the present one, ended
earlier; so what it says of a position is the same for ever.
"""

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from domain import order, payment, ticket
from domain.decider import NO_STREAM, AnyRecorded, Decider, Loaded, Unreadable
from processmanager.desk import UnreadableStream
from processmanager.purchase import Purchase

S = TypeVar("S")

DISPUTE = payment.PaymentDisputed | payment.DisputeWon | payment.DisputeLost
END = 2**63 - 1
"""Behind every position: as it is now."""


class Streams(Protocol):
    """Where single streams are read: a store, or a log from beside it."""

    async def read(self, stream: str, after: int = NO_STREAM) -> Sequence[AnyRecorded]: ...


class PastPurchase(Purchase, frozen=True):
    """A purchase with the facts that made it so, in the log's order.

    facts: of the order, of all its attempts to pay, of its ticket as far as it was about this order, and of
    its parking.
    """

    facts: tuple[AnyRecorded, ...] = ()


class Archive:
    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    async def facts(self, stream: str, until: int = END) -> list[AnyRecorded]:
        """The facts of ``stream`` up to position ``until``, oldest first. Raises StoreUnavailable."""
        return [fact for fact in await self._streams.read(stream) if fact.position <= until]

    async def load(self, decider: Decider[Any, S, Any], key: str, until: int = END) -> Loaded[S]:
        """The aggregate as it was at position ``until``. Raises UnreadableStream, StoreUnavailable."""
        stream = decider.stream(key)
        return fold(decider, stream, await self.facts(stream, until))

    async def of_ticket(self, ticket_id: str, until: int = END) -> list[AnyRecorded]:
        """The facts of a ticket's stream, and of the disputes about what was paid for it, in the log's order.

        Raises StoreUnavailable.
        """
        facts = await self.facts(ticket.ticket.stream(ticket_id), until)
        sales = [fact.event.order for fact in facts if isinstance(fact.event, ticket.TicketSold)]
        for order_id in dict.fromkeys(sales):
            for attempt in _attempts(await self.facts(order.order.stream(order_id), until)):
                paid = await self.facts(payment.payment.stream(attempt), until)
                facts += [fact for fact in paid if isinstance(fact.event, DISPUTE)]
        return sorted(facts, key=lambda fact: fact.position)

    async def purchase(self, order_id: str, until: int = END) -> PastPurchase:
        """The purchase as it was at position ``until``. Raises UnreadableStream, StoreUnavailable."""
        facts = await self.facts(order.order.stream(order_id), until)
        placed = fold(order.order, order.order.stream(order_id), facts).state
        if isinstance(placed, order.Unplaced):
            return PastPurchase(order_id, None, None, placed, ticket.Unlisted(), payment.Unrequested())
        ticket_id, payment_id = placed.terms.ticket, getattr(placed, "payment", None)
        of_ticket = await self.facts(ticket.ticket.stream(ticket_id), until)
        held = fold(ticket.ticket, ticket.ticket.stream(ticket_id), of_ticket)
        facts += [fact for fact in of_ticket if getattr(fact.event, "order", None) == order_id]
        paid: payment.State = payment.Unrequested()
        for attempt in _attempts(facts):
            of_attempt = await self.facts(payment.payment.stream(attempt), until)
            facts += of_attempt
            if attempt == payment_id:
                paid = fold(payment.payment, payment.payment.stream(attempt), of_attempt).state
        facts += await self.facts(f"parking-{order_id}", until)
        facts.sort(key=lambda fact: fact.position)
        return PastPurchase(
            order_id, ticket_id, payment_id, placed, held.state, paid, facts[-1].position, tuple(facts)
        )


def fold(decider: Decider[Any, S, Any], stream: str, facts: Sequence[AnyRecorded]) -> Loaded[S]:
    """The state after ``facts``, which are the beginning of ``stream``. Raises UnreadableStream."""
    state = decider.initial
    for fact in facts:
        if isinstance(fact.event, Unreadable):
            raise UnreadableStream(f"{stream} revision {fact.revision}: {fact.event.reason}")
        try:
            state = decider.evolve(state, fact.event)
        except (ValueError, AssertionError) as error:
            raise UnreadableStream(f"{stream} revision {fact.revision}: {error}") from error
    last = facts[-1] if facts else None
    return Loaded(stream, last.revision if last else NO_STREAM, last.position if last else 0, state)


def is_frozen(seat: ticket.State, facts: Sequence[AnyRecorded]) -> bool:
    """Whether a ticket is sold and its money is in question. facts: as ``Archive.of_ticket`` gives them."""
    disputes = [fact.event for fact in facts if isinstance(fact.event, DISPUTE)]
    if not disputes or not isinstance(seat, ticket.Sold):
        return False
    return isinstance(disputes[-1], payment.PaymentDisputed)


def _attempts(facts: Sequence[AnyRecorded]) -> list[str]:
    """The attempts to pay that an order began, oldest first."""
    return [fact.event.payment for fact in facts if isinstance(fact.event, order.PaymentStarted)]
