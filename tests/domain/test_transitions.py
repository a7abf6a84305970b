"""Every (state, command) pair of every aggregate has a named outcome, and there is no other.

The tables say all that can come of a command: the facts and the state after them, ``nothing`` when
all is already so, or the code of a refusal. ``*`` is every command not named. They are compared, both
ways, with what is found by giving every command of a small world in every state that it leads to.
"""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.decider import AnyDecider
from domain.deciders import DECIDERS
from tests.domain.exploration import answer, explored
from tests.domain.strategies import command_types, commands, example_of, histories, state_types

TICKET = """
Unlisted
    ListTicket      TicketListed -> Available | title_invalid | price_invalid
    *               ticket_unknown
Available
    ListTicket      nothing | ticket_exists
    EditTicket      TicketEdited -> Available | nothing | not_owner | title_invalid | price_invalid
    DelistTicket    TicketDelisted -> Delisted | not_owner
    ReserveTicket   TicketReserved -> Reserved | own_ticket
    RetakeTicket    TicketReserved -> Reserved | ticket_changed
    ReleaseTicket   nothing
    SellTicket      ticket_not_held
    ReturnTicket    nothing
Reserved
    ListTicket      nothing | ticket_exists
    EditTicket      not_owner | ticket_locked
    DelistTicket    not_owner | ticket_locked
    ReserveTicket   nothing | ticket_reserved
    RetakeTicket    nothing | ticket_reserved
    ReleaseTicket   TicketReleased -> Available | nothing
    SellTicket      TicketSold -> Sold | ticket_not_held
    ReturnTicket    nothing
Sold
    ListTicket      nothing | ticket_exists
    EditTicket      not_owner | ticket_locked
    DelistTicket    not_owner | ticket_locked
    ReserveTicket   nothing | ticket_reserved
    RetakeTicket    nothing | ticket_reserved
    ReleaseTicket   nothing
    SellTicket      nothing | ticket_not_held
    ReturnTicket    TicketReturned -> Available | nothing
Delisted
    ListTicket      nothing | ticket_exists
    EditTicket      not_owner | ticket_delisted
    DelistTicket    nothing | not_owner
    ReserveTicket   ticket_delisted
    RetakeTicket    ticket_delisted
    ReleaseTicket   nothing
    SellTicket      ticket_not_held
    ReturnTicket    nothing
"""

ORDER = """
Unplaced
    PlaceOrder      OrderPlaced -> AwaitingPayment
    *               order_unknown
AwaitingPayment
    PlaceOrder      nothing | order_exists
    StartPayment    PaymentStarted -> Paying | nothing | not_owner | order_expired
    FailPayment     nothing | payment_unknown
    CompleteOrder   payment_unknown
    ReviveOrder     payment_unknown
    RefuseLatePayment nothing
    CancelOrder     OrderCancelled -> Cancelled | not_owner
    ExpireOrder     OrderCancelled -> Cancelled | order_not_due
Paying
    PlaceOrder      nothing | order_exists
    StartPayment    nothing | not_owner | payment_in_flight
    FailPayment     PaymentFailed -> AwaitingPayment | nothing | payment_unknown
    CompleteOrder   OrderCompleted -> Completed | payment_unknown
    ReviveOrder     payment_unknown
    RefuseLatePayment nothing
    CancelOrder     not_owner | payment_in_flight
    ExpireOrder     OrderCancelled -> Cancelled | payment_in_flight
Revived
    PlaceOrder      nothing | order_exists
    StartPayment    nothing | not_owner | payment_in_flight
    FailPayment     PaymentFailed + OrderCancelled -> Cancelled | nothing | payment_unknown
    CompleteOrder   OrderCompleted -> Completed | payment_unknown
    ReviveOrder     nothing | payment_unknown
    RefuseLatePayment nothing
    CancelOrder     not_owner | payment_in_flight
    ExpireOrder     OrderCancelled -> Cancelled | payment_in_flight
Completed
    PlaceOrder      nothing | order_exists
    StartPayment    nothing | not_owner | order_paid
    FailPayment     nothing | payment_unknown
    CompleteOrder   nothing | payment_unknown
    ReviveOrder     nothing | payment_unknown
    RefuseLatePayment nothing
    CancelOrder     not_owner | order_paid
    ExpireOrder     order_paid
Cancelled
    PlaceOrder      nothing | order_exists
    StartPayment    nothing | not_owner | order_cancelled
    FailPayment     nothing | payment_unknown
    CompleteOrder   payment_unknown
    ReviveOrder     OrderRevived -> Revived | payment_unknown
    RefuseLatePayment LatePaymentRefused -> Cancelled | nothing
    CancelOrder     nothing | not_owner
    ExpireOrder     nothing
"""

PAYMENT = """
Unrequested
    RequestPayment      PaymentRequested -> Requested
    *                   payment_unknown
Requested
    RequestPayment      nothing | payment_exists
    AwaitPayment        PaymentPending -> Pending
    RequireAction       PaymentActionRequired -> ActionRequired
    AuthorizePayment    PaymentAuthorized -> Authorized
    DeclinePayment      PaymentDeclined -> Declined
    CapturePayment      PaymentCaptured -> Captured
    VoidPayment         PaymentVoided -> Voided
    *                   payment_state
Pending
    RequestPayment      nothing | payment_exists
    AwaitPayment        PaymentPending -> Pending | nothing
    RequireAction       PaymentActionRequired -> ActionRequired
    AuthorizePayment    PaymentAuthorized -> Authorized
    DeclinePayment      PaymentDeclined -> Declined
    CapturePayment      PaymentCaptured -> Captured
    VoidPayment         PaymentVoided -> Voided
    *                   payment_state
ActionRequired
    RequestPayment      nothing | payment_exists
    AwaitPayment        PaymentPending -> Pending
    RequireAction       PaymentActionRequired -> ActionRequired | nothing
    AuthorizePayment    PaymentAuthorized -> Authorized
    DeclinePayment      PaymentDeclined -> Declined
    CapturePayment      PaymentCaptured -> Captured
    VoidPayment         PaymentVoided -> Voided
    *                   payment_state
Authorized
    RequestPayment      nothing | payment_exists
    AuthorizePayment    nothing
    DeclinePayment      PaymentDeclined -> Declined
    CapturePayment      PaymentCaptured -> Captured
    VoidPayment         PaymentVoided -> Voided
    *                   payment_state
Captured
    RequestPayment      nothing | payment_exists
    CapturePayment      nothing
    RequestRefund       RefundRequested -> Refunding | nothing | reason_missing | refund_amount
    AwaitRefund         nothing
    RefundPayment       PaymentRefunded -> Captured | PaymentRefunded -> Refunded | nothing | refund_amount
    FailRefund          RefundFailed -> Refunding | nothing
    DisputePayment      PaymentDisputed -> Disputed | nothing
    CloseDispute        nothing | payment_state
    *                   payment_state
Disputed
    RequestPayment      nothing | payment_exists
    CapturePayment      nothing
    RequestRefund       payment_state | reason_missing
    AwaitRefund         nothing
    FailRefund          nothing
    DisputePayment      nothing
    CloseDispute        DisputeLost -> ChargedBack | DisputeWon + RefundRequested -> Refunding
    CloseDispute        DisputeWon -> Captured | nothing | payment_state
    *                   payment_state
ChargedBack
    RequestPayment      nothing | payment_exists
    CapturePayment      nothing
    RequestRefund       nothing | reason_missing
    AwaitRefund         nothing
    RefundPayment       nothing
    FailRefund          nothing
    DisputePayment      nothing
    CloseDispute        nothing | payment_state
    *                   payment_state
Refunding
    RequestPayment      nothing | payment_exists
    CapturePayment      nothing
    RequestRefund       nothing | reason_missing | refund_in_progress
    AwaitRefund         RefundPending -> Refunding | nothing
    RefundPayment       PaymentRefunded + RefundRequested + RefundPending -> Refunding
    RefundPayment       PaymentRefunded + RefundRequested -> Refunding | PaymentRefunded -> Captured
    RefundPayment       PaymentRefunded -> Refunded | nothing | refund_amount
    FailRefund          RefundFailed -> Refunding | nothing
    DisputePayment      PaymentDisputed -> Disputed | nothing
    CloseDispute        nothing | payment_state
    *                   payment_state
Refunded
    RequestPayment      nothing | payment_exists
    CapturePayment      nothing
    RequestRefund       nothing | reason_missing
    AwaitRefund         nothing
    RefundPayment       nothing
    FailRefund          RefundFailed -> Refunding | nothing
    CloseDispute        nothing | payment_state
    *                   payment_state
Declined
    RequestPayment      nothing | payment_exists
    DeclinePayment      nothing
    VoidPayment         nothing
    *                   payment_state
Voided
    RequestPayment      nothing | payment_exists
    VoidPayment         nothing
    *                   payment_state
"""

PARKING = """
Moving
    ParkPurchase     PurchaseParked -> Parked
    RetryPurchase    nothing
    SkipPurchase     not_parked | reason_missing
Parked
    ParkPurchase     nothing
    RetryPurchase    PurchaseRetried -> Moving
    SkipPurchase     PurchaseSkipped -> Skipped | reason_missing
Skipped
    ParkPurchase     PurchaseParked -> Parked
    RetryPurchase    PurchaseRetried -> Moving
    SkipPurchase     nothing | reason_missing
"""

DELIVERY = """
Unheard
    TakeDelivery     DeliveryReceived -> Received
Received
    TakeDelivery     nothing
"""

TABLES = {"ticket": TICKET, "order": ORDER, "payment": PAYMENT, "parking": PARKING, "delivery": DELIVERY}

every_decider = pytest.mark.parametrize("decider", DECIDERS, ids=[each.category for each in DECIDERS])


@cache
def declared(decider: AnyDecider) -> set[tuple[str, str, str]]:
    """The decider's table as (state, command, outcome), with ``*`` spelt out."""
    every = {type_.__name__ for type_ in command_types(decider)}
    rows: set[tuple[str, str, str]] = set()
    state, named = "", set[str]()
    for line in TABLES[decider.category].strip().splitlines():
        if not line.startswith(" "):
            state, named = line, set()
            continue
        command, outcomes = line.split(maxsplit=1)
        meant = every - named if command == "*" else {command}
        named |= meant
        rows |= {(state, each, outcome) for each in meant for outcome in outcomes.split(" | ")}
    return rows


def found(decider: AnyDecider) -> set[tuple[str, str, str]]:
    """The same, as it shows when everything is tried."""
    return {
        (type(said.state).__name__, type(said.command).__name__, said.outcome) for said in explored(decider)
    }


@every_decider
def test_what_can_come_of_a_command_is_what_the_table_says(decider: AnyDecider) -> None:
    assert found(decider) == declared(decider)


@every_decider
def test_every_state_meets_every_command(decider: AnyDecider) -> None:
    states = {type_.__name__ for type_ in state_types(decider)}
    pairs = {(state, command) for state, command, _ in declared(decider)}
    assert pairs == {(state, said.__name__) for state in states for said in command_types(decider)}


@every_decider
def test_every_declared_state_is_reached_and_no_other(decider: AnyDecider) -> None:
    reached = {type(said.after) for said in explored(decider)} | {type(decider.initial)}
    assert reached == set(state_types(decider))


@every_decider
def test_every_event_comes_of_some_command_and_every_command_leads_to_some_event(
    decider: AnyDecider,
) -> None:
    facts = {(said.command, event) for said in explored(decider) for event in said.events}
    assert {type(event) for _, event in facts} == set(decider.events)
    assert {type(command) for command, _ in facts} == set(command_types(decider))


@every_decider
@given(data=st.data())
def test_no_longer_history_finds_another_transition(decider: AnyDecider, data: st.DataObject) -> None:
    state = decider.fold(decider.initial, data.draw(histories(decider, max_commands=40)))
    said = answer(decider, state, data.draw(commands(decider)))
    assert (type(state).__name__, type(said.command).__name__, said.outcome) in declared(decider)


@every_decider
def test_chance_reaches_every_state(decider: AnyDecider) -> None:
    """A property that never sees a sold ticket proves nothing about sold tickets."""
    states = histories(decider).map(lambda facts: decider.fold(decider.initial, facts))
    for type_ in state_types(decider):
        example_of(states, type_)


def test_an_event_name_belongs_to_one_aggregate() -> None:
    """In the log an event has its bare name only."""
    names = [event.__name__ for decider in DECIDERS for event in decider.events]
    assert len(names) == len(set(names))


def test_a_category_holds_no_dash() -> None:
    """EventStoreDB's category projections split a stream's name at its first dash."""
    categories = [decider.category for decider in DECIDERS]
    assert len(categories) == len(set(categories))
    assert not any("-" in category for category in categories)
