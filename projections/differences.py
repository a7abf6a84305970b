"""What does not fit between the provider's books, payments, orders and tickets, and what mends it. Pure.

The rows come from projections/comparing.py, each with all that is known of one attempt. A difference names
the stream, the last fact in it, and a command.
"""

import shlex
from typing import Literal, TypeAlias

from msgspec import Struct

from domain.money import Money

Kind: TypeAlias = Literal[
    "captured twice",
    "captured, not sold",
    "sold, not captured",
    "refunded at the provider only",
    "refunded in the log only",
    "amounts differ",
    "left open",
    "in no stream",
    "unknown to the provider",
    "not heard of",
    "dispute not heard of",
    "dispute unknown to the provider",
    "no order",
]

SERVE = "admitone serve"
TAKEN = ("taken", "refunding", "disputed")
"""How a payment stands in the log whose money is here, or is on its way back."""


class Difference(Struct, frozen=True):
    """stream: which is concerned; event, position: the last fact in it, empty and 0 if there is none.

    repair: the command that mends it, or that shows a person what there is to decide.
    """

    kind: Kind
    stream: str
    event: str
    position: int
    what: str
    repair: str


class InLog(Struct, frozen=True):
    """One attempt in the log, with its order and whether the ticket is sold to that.

    left: what is kept of it. going: a refund is under way. priced, currency_of_order: the order's price.
    counts: the attempt that counts for the order. rival: that one keeps money too, and is another.
    """

    id: str
    purchase: str
    amount: int
    currency: str
    standing: str
    reference: str
    event: str
    position: int
    left: int
    going: int
    of: str | None
    order_standing: str | None
    counts: str | None
    priced: int | None
    order_currency: str | None
    sold: int
    rival: int

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)

    @property
    def kept(self) -> Money:
        return Money(self.left, self.currency)

    @property
    def is_order_s(self) -> bool:
        """Whether it is the attempt that its order goes by."""
        return self.counts == self.id

    @property
    def order_is_over(self) -> bool:
        """Whether the order waits for this attempt no more."""
        return self.order_standing != "paying" or not self.is_order_s


class AtProvider(Struct, frozen=True):
    """One attempt at the provider.

    left: taken less what went back. rival: the provider keeps money of another attempt for the same order,
    and the log goes by that one.
    """

    reference: str
    payment: str
    purchase: str
    amount: int
    currency: str
    standing: str
    taken: int
    left: int
    rival: int

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)


def settle(name: str, *, back: bool = False) -> str:
    return f"admitone settle {shlex.quote(name)}" + (" --give-back" if back else "")


# ── The log alone ─────────────────────────────────────────────────────────────────────────────────


def in_log(row: InLog) -> Difference | None:
    """What does not fit between an attempt, its order and its ticket."""
    keeps = row.standing in TAKEN and row.left > 0
    if row.of is None:
        what = f"payment {row.id} is for order {row.purchase}, which is not in the log"
        return _of_payment("no order", row, what, settle(row.id, back=True))
    if (row.amount, row.currency) != (row.priced, row.order_currency):
        price = Money(row.priced or 0, row.order_currency or row.currency)
        what = f"payment {row.id} is about {row.money}, and order {row.purchase} about {price}"
        return _of_payment("amounts differ", row, what, f"admitone history {shlex.quote(row.purchase)}")
    if keeps and row.rival:
        what = f"order {row.purchase} was paid twice: {row.kept} are kept of payment {row.id} as well"
        return _of_payment("captured twice", row, what, settle(row.id, back=True))
    if keeps and not row.sold and not row.going and row.standing != "disputed":
        what = f"{row.kept} are kept for order {row.purchase}, and no ticket is sold to it"
        repair = SERVE if row.is_order_s else settle(row.id, back=True)
        return _of_payment("captured, not sold", row, what, repair)
    if row.standing == "open" and row.order_is_over:
        what = f"payment {row.id} is still open, and order {row.purchase} waits for it no more"
        return _of_payment("left open", row, what, SERVE if row.is_order_s else settle(row.id, back=True))
    return None


def sold_for_nothing(ticket: str, order: str, event: str, position: int) -> Difference:
    what = f"ticket {ticket} is sold to order {order}, and no money was taken for it"
    return Difference("sold, not captured", f"ticket-{ticket}", event, position, what, SERVE)


# ── The log and the provider ──────────────────────────────────────────────────────────────────────


def at_provider(held: AtProvider, log: InLog | None) -> Difference | None:
    """What does not fit between an attempt at the provider and the log."""
    if held.rival and held.left > 0:
        what = f"the provider keeps {_left(held)} in {held.reference} for order {held.purchase}, "
        what += "which another payment has paid"
        return _of_held("captured twice", held, log, what, settle(held.reference, back=True))
    if log is None:
        return _in_no_stream(held)
    if (held.amount, held.currency) != (log.amount, log.currency):
        what = (
            f"{held.reference} is about {held.money} at the provider, and payment {log.id} about {log.money}"
        )
        return _of_held("amounts differ", held, log, what, f"admitone history {shlex.quote(log.purchase)}")
    if held.reference != log.reference != "":
        return _spare(held, log)
    match held.standing:
        case "taken":
            return _taken(held, log)
        case "over":
            return _ended(held, log)
        case _:
            return _waiting(held, log)


def _in_no_stream(held: AtProvider) -> Difference | None:
    if held.standing == "over" or (held.standing == "taken" and held.left <= 0):
        return None
    keeps = "keeps" if held.standing == "taken" else "has set aside or waits for"
    what = f"the provider {keeps} {held.money} in {held.reference}, as payment {held.payment}, "
    what += "which is no stream"
    return _of_held("in no stream", held, None, what, settle(held.reference, back=True))


def _spare(held: AtProvider, log: InLog) -> Difference | None:
    """Another intent of a payment than the one that the log goes by."""
    if held.standing == "over" or (held.standing == "taken" and held.left <= 0):
        return None
    what = f"the provider has {held.reference} for payment {log.id} as well, and the log {log.reference}"
    kind: Kind = "captured twice" if held.standing == "taken" and log.standing in TAKEN else "left open"
    return _of_held(kind, held, log, what, settle(held.reference, back=True))


def _taken(held: AtProvider, log: InLog) -> Difference | None:
    if held.taken != held.amount:
        taken = Money(held.taken, held.currency)
        what = f"the provider took {taken} of the {log.money} that payment {log.id} is about"
        return _of_held("amounts differ", held, log, what, f"admitone history {shlex.quote(log.purchase)}")
    if log.standing in TAKEN or log.standing == "lost" or held.left <= 0:
        return None
    over = log.standing == "over"
    ended = "over" if over else "open"
    what = f"the provider keeps {_left(held)} of payment {log.id}, which the log says is {ended}"
    kind: Kind = "not heard of" if log.sold else "captured, not sold"
    return _of_held(kind, held, log, what, settle(held.reference if over else log.id, back=over))


def _ended(held: AtProvider, log: InLog) -> Difference | None:
    if log.standing == "open":
        what = f"payment {log.id} has ended without money at the provider, and the log waits for it"
        return _of_held("not heard of", held, log, what, settle(log.id))
    if log.standing != "over":
        return _not_taken(held, log)
    return None


def _waiting(held: AtProvider, log: InLog) -> Difference | None:
    if log.standing == "over" or (log.standing == "open" and log.order_is_over):
        what = f"the provider still has {held.money} set aside or waits for them in {held.reference}, "
        what += f"and order {log.purchase} waits for it no more"
        repair = SERVE if log.standing == "open" and log.is_order_s else settle(held.reference, back=True)
        return _of_held("left open", held, log, what, repair)
    if log.standing != "open":
        return _not_taken(held, log)
    return None


def _not_taken(held: AtProvider, log: InLog) -> Difference | None:
    what = f"the log says that {log.money} were taken by payment {log.id}, and the provider took nothing"
    repair = (
        settle(log.id) if held.standing == "authorized" else f"admitone history {shlex.quote(log.purchase)}"
    )
    return _of_held("sold, not captured", held, log, what, repair)


def missing(log: InLog) -> Difference:
    """An attempt that the provider must have, and has not."""
    what = f"payment {log.id} of {log.money} is {log.reference} in the log, which the provider does not know"
    return _of_payment("unknown to the provider", log, what, f"admitone history {shlex.quote(log.purchase)}")


# ── Refunds and disputes ──────────────────────────────────────────────────────────────────────────


class Fact(Struct, frozen=True):
    """The last fact about a refund or a dispute, or about its payment."""

    payment: str
    event: str
    position: int


def refund(fact: Fact, name: str, amount: Money, log: str | None, provider: str | None) -> Difference | None:
    """log, provider: how it stands in each; None where it is not known."""
    if provider == "done" and log != "done":
        what = (
            f"the provider gave {amount} of payment {fact.payment} back ({name}), and the log does not say so"
        )
        return _about(fact, "refunded at the provider only", what, settle(fact.payment))
    if log == "done" and provider != "done":
        there = "it has no such refund" if provider is None else f"it is {provider}"
        what = f"the log says that {amount} of payment {fact.payment} went back ({name}); there {there}"
        return _about(fact, "refunded in the log only", what, settle(fact.payment))
    return None


def refund_amounts(fact: Fact, name: str, log: Money, provider: Money) -> Difference:
    what = f"refund {name} of payment {fact.payment} is {log} in the log and {provider} at the provider"
    return _about(fact, "amounts differ", what, f"admitone show payment {shlex.quote(fact.payment)}")


def dispute(fact: Fact, name: str, log: str | None, provider: str | None) -> Difference | None:
    """log, provider: as for a refund."""
    if provider is None:
        what = (
            f"dispute {name} of payment {fact.payment} is {log} in the log, and the provider does not know it"
        )
        show = f"admitone show payment {shlex.quote(fact.payment)}"
        return _about(fact, "dispute unknown to the provider", what, show)
    if provider != log:
        here = "the log does not know it" if log is None else f"{log} in the log"
        what = f"dispute {name} of payment {fact.payment} is {provider} at the provider, and {here}"
        return _about(fact, "dispute not heard of", what, settle(fact.payment))
    return None


# ── Words for it ──────────────────────────────────────────────────────────────────────────────────


def _left(held: AtProvider) -> Money:
    return Money(held.left, held.currency)


def _of_payment(kind: Kind, row: InLog, what: str, repair: str) -> Difference:
    return Difference(kind, f"payment-{row.id}", row.event, row.position, what, repair)


def _of_held(kind: Kind, held: AtProvider, log: InLog | None, what: str, repair: str) -> Difference:
    if log is None:
        return Difference(kind, f"payment-{held.payment}", "", 0, what, repair)
    return _of_payment(kind, log, what, repair)


def _about(fact: Fact, kind: Kind, what: str, repair: str) -> Difference:
    return Difference(kind, f"payment-{fact.payment}", fact.event, fact.position, what, repair)
