"""Deliberate defects in the real code, and by which promise each must be found out.

A simulation is worth what it catches. Each mutant is one slip that somebody could make.
"""

from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from domain import order, payment, ticket
from processmanager import pump, purchase
from processmanager.purchase import Ask, Purchase, Step, Tell
from tests.simulation import careless
from tests.simulation.checkers import (
    AGREE,
    MONEY,
    NOTHING_HELD,
    NOTHING_OPEN,
    NOTHING_PENDING,
    ONE_CAPTURE,
    ONE_REFUND,
    SOLD_BEFORE_TAKEN,
)
from tests.simulation.errand import IN_LOG, JUSTIFIED, NOT_STALE
from tests.simulation.log import ONE_EVENT
from tests.simulation.mutant import Mutant, fresh, in_decision, in_key, in_step, never
from tests.simulation.peace import AT_REST, IN_TIME
from tests.simulation.play import UNEXPECTED
from tests.simulation.process import Parts
from tests.simulation.words import (
    AS_AGREED,
    DENSE,
    GIVEN_BACK,
    NOT_EARLY,
    ONE_END,
    ONE_HOLDER,
    ONE_PAYMENT,
    OWN,
    SOLD_FIRST,
)

UNFINISHED = (AT_REST, NOTHING_HELD, NOTHING_PENDING, NOTHING_OPEN, IN_TIME)


# ── The slips ─────────────────────────────────────────────────────────────────────────────────────


def _release_whoever_holds(command: Any, state: Any, right: Any) -> Any:
    if isinstance(command, ticket.ReleaseTicket) and isinstance(state, ticket.Reserved):
        return (ticket.TicketReleased(command.order, command.reason),)
    return right


def _sell_whoever_holds(command: Any, state: Any, right: Any) -> Any:
    if isinstance(command, ticket.SellTicket) and isinstance(state, ticket.Reserved):
        return (ticket.TicketSold(command.order),)
    return right


def _sell_own_ticket(command: Any, state: Any, right: Any) -> Any:
    if isinstance(command, ticket.ReserveTicket):
        return ticket.decide(replace(command, own_allowed=True), state)
    return right


def _pay_twice(command: Any, state: Any, right: Any) -> Any:
    if isinstance(command, order.StartPayment) and isinstance(state, order.Paying) and right != ():
        return (order.PaymentStarted(command.payment, command.method, command.grace_until),)
    return right


def _cancel_while_paying(command: Any, state: Any, right: Any) -> Any:
    if isinstance(command, order.CancelOrder) and isinstance(state, order.Paying):
        return (order.OrderCancelled(order.CANCELLED_BY_BUYER),)
    return right


def _capture_at_once(step: Step, bought: Purchase, _: datetime) -> Step:
    if isinstance(bought.payment, payment.Authorized) and isinstance(step, Tell):
        return purchase._ask(bought, "capture")
    return step


def _complete_when_sold(step: Step, bought: Purchase, _: datetime) -> Step:
    if isinstance(step, Ask) and step.verb == "capture" and isinstance(bought.order, order.Paying):
        return purchase._tell_order(bought, order.CompleteOrder(bought.order.payment))
    return step


def _expire_a_little_early(step: Step, bought: Purchase, now: datetime) -> Step:
    soon = now + timedelta(seconds=2)
    if isinstance(bought.order, order.AwaitingPayment) and soon >= bought.order.terms.expires_at:
        return purchase._tell_order(bought, order.ExpireOrder(soon))
    return step


def _keep_what_was_sold(step: Step, bought: Purchase, _: datetime) -> Step:
    returns = isinstance(step, Tell) and isinstance(step.command, ticket.ReturnTicket)
    return purchase.next_step(replace(bought, ticket=ticket.Unlisted()), _) if returns else step


def _let_late_money_go_unsettled(step: Step, bought: Purchase, _: datetime) -> Step:
    if isinstance(step, Tell) and isinstance(step.command, order.RefuseLatePayment):
        if isinstance(bought.payment, payment.Captured):
            return purchase._tell_payment(bought, payment.RequestRefund("order expired"))
        return purchase._ask(bought, "void", "order expired")
    return step


def _revive_without_the_ticket(step: Step, bought: Purchase, now: datetime) -> Step:
    if isinstance(step, Tell) and isinstance(step.command, ticket.RetakeTicket):
        return purchase._tell_order(bought, order.ReviveOrder(bought.payment_id or "", now))
    return step


def _whichever_hold_it_is(command: Any, state: Any, right: Any) -> Any:
    if isinstance(command, ticket.ReleaseTicket | ticket.SellTicket | ticket.ReturnTicket):
        return ticket.decide(replace(command, hold=None), state)
    return right


MUTANTS = (
    Mutant(
        "the revision is not checked",
        (ONE_HOLDER, ONE_END, ONE_PAYMENT, DENSE, AS_AGREED, IN_LOG),
        Parts(store=careless.StoreWithoutRevisions),
    ),
    Mutant(
        "a refusal is given from memory", (JUSTIFIED, NOT_STALE), Parts(desk=careless.DeskThatTrustsItsMemory)
    ),
    Mutant(
        "an answer is given before the append",
        (IN_LOG, AS_AGREED),
        Parts(desk=careless.DeskThatAnswersTooSoon),
    ),
    Mutant(
        "two commands share an event id",
        (ONE_EVENT,),
        Parts(desk=careless.DeskThatConfusesCommands),
    ),
    Mutant(
        "timers are set beside the append",
        UNFINISHED,
        Parts(agenda=careless.Timers, marketplace=careless.MarketplaceWithTimers),
    ),
    Mutant("orphans are not looked for", UNFINISHED, Parts(agenda=careless.AgendaWithoutOrphans)),
    Mutant(
        "a parked purchase never reaches its deadline",
        (IN_TIME, AT_REST),
        Parts(watchdog=careless.WatchdogThatForgetsTheParked),
    ),
    Mutant(
        "a failing purchase is left alone beyond its end",
        (IN_TIME,),
        Parts(patience=careless.PatienceBeyondTheEnd),
    ),
    Mutant(
        "what the end of a hold left to be asked is asked by nobody",
        UNFINISHED,
        Parts(pump=careless.PumpThatLeavesAskingToOthers),
    ),
    Mutant(
        "a hold ends while it is paid for",
        (NOT_EARLY,),
        slips=((order.Paying, "deadline", property(lambda paying: paying.terms.expires_at)),),
    ),
    Mutant("a hold ends a little early", (NOT_EARLY,), slips=(in_step(_expire_a_little_early),)),
    Mutant(
        "a payment keeps a hold for ever",
        UNFINISHED,
        slips=(
            (order.Paying, "deadline", property(lambda paying: paying.grace_until + timedelta(days=9999))),
        ),
    ),
    Mutant(
        "whoever holds the ticket is released",
        (ONE_HOLDER,),
        slips=(in_decision(ticket, _release_whoever_holds),),
    ),
    Mutant(
        "whoever holds the ticket, it is sold",
        (ONE_HOLDER, IN_TIME, NOTHING_PENDING),
        slips=(in_decision(ticket, _sell_whoever_holds),),
    ),
    Mutant("a seller buys his own ticket", (OWN, JUSTIFIED), slips=(in_decision(ticket, _sell_own_ticket),)),
    Mutant("two payments are in flight", (ONE_END,), slips=(in_decision(order, _pay_twice),)),
    Mutant("the buyer cancels while paying", (ONE_END,), slips=(in_decision(order, _cancel_while_paying),)),
    Mutant("the refund is forgotten", UNFINISHED, slips=(never("refund"),)),
    Mutant("the void is forgotten", UNFINISHED, slips=(never("void"),)),
    Mutant("a refund has a fresh key", (ONE_REFUND,), slips=(fresh("refund"),)),
    Mutant(
        "a refund that failed is asked for under its old key",
        UNFINISHED,
        slips=(in_key(lambda ask: f"{ask.attempt.id}:{ask.verb}"),),
    ),
    Mutant("a capture has a fresh key", (ONE_CAPTURE,), slips=(fresh("capture"),)),
    Mutant("an authorisation has a fresh key", (NOTHING_OPEN, ONE_CAPTURE), slips=(fresh("authorize"),)),
    Mutant("all steps share a key", UNFINISHED, slips=(in_key(lambda ask: ask.attempt.id),)),
    Mutant(
        "all cards of an order share a key",
        (AGREE, AT_REST),
        slips=(in_key(lambda ask: f"{ask.attempt.order}:{ask.verb}"),),
    ),
    Mutant("the money is taken before the sale", (SOLD_BEFORE_TAKEN,), slips=(in_step(_capture_at_once),)),
    Mutant(
        "the order is complete before the money is taken",
        (SOLD_FIRST, UNEXPECTED),
        slips=(in_step(_complete_when_sold),),
    ),
    Mutant("a sold ticket is not returned", (MONEY, AGREE, AT_REST), slips=(in_step(_keep_what_was_sold),)),
    Mutant(
        "money is given back on an old picture",
        (GIVEN_BACK,),
        slips=((pump, "needs_proof", lambda *_: False),),
    ),
    Mutant(
        "late money goes before it is settled that it does",
        (SOLD_FIRST, AGREE, GIVEN_BACK, MONEY),
        slips=(in_step(_let_late_money_go_unsettled),),
    ),
    Mutant(
        "an order is revived without its ticket",
        (NOT_EARLY, SOLD_FIRST, AT_REST),
        slips=(in_step(_revive_without_the_ticket),),
    ),
    Mutant(
        "whoever lets go of an old hold ends the new one",
        (MONEY, AGREE, NOT_EARLY, SOLD_FIRST),
        slips=(in_decision(ticket, _whichever_hold_it_is),),
    ),
)
