"""Whatever two drivers, buyers, deadlines and lost answers do to one purchase, it ends well.

No samples: every interleaving is walked through. The defects below show what the walk would see.
"""

from collections.abc import Iterator
from datetime import datetime
from functools import partial

from domain import order, payment, ticket
from processmanager.ports import Answer, IsAuthorized, IsCaptured, IsVoided, NeedsAction
from processmanager.purchase import Ask, Purchase, Step, Tell, Wait, next_step
from tests.domain.strategies import GRACE
from tests.processmanager.interleavings import LATE, MOMENTS, Facts, Walk, provider

AGREES: dict[type, str] = {
    payment.Captured: "IsCaptured",
    payment.Refunded: "IsRefunded",
    payment.Declined: "IsDeclined",
    payment.Voided: "IsVoided",
}


def wrong(end: Facts) -> Iterator[str]:
    """What must not be so once a purchase has come to rest."""
    mine = isinstance(end.ticket, ticket.Reserved | ticket.Sold) and end.ticket.order == "o1"
    sold = mine and isinstance(end.ticket, ticket.Sold)
    completed = isinstance(end.order, order.Completed)
    if not isinstance(end.order, order.Completed | order.Cancelled):
        yield "the order never ends"
    if sold != completed or mine != completed:
        yield "ticket and order disagree"
    if isinstance(end.provider, IsCaptured) != completed:
        yield "money and order disagree"
    if isinstance(end.provider, IsAuthorized | NeedsAction):
        yield "money is set aside for nothing"
    if type(end.provider).__name__ != AGREES.get(type(end.payment), "NoneType"):
        yield "log and provider disagree"


def seen(fault: str, walk: Walk) -> bool:
    """Whether some story comes to this wrong end. Looks no further than the first."""
    return any(fault in wrong(end) for end, _ in walk.ends())


def test_every_interleaving_of_a_purchase_ends_well() -> None:
    met = set()
    for end, story in Walk(next_step).ends():
        faults = list(wrong(end))
        assert not faults, f"{faults} after {story}: {end}"
        met.add((type(end.order), type(end.payment)))
    assert met == {
        (order.Completed, payment.Captured),
        (order.Cancelled, payment.Unrequested),
        (order.Cancelled, payment.Declined),
        (order.Cancelled, payment.Voided),
        (order.Cancelled, payment.Refunded),
    }


def test_every_interleaving_with_late_sales_ends_well_too() -> None:
    late = partial(next_step, late=LATE)
    met = set()
    for end, story in Walk(late, moments=(*MOMENTS, GRACE + LATE)).ends():
        faults = list(wrong(end))
        assert not faults, f"{faults} after {story}: {end}"
        met.add((type(end.order), type(end.payment), was_revived(end.order)))
    assert met == {
        (order.Completed, payment.Captured, False),
        (order.Completed, payment.Captured, True),
        (order.Cancelled, payment.Unrequested, False),
        (order.Cancelled, payment.Declined, False),
        (order.Cancelled, payment.Declined, True),
        (order.Cancelled, payment.Voided, False),
        (order.Cancelled, payment.Voided, True),
        (order.Cancelled, payment.Refunded, False),
        (order.Cancelled, payment.Refunded, True),
    }


def was_revived(state: order.State) -> bool:
    return bool(isinstance(state, order.Completed | order.Cancelled) and state.revived)


# ── What the walk would see ───────────────────────────────────────────────────────────────────────


def test_a_void_that_leaves_no_mark_would_be_seen() -> None:
    """An authorisation on its way would arrive after it, and set money aside for nothing."""

    def forgetful(verb: str, known: Answer | None) -> list[Answer]:
        return provider(verb, None if verb == "authorize" and isinstance(known, IsVoided) else known)

    assert seen("money is set aside for nothing", Walk(next_step, forgetful))


def test_a_refund_that_is_forgotten_would_be_seen() -> None:
    def forgetful(purchase: Purchase, now: datetime) -> Step:
        step = next_step(purchase, now)
        return Wait() if isinstance(step, Tell) and isinstance(step.command, payment.RequestRefund) else step

    assert seen("money and order disagree", Walk(forgetful))


def test_a_sold_ticket_that_is_not_taken_back_would_be_seen() -> None:
    def forgetful(purchase: Purchase, now: datetime) -> Step:
        step = next_step(purchase, now)
        return Wait() if isinstance(step, Tell) and isinstance(step.command, ticket.ReturnTicket) else step

    assert seen("ticket and order disagree", Walk(forgetful))


def test_money_taken_before_the_ticket_is_sold_would_be_seen() -> None:
    def hasty(purchase: Purchase, now: datetime) -> Step:
        step = next_step(purchase, now)
        if isinstance(step, Tell) and isinstance(step.command, ticket.SellTicket):
            return Tell(order.order, "o1", order.CompleteOrder("p1"))
        return step

    assert seen("ticket and order disagree", Walk(hasty))


def test_an_attempt_that_is_not_voided_would_be_seen() -> None:
    def forgetful(purchase: Purchase, now: datetime) -> Step:
        step = next_step(purchase, now)
        return Wait() if isinstance(step, Ask) and step.verb == "void" else step

    assert seen("money is set aside for nothing", Walk(forgetful))
