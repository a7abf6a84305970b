"""Every interleaving of one purchase: its buyer, a rival, the clock, the provider, and two drivers.

One driver is quick: what it does is done at once, though its word may be lost on the way back. The
other is as slow as can be: it reads order, ticket and payment one by one, decides, and acts on that
picture whenever it comes to it, or dies. All that any two processes can do to each other is among
what these two can. The world is small enough to be walked through from end to end.
"""

from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeAlias

from msgspec.structs import replace

from domain import order, payment, ticket
from domain.decider import AnyDecider, Refused
from domain.money import Money
from domain.order import State as OrderState
from domain.payment import State as PaymentState
from domain.ticket import State as TicketState
from processmanager.ports import (
    Answer,
    IsAuthorized,
    IsCaptured,
    IsDeclined,
    IsRefunded,
    IsVoided,
    NeedsAction,
)
from processmanager.pump import heard
from processmanager.purchase import Ask, Purchase, Step, Tell, Wait, needs_proof
from tests.domain.strategies import END, GRACE, START

MOMENTS = (START, END, GRACE)
LATE = timedelta(hours=1)
"""How long a ticket is held again for money that came late."""
PRICE = Money(1999, "usd")
NextStep: TypeAlias = Callable[[Purchase, datetime], Step]
Provider: TypeAlias = Callable[[str, Answer | None], list[Answer]]

# ── The world ─────────────────────────────────────────────────────────────────────────────────────


class Facts(NamedTuple):
    """What is true: the three streams, and what the provider knows of the attempt."""

    order: OrderState
    ticket: TicketState
    payment: PaymentState
    provider: Answer | None


class Seen(NamedTuple):
    """What the slow driver has seen. ``fresh``: how many of the three in one look, in the pump's order."""

    order: OrderState | None = None
    ticket: TicketState | None = None
    payment: PaymentState | None = None
    fresh: int = 0


class World(NamedTuple):
    """``doing``: the step that the slow driver has decided on, or the answer that it has yet to record."""

    moment: int
    facts: Facts
    seen: Seen = Seen()
    doing: Tell | Ask | tuple[payment.Command, ...] | None = None


def beginning() -> World:
    """Ann holds Sue's ticket and is about to pay."""
    listed = ticket.TicketListed("sue", "concert", PRICE)
    held = ticket.TicketReserved("o1", "ann", PRICE, END)
    placed = order.OrderPlaced("ann", "t1", "sue", "concert", PRICE, END)
    return World(
        0,
        Facts(
            order.order.fold(order.order.initial, [placed]),
            _uncounted(ticket.ticket.fold(ticket.ticket.initial, [listed, held])),
            payment.payment.initial,
            None,
        ),
    )


# ── The provider, as the port describes it ────────────────────────────────────────────────────────

AUTHORIZED, CAPTURED, REFUNDED = IsAuthorized("pi"), IsCaptured("pi"), IsRefunded("re", "pi")
DECLINED, VOIDED, AT_THE_BANK = IsDeclined("declined", ""), IsVoided(), NeedsAction("pi", "confirm")


def provider(verb: str, known: Answer | None) -> list[Answer]:
    """All that may become true of an attempt when ``verb`` is asked of it."""
    match verb, known:
        case "authorize", None:
            return [AUTHORIZED, CAPTURED, DECLINED, AT_THE_BANK]
        case "look", NeedsAction():
            return [AT_THE_BANK, AUTHORIZED, DECLINED]
        case "capture", IsAuthorized():
            return [CAPTURED, DECLINED, VOIDED]
        case "void", None | NeedsAction() | IsAuthorized():
            return [VOIDED]
        case "refund", IsCaptured():
            return [REFUNDED]
        case _:
            return [] if known is None else [known]


# ── What can happen next ──────────────────────────────────────────────────────────────────────────


class Walk:
    """All worlds that can come of the beginning, under some ``next_step`` and some provider."""

    def __init__(
        self,
        next_step: NextStep,
        provider: Provider = provider,
        moments: tuple[datetime, ...] = MOMENTS,
    ) -> None:
        self._next_step = next_step
        self._provider = provider
        self._moments = moments

    def ends(self) -> Iterator[tuple[Facts, tuple[str, ...]]]:
        """How the purchase stands once all is quiet, from every world on the way; and how it came about."""
        came: dict[World, tuple[World, str] | None] = {beginning(): None}
        quieted: set[Facts] = set()
        edge = deque(came)
        while edge:
            world = edge.popleft()
            if world.facts not in quieted:
                quieted.add(world.facts)
                story = tuple(_story(came, world))
                yield from ((facts, story) for facts in self._quiet(world.facts))
            for what, after in self._after(world):
                if after not in came:
                    came[after] = (world, what)
                    edge.append(after)

    def _after(self, world: World) -> Iterator[tuple[str, World]]:
        if world.moment + 1 < len(self._moments):
            yield "time passes", world._replace(moment=world.moment + 1)
        for what, facts in self._others(world):
            yield what, world._replace(facts=facts)
        yield from self._slow(world)

    def _others(self, world: World) -> Iterator[tuple[str, Facts]]:
        """The buyer, a rival, and the quick driver."""
        facts, now = world.facts, self._moments[world.moment]
        yield "ann pays", told(facts, order.order, order.StartPayment("p1", "ann", "tok", now, GRACE))
        yield "ann cancels", told(facts, order.order, order.CancelOrder("ann"))
        yield "bob reserves", told(facts, ticket.ticket, ticket.ReserveTicket("o2", "bob", END))
        step = self._next_step(_purchase(*facts[:3]), now)
        if isinstance(step, Tell):
            yield step.name, told(facts, step.decider, step.command)
        elif isinstance(step, Ask):
            for asked, said in self._asked(facts, step):
                yield f"{step.verb}, and the word is lost", asked
                yield step.verb, all_told(asked, said)

    def _slow(self, world: World) -> Iterator[tuple[str, World]]:
        match world.doing:
            case None:
                yield from self._look_or_decide(world)
                return
            case Tell() as step:
                yield (
                    f"slow: {step.name}",
                    world._replace(facts=told(world.facts, step.decider, step.command), doing=None),
                )
            case Ask() as step:
                for facts, said in self._asked(world.facts, step):
                    yield f"slow: {step.verb}", world._replace(facts=facts, doing=said)
            case said:
                facts = all_told(world.facts, said)
                yield "slow: records", world._replace(facts=facts, seen=Seen(), doing=None)
        yield "slow: dies", world._replace(seen=Seen(), doing=None)

    def _look_or_decide(self, world: World) -> Iterator[tuple[str, World]]:
        facts, seen = world.facts, world.seen
        yield "slow: reads the order", world._replace(seen=seen._replace(order=facts.order, fresh=1))
        if seen.order is None:
            return
        looks = seen._replace(ticket=facts.ticket, fresh=2 if seen.fresh == 1 else 0)
        yield "slow: reads the ticket", world._replace(seen=looks)
        looks = seen._replace(payment=facts.payment, fresh=3 if seen.fresh == 2 else 0)
        yield "slow: reads the payment", world._replace(seen=looks)
        if seen.fresh == 3 and seen.order == facts.order:
            yield "slow: reads the order again", world._replace(seen=seen._replace(fresh=4))
        if seen.ticket is not None and seen.payment is not None:
            picture = _purchase(seen.order, seen.ticket, seen.payment)
            step = self._next_step(picture, self._moments[world.moment])
            proven = seen.fresh == 4 or not needs_proof(step, picture)
            if proven and not isinstance(step, Wait):
                yield f"slow: decides {step.name}", world._replace(doing=step)

    def _asked(self, facts: Facts, step: Ask) -> Iterator[tuple[Facts, tuple[payment.Command, ...]]]:
        for answer in self._answers(step, facts.provider):
            yield facts._replace(provider=answer), heard(answer, step.reason)

    def _answers(self, step: Ask, known: Answer | None) -> Iterator[Answer]:
        if not step.sparing:
            yield from self._provider(step.verb, known)
            return
        for came in self._provider("look", known) or (None,):
            if isinstance(came, IsAuthorized | IsCaptured):
                yield came
            else:
                yield from self._provider(step.verb, came)

    def _quiet(self, facts: Facts) -> Iterator[Facts]:
        """Where one driver alone brings it with all deadlines past, until its step changes nothing."""
        seen, edge = {facts}, [facts]
        while edge:
            facts = edge.pop()
            step = self._next_step(_purchase(*facts[:3]), self._moments[-1] + timedelta(days=1))
            if isinstance(step, Tell):
                after = {told(facts, step.decider, step.command)}
            elif isinstance(step, Ask):
                after = {all_told(asked, said) for asked, said in self._asked(facts, step)}
            else:
                after = set()
            if not after - {facts}:
                yield facts
            edge += after - seen
            seen |= after


def told(facts: Facts, decider: AnyDecider, command: Any) -> Facts:
    """Give an aggregate a command; a refusal changes nothing."""
    before = getattr(facts, decider.category)
    decision = decider.decide(command, before)
    after = before if isinstance(decision, Refused) else decider.fold(before, decision)
    return facts._replace(**{decider.category: _uncounted(after)})


def all_told(facts: Facts, said: tuple[payment.Command, ...]) -> Facts:
    """Record, one by one, what the provider said of the attempt."""
    for command in said:
        facts = told(facts, payment.payment, command)
    return facts


def _uncounted(state: Any) -> Any:
    """A ticket's public version rises for ever; without it the world is finite."""
    listing = getattr(state, "listing", None)
    return state if listing is None else replace(state, listing=replace(listing, version=0))


def _purchase(placed: OrderState, held: TicketState, paid: PaymentState) -> Purchase:
    attempt = getattr(placed, "payment", None)
    return Purchase("o1", "t1", attempt, placed, held, paid if attempt else payment.payment.initial)


def _story(came: dict[World, tuple[World, str] | None], world: World) -> Iterator[str]:
    steps = []
    while (before := came[world]) is not None:
        world, what = before
        steps.append(what)
    return reversed(steps)
