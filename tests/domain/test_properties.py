"""What holds of every aggregate, whatever was said to it and in whatever order."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.decider import AnyDecider, Refused
from domain.deciders import DECIDERS
from domain.money import Money
from domain.order import (
    EXPIRED,
    AwaitingPayment,
    Cancelled,
    ExpireOrder,
    LatePaymentRefused,
    OrderCancelled,
    OrderCompleted,
    OrderRevived,
    Paying,
    PaymentFailed,
    PaymentStarted,
    Revived,
    order,
)
from domain.payment import (
    DisputeLost,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    PaymentRequested,
    PaymentVoided,
    RefundFailed,
    Refunding,
    RefundRequested,
    kept,
    payment,
)
from domain.ticket import (
    TicketDelisted,
    TicketEdited,
    TicketListed,
    TicketReleased,
    TicketReserved,
    TicketReturned,
    TicketSold,
    Unlisted,
    ticket,
)
from tests.domain.exploration import answer, explored
from tests.domain.strategies import commands, histories, state_types

every_decider = pytest.mark.parametrize("decider", DECIDERS, ids=[each.category for each in DECIDERS])


def states_of(decider: AnyDecider, facts: tuple[Any, ...]) -> list[Any]:
    """Every state on the way, the first and the last included."""
    return [decider.fold(decider.initial, facts[:end]) for end in range(len(facts) + 1)]


# ── Every aggregate ───────────────────────────────────────────────────────────────────────────────


@every_decider
@given(data=st.data())
def test_doing_it_twice_is_doing_it_once(decider: AnyDecider, data: st.DataObject) -> None:
    state = decider.fold(decider.initial, data.draw(histories(decider)))
    said = answer(decider, state, data.draw(commands(decider)))
    if said.events:
        assert decider.decide(said.command, said.after) == ()


@every_decider
def test_doing_it_twice_is_doing_it_once_everywhere_in_the_small_world(decider: AnyDecider) -> None:
    for said in explored(decider):
        if said.events:
            assert decider.decide(said.command, said.after) == ()


@every_decider
@given(data=st.data())
def test_a_decision_is_facts_of_its_own_kind_or_a_refusal_and_never_an_accident(
    decider: AnyDecider, data: st.DataObject
) -> None:
    state = decider.fold(decider.initial, data.draw(histories(decider)))
    said = answer(decider, state, data.draw(commands(decider)))
    assert isinstance(said.decision, Refused) or all(type(event) in decider.events for event in said.events)
    assert type(said.after) in state_types(decider)


@every_decider
@given(data=st.data())
def test_the_same_question_in_the_same_state_has_the_same_answer(
    decider: AnyDecider, data: st.DataObject
) -> None:
    facts, command = data.draw(histories(decider)), data.draw(commands(decider))
    one, other = (decider.fold(decider.initial, facts) for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)
    assert decider.decide(command, one) == decider.decide(command, other)


@every_decider
@given(data=st.data())
def test_a_history_folds_the_same_in_one_go_and_in_pieces(decider: AnyDecider, data: st.DataObject) -> None:
    facts = data.draw(histories(decider))
    cut = data.draw(st.integers(0, len(facts)))
    remembered = decider.fold(decider.initial, facts[:cut])
    assert decider.fold(remembered, facts[cut:]) == decider.fold(decider.initial, facts)


@pytest.mark.parametrize("decider", [ticket, order, payment], ids=["ticket", "order", "payment"])
def test_a_log_that_lost_its_beginning_is_a_fault_and_not_a_guess(decider: AnyDecider) -> None:
    facts = {type(event): event for said in explored(decider) for event in said.events}
    first, *later = decider.events
    for event in later:
        with pytest.raises(ValueError, match="never"):
            decider.evolve(decider.initial, facts[event])
    assert decider.evolve(decider.initial, facts[first]) != decider.initial


# ── A ticket ──────────────────────────────────────────────────────────────────────────────────────


@given(histories(ticket))
def test_a_ticket_has_at_most_one_holder(facts: tuple[Any, ...]) -> None:
    """Told by the facts alone: free, then held, then free again or sold, always by one and the same order."""
    holder: str | None = None
    sold = False
    for fact in facts:
        match fact:
            case TicketReserved(order=taker):
                assert holder is None
                holder = taker
            case TicketReleased(order=giver):
                assert (holder, sold) == (giver, False)
                holder = None
            case TicketSold(order=owner):
                assert (holder, sold) == (owner, False)
                sold = True
            case TicketReturned(order=owner):
                assert (holder, sold) == (owner, True)
                holder, sold = None, False
            case TicketListed() | TicketEdited() | TicketDelisted():
                assert holder is None


@given(histories(ticket))
def test_the_public_version_rises_by_one_and_only_when_the_public_is_told(facts: tuple[Any, ...]) -> None:
    told = TicketEdited | TicketReserved | TicketReleased | TicketReturned
    version = 0
    for fact, state in zip(facts, states_of(ticket, facts)[1:], strict=True):
        version += isinstance(fact, told)
        assert state.listing.version == version


@given(histories(ticket))
def test_a_ticket_is_held_at_the_price_for_which_it_was_offered(facts: tuple[Any, ...]) -> None:
    for fact, before in zip(facts, states_of(ticket, facts), strict=False):
        if isinstance(fact, TicketReserved):
            assert not isinstance(before, Unlisted)
            assert fact.price == before.listing.price
            assert fact.price.amount > 0


# ── An order ──────────────────────────────────────────────────────────────────────────────────────


@given(histories(order))
def test_an_order_ends_once_and_for_good_unless_money_came_late(facts: tuple[Any, ...]) -> None:
    """Then it goes on once, or that it does not is the last word."""
    late = [at for at, fact in enumerate(facts) if isinstance(fact, OrderRevived | LatePaymentRefused)]
    for at in late:
        assert facts[at - 1] == OrderCancelled(EXPIRED)
    assert len(late) <= 1
    ends = [at for at, fact in enumerate(facts) if isinstance(fact, OrderCompleted | OrderCancelled)]
    assert ends in ([], [len(facts) - 1], [at - 1 for at in late], [*(at - 1 for at in late), len(facts) - 1])


@given(histories(order))
def test_attempts_to_pay_come_one_after_the_other_and_none_twice(facts: tuple[Any, ...]) -> None:
    in_flight: str | None = None
    tried: set[str] = set()
    for fact in facts:
        match fact:
            case PaymentStarted(payment=attempt):
                assert in_flight is None
                assert attempt not in tried
                in_flight = attempt
                tried.add(attempt)
            case PaymentFailed(payment=attempt) | OrderCompleted(payment=attempt):
                assert in_flight == attempt
                in_flight = None


@given(histories(order))
def test_every_open_order_has_an_end_by_its_own_facts(facts: tuple[Any, ...]) -> None:
    """No state but an end is one in which an order can stay for ever."""
    state = order.fold(order.initial, facts)
    if isinstance(state, AwaitingPayment | Paying | Revived):
        deadline = state.terms.expires_at if isinstance(state, AwaitingPayment) else state.deadline
        instant = timedelta(microseconds=1)
        assert isinstance(order.decide(ExpireOrder(deadline - instant), state), Refused)
        ended = answer(order, state, ExpireOrder(deadline))
        assert isinstance(ended.after, Cancelled)


@given(histories(order))
def test_the_hold_of_an_order_is_never_moved(facts: tuple[Any, ...]) -> None:
    assert len({state.terms.expires_at for state in states_of(order, facts)[1:]}) <= 1


# ── A payment ─────────────────────────────────────────────────────────────────────────────────────


@given(histories(payment, max_commands=20))
def test_the_facts_of_a_payment_add_up_to_what_is_kept_and_never_beyond_its_price(
    facts: tuple[Any, ...],
) -> None:
    price = here = 0
    for fact, state in zip(facts, states_of(payment, facts)[1:], strict=True):
        match fact:
            case PaymentRequested(amount=amount):
                price = amount.amount
            case PaymentCaptured():
                here += price
            case PaymentRefunded(amount=Money() as back) | DisputeLost(amount=back):
                here -= back.amount
            case RefundFailed(restored=Money() as restored):
                here += restored.amount
        assert 0 <= here <= price
        assert here == (known.amount if (known := kept(state)) else 0)


@given(histories(payment, max_commands=20))
def test_no_two_refunds_of_an_attempt_are_asked_for_under_one_number(facts: tuple[Any, ...]) -> None:
    """Under the number of a refund that has had its end, the provider would only say again how it ended."""
    last = -1
    for fact, state in zip(facts, states_of(payment, facts)[1:], strict=True):
        if isinstance(state, Refunding) and isinstance(fact, RefundRequested | RefundFailed):
            assert state.past.number >= last
            last = state.past.number
        if isinstance(fact, RefundFailed | PaymentRefunded):
            assert not isinstance(state, Refunding) or state.past.number > 0


@given(histories(payment))
def test_an_attempt_that_ended_without_money_takes_none(facts: tuple[Any, ...]) -> None:
    ended = [index for index, fact in enumerate(facts) if isinstance(fact, PaymentDeclined | PaymentVoided)]
    assert ended in ([], [len(facts) - 1])
    assert not (ended and any(isinstance(fact, PaymentCaptured) for fact in facts))
