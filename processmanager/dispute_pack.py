"""A dispute pack: everything that happened in one purchase, to be shown to a bank that questions a payment.

Pure: the facts of a purchase in, one value out. Whoever is neither its buyer nor its seller is called by
what he is and never by an id, and nothing of another purchase of the same ticket is in it.
"""

from collections.abc import Iterable
from datetime import datetime

from msgspec import UNSET, Struct

from domain import order, payment
from domain.decider import AnyRecorded
from domain.money import Money
from processmanager import hints, sharing, watchdog
from processmanager.archive import PastPurchase
from processmanager.timeline import timeline

PARTS = {
    hints.ACTOR: "the payment provider",
    sharing.ACTOR: "the shop, by itself",
    watchdog.ACTOR: "the shop, by itself",
}
BY_OPERATORS = ("refund:", "settle:", "retry:", "skip:")
"""How the causes of what operators decide begin; who decided it is then a name that they gave."""


class Step(Struct, frozen=True):
    """One fact of the purchase.

    request: the id of the request, or what else began it. cause: the command that led to it. reference: the
    provider's name of what it is about. trace: the W3C trace context of the request, if there was one.
    """

    position: int
    at: datetime
    stream: str
    revision: int
    event: str
    who: str
    what: str
    why: str
    amount: Money | None
    reference: str | None
    request: str
    cause: str
    trace: str | None


class Attempt(Struct, frozen=True):
    """One attempt to pay. method: the provider's token of the card. reference: its name of the attempt."""

    payment: str
    status: str
    amount: Money
    kept: Money
    method: str
    reference: str | None


class DisputePack(Struct, frozen=True):
    """attempts: all attempts to pay for the order, oldest first. buyer: the account. position: of the log, at
    which this is true."""

    payment: str
    status: str
    order: str
    ticket: str
    title: str
    price: Money
    buyer: str
    dispute: str | None
    dispute_reason: str | None
    attempts: tuple[Attempt, ...]
    requests: tuple[str, ...]
    steps: tuple[Step, ...]
    position: int


def dispute_pack(payment_id: str, purchase: PastPurchase) -> DisputePack:
    """The pack of a payment of ``purchase``, which was placed. Raises KeyError if it is not one of it."""
    assert not isinstance(purchase.order, order.Unplaced)
    terms = purchase.order.terms
    states = _payments(purchase.facts)
    disputed = states[payment_id]
    facts = [fact for fact in purchase.facts if fact.category != "delivery"]
    called = _called(facts, terms)
    told = timeline(facts, lambda who: called.get(who, "the shop"))
    named = getattr(disputed, "dispute", None)
    return DisputePack(
        payment=payment_id,
        status=_status(disputed),
        order=purchase.order_id,
        ticket=terms.ticket,
        title=terms.title,
        price=terms.price,
        buyer=terms.buyer,
        dispute=named,
        dispute_reason=disputed.reason if isinstance(disputed, payment.Disputed) else None,
        attempts=tuple(_attempt(key, state) for key, state in states.items()),
        requests=tuple(dict.fromkeys(fact.metadata.correlation for fact in facts)),
        steps=tuple(
            Step(
                entry.position,
                entry.at,
                entry.stream,
                fact.revision,
                entry.event,
                entry.who,
                entry.what,
                entry.why,
                entry.price,
                getattr(fact.event, "reference", None),
                fact.metadata.correlation,
                fact.metadata.causation,
                None if fact.metadata.traceparent is UNSET else fact.metadata.traceparent,
            )
            for entry, fact in zip(told, facts, strict=True)
        ),
        position=purchase.position,
    )


def _payments(facts: Iterable[AnyRecorded]) -> dict[str, payment.Active]:
    """The attempts to pay that ``facts`` tell of, as they stand after them."""
    states: dict[str, payment.State] = {}
    for fact in facts:
        if fact.category == payment.payment.category:
            before = states.get(fact.key, payment.Unrequested())
            states[fact.key] = payment.payment.evolve(before, fact.event)
    return {key: state for key, state in states.items() if not isinstance(state, payment.Unrequested)}


def _called(facts: Iterable[AnyRecorded], terms: order.Terms) -> dict[str, str]:
    """How whoever acts in ``facts`` is called."""
    operators = {
        fact.metadata.actor: f"the operator ({fact.metadata.actor})"
        for fact in facts
        if fact.metadata.causation.startswith(BY_OPERATORS)
    }
    return operators | PARTS | {terms.buyer: "the buyer", terms.seller: "the seller"}


def _attempt(key: str, state: payment.Active) -> Attempt:
    asked = state.request
    none = Money(0, asked.amount.currency)
    reference = getattr(state, "reference", None)
    return Attempt(key, _status(state), asked.amount, payment.kept(state) or none, asked.method, reference)


def _status(state: payment.Active) -> str:
    return STATUSES[type(state)]


STATUSES: dict[type, str] = {
    payment.Requested: "requested",
    payment.Pending: "pending",
    payment.ActionRequired: "waits for the buyer",
    payment.Authorized: "authorized",
    payment.Captured: "captured",
    payment.Disputed: "disputed",
    payment.ChargedBack: "charged back",
    payment.Refunding: "being refunded",
    payment.Refunded: "refunded",
    payment.Declined: "declined",
    payment.Voided: "voided",
}
"""How a payment stands, in words."""
