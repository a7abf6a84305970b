"""How an attempt to take money can stand, and what is remembered of money that was taken."""

from datetime import datetime
from typing import TypeAlias, final

from msgspec import Struct

from domain.money import Money

# ── What was asked for, and what became of what was taken ─────────────────────────────────────────


class Request(Struct, frozen=True, gc=False):
    """What the provider is asked for.

    method: the provider's token of the card. request: the id of the HTTP request that began it.
    at: when the buyer asked; the provider's keys live for a day from then on.
    """

    order: str
    amount: Money
    method: str
    request: str = ""
    at: datetime | None = None


class Given(Struct, frozen=True, gc=False):
    """Money that went back. ``reference``: the provider's name of the refund."""

    reference: str
    amount: Money
    reason: str


class Past(Struct, frozen=True, gc=False):
    """What has been between the taking of the money and now.

    failed: the refunds that came to nothing. disputes: those that were settled.
    """

    given: tuple[Given, ...] = ()
    failed: tuple[str, ...] = ()
    disputes: tuple[str, ...] = ()

    @property
    def number(self) -> int:
        """How many refunds have had their end; the next one is told from them by it."""
        return len(self.given) + len(self.failed)

    def left(self, amount: Money) -> Money:
        """What is still kept of ``amount``."""
        return Money(amount.amount - sum(each.amount.amount for each in self.given), amount.currency)

    def leaves(self, part: Money, amount: Money) -> bool:
        """Whether ``part`` is something, and no more than what is left of ``amount``."""
        return part.currency == amount.currency and 0 < part.amount <= self.left(amount).amount

    def went_back(self, part: Money, reason: str) -> bool:
        """Whether just this much went back for just this reason."""
        return any((each.amount, each.reason) == (part, reason) for each in self.given)

    def gift(self, reference: str) -> Given | None:
        """The refund of that name, if it went back and is not known to have failed since."""
        return next((each for each in self.given if each.reference == reference), None)

    def knows(self, refund: str) -> bool:
        return refund in self.failed or self.gift(refund) is not None

    def with_given(self, given: Given) -> "Past":
        return Past((*self.given, given), self.failed, self.disputes)

    def with_failed(self, refund: str) -> "Past":
        kept = tuple(each for each in self.given if each.reference != refund)
        return Past(kept, (*self.failed, refund), self.disputes)

    def with_dispute(self, dispute: str) -> "Past":
        return Past(self.given, self.failed, (*self.disputes, dispute))


# ── States ────────────────────────────────────────────────────────────────────────────────────────


@final
class Unrequested(Struct, frozen=True, gc=False):
    pass


class Requested(Struct, frozen=True, gc=False):
    request: Request


class Pending(Struct, frozen=True, gc=False):
    """The provider has taken it up and cannot say yet how it ends."""

    request: Request
    reference: str


class ActionRequired(Struct, frozen=True, gc=False):
    request: Request
    reference: str
    action: str


class Authorized(Struct, frozen=True, gc=False):
    request: Request
    reference: str


class Captured(Struct, frozen=True, gc=False):
    """The money is here, all of it or what is left after partial refunds."""

    request: Request
    reference: str
    past: Past = Past()


class Disputed(Struct, frozen=True, gc=False):
    """The buyer's bank has taken the captured money back into question.

    owed: why a refund had been asked for before; empty if none was. amount: how much of it, None for all.
    """

    request: Request
    reference: str
    dispute: str
    reason: str
    past: Past = Past()
    owed: str = ""
    amount: Money | None = None


class ChargedBack(Struct, frozen=True, gc=False):
    """The dispute was lost: the bank has given the money to the buyer."""

    request: Request
    reference: str
    reason: str
    past: Past = Past()


class Refunding(Struct, frozen=True, gc=False):
    """The money shall go back; the provider has not confirmed it yet.

    amount: how much of it; None for all that is left. refund: the provider's name of it, once it has one.
    """

    request: Request
    reference: str
    reason: str
    past: Past = Past()
    amount: Money | None = None
    refund: str = ""


class Refunded(Struct, frozen=True, gc=False):
    """All of it went back."""

    request: Request
    reference: str
    reason: str
    past: Past = Past()


class Declined(Struct, frozen=True, gc=False):
    request: Request
    code: str
    message: str


class Voided(Struct, frozen=True, gc=False):
    """Ended without money; the provider has promised that none can follow."""

    request: Request
    reason: str


Open: TypeAlias = Requested | Pending | ActionRequired | Authorized
"""No money was taken yet, and it still can be."""
Taken: TypeAlias = Captured | Disputed | ChargedBack | Refunding | Refunded
Active: TypeAlias = Open | Taken | Declined | Voided
State: TypeAlias = Unrequested | Active


def kept(state: State) -> Money | None:
    """What the house has of an attempt, as far as the provider has confirmed it; None for none.

    A dispute is between the banks: until it is lost, the money counts as here.
    """
    match state:
        case Captured() | Disputed() | Refunding():
            return state.past.left(state.request.amount)
        case _:
            return None
