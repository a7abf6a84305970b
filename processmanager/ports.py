"""The outside, as the process manager sees it: a log, its signals, a payment provider, a clock, an agenda."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Literal, Protocol, TypeAlias

from msgspec import Struct

from domain.decider import AnyProposed, AnyRecorded
from domain.money import Money

# ── The log ───────────────────────────────────────────────────────────────────────────────────────


class WrongRevision(Exception):
    """The stream is not at the revision that the append expected. Decide again on what is there now."""


class StoreUnavailable(Exception):
    """The log did not take the call, and nothing was written."""


class OutcomeUnknown(Exception):
    """The log may or may not have taken the append. A repeat with the same event ids settles it."""


class EventStore(Protocol):
    """Three verbs. One stream an append; positions are opaque, comparable and strictly rising."""

    async def read(self, stream: str, after: int = -1) -> Sequence[AnyRecorded]:
        """The events of ``stream`` behind revision ``after``, in order; none if there is no such stream.

        Raises StoreUnavailable.
        """
        ...

    async def append(self, stream: str, events: Sequence[AnyProposed], expected: int) -> int:
        """Append all of ``events`` or none, durably, and give the log position of the last one.

        expected: the stream's revision, ``NO_STREAM`` (-1) for none yet. A repeat of an append that
        already stands there (same ids at the same revisions) succeeds without writing.
        Raises WrongRevision, StoreUnavailable, OutcomeUnknown.
        """
        ...

    def follow(self, after: int = 0) -> AsyncIterator[Sequence[AnyRecorded]]:
        """The whole log behind position ``after`` (0: from its start) in batches, then live, without end."""
        ...


# ── Signals, where processes share the work ────────────────────────────────────────────────────────


class Signal(Protocol):
    """A fact of the log that was given to this one of several processes, until it says how it went.

    One that is not answered is given out again. Answers that come too late change nothing.
    """

    @property
    def fact(self) -> AnyRecorded: ...

    @property
    def tries(self) -> int:
        """How often it was given out before."""
        ...

    @property
    def was_parked(self) -> bool:
        """The store had set it aside, and an operator has had it given out again."""
        ...

    @property
    def over(self) -> bool:
        """The connection that it came over has ended: somebody is given it again, maybe we."""
        ...

    async def done(self) -> None:
        """Nothing is left to do for it: what became of it stands in the log."""
        ...

    async def again(self) -> None:
        """It is to be given out again at once, counted as one more try; beyond the limit it is set aside."""
        ...

    async def park(self) -> None:
        """The store is to set it aside for an operator."""
        ...


class Signals(Protocol):
    """Where facts are given out, each to one of the processes that take part."""

    @property
    def limit(self) -> int:
        """How often a signal is given out again before the store sets it aside."""
        ...

    @property
    def keep(self) -> float:
        """Seconds that a signal may be kept without an answer."""
        ...

    @property
    def problem(self) -> str | None:
        """None, or in one line why no signals come now."""
        ...

    def signals(self) -> AsyncIterator[Signal]:
        """What is given to this process, without end and whatever happens to the connection."""
        ...


# ── The payment provider ──────────────────────────────────────────────────────────────────────────


class PaymentsUnavailable(Exception):
    """The provider did not answer, or not clearly. What it did is unknown; repeat with the same key."""


class KeyReused(Exception):
    """A key or an attempt's id came again with other facts. A fault of the caller that no repeat mends."""


class Attempt(Struct, frozen=True):
    """One attempt to take money, as the provider is told of it.

    id: the payment's id. reference: the provider's own name for it, once it is known.
    request: the id of the HTTP request that began it. at: when that was.
    back: how much of it a refund is to give back; None for all that is left.
    """

    id: str
    order: str
    amount: Money
    method: str
    reference: str | None = None
    request: str = ""
    at: datetime | None = None
    back: Money | None = None


def step_key(attempt: str, verb: str, number: int = 0) -> str:
    """The provider's idempotency key: one for each step of each attempt, the same at each repeat.

    number: how many refunds of the attempt came before.
    """
    return f"{attempt}:{verb}:{number}" if number else f"{attempt}:{verb}"


class Confirmation(Struct, frozen=True):
    """What the buyer's client needs to have a payment confirmed. A secret of the buyer, so it is never kept.

    secret: for the provider's own script. page: where the bank asks, if that is a page to go to.
    """

    secret: str | None = None
    page: str | None = None


class IsUnknown(Struct, frozen=True):
    """The provider has never heard of it: its authorisation did not arrive, or not yet."""


class IsPending(Struct, frozen=True):
    """The provider has taken it up and cannot say yet how it ends."""

    reference: str


class NeedsAction(Struct, frozen=True):
    reference: str
    action: str


class IsAuthorized(Struct, frozen=True):
    reference: str


class IsDeclined(Struct, frozen=True):
    """The card was refused, and the provider has promised that this attempt can take no money later."""

    code: str
    message: str


class Returned(Struct, frozen=True):
    """A refund of a part or of all. ``reason``: why it failed, if it did."""

    reference: str
    amount: Money
    standing: Literal["pending", "done", "failed"]
    reason: str = ""


class Contested(Struct, frozen=True):
    """A dispute: the buyer's bank has taken the money into question."""

    reference: str
    reason: str
    standing: Literal["open", "won", "lost"]


class IsCaptured(Struct, frozen=True):
    """The money was taken. ``returned`` and ``contested``: all that became of it since, oldest first."""

    reference: str
    returned: tuple[Returned, ...] = ()
    contested: tuple[Contested, ...] = ()


class IsVoided(Struct, frozen=True):
    pass


class IsRefunded(Struct, frozen=True):
    """The money was taken and went back whole, in one refund. ``of``: the provider's name of the attempt."""

    reference: str
    of: str = ""


Answer: TypeAlias = (
    IsUnknown | IsPending | NeedsAction | IsAuthorized | IsDeclined | IsCaptured | IsVoided | IsRefunded
)
"""What the provider says of an attempt *now*. The provider decides races; we record what it says."""


class Payments(Protocol):
    """A payment provider. Each call repeats safely under its key, for as long as the provider keeps keys.

    Every call answers with what is true of the attempt afterwards, whatever was asked: voiding an
    attempt that was captured meanwhile answers IsCaptured. Every call ends within its provider's
    deadline. Raises PaymentsUnavailable and KeyReused, and nothing else.
    """

    async def authorize(self, attempt: Attempt, key: str) -> Answer:
        """Set the money aside without taking it."""
        ...

    async def look(self, attempt: Attempt) -> Answer:
        """Ask what has become of it, changing nothing."""
        ...

    async def capture(self, attempt: Attempt, key: str) -> Answer:
        """Take the money that was set aside."""
        ...

    async def void(self, attempt: Attempt, key: str) -> Answer:
        """End the attempt: unless it was captured before, it can never take money once this has answered.

        That holds for an attempt which the provider has never seen too: an authorisation that is still
        on its way comes too late.
        """
        ...

    async def refund(self, attempt: Attempt, key: str) -> Answer:
        """Give captured money back, whole or in part."""
        ...

    async def confirmation(self, attempt: Attempt) -> Confirmation | None:
        """What the buyer needs to confirm the attempt; None if it does not wait for that."""
        ...


# ── Time, and what is due ─────────────────────────────────────────────────────────────────────────


class Clock(Protocol):
    """The time on which everything is decided."""

    def now(self) -> datetime:
        """The deciding time, in UTC. Never goes back."""
        ...


class Due(Struct, frozen=True):
    """A purchase to look at. ``ticket``: whose hold began it; ``at``: since when it wants a look.

    money: an attempt to pay is open, so looking after it may have to wait for the provider.
    parked: it is set aside, and is due only because its deadline has come.
    ends: when its hold ends, if it has not ended yet.
    set_aside: when it was last set aside, if it ever was.
    """

    order: str
    ticket: str
    at: datetime
    money: bool = False
    parked: bool = False
    ends: datetime | None = None
    set_aside: datetime | None = None

    def has_ended(self, now: datetime) -> bool:
        """Whether its hold is to be ended by now."""
        return self.ends is not None and self.ends <= now


class Agenda(Protocol):
    """Which purchases want a look. Only a hint: the pump decides from the streams."""

    def due(self, now: datetime, limit: int, after: Due | None = None) -> Sequence[Due]:
        """At most ``limit`` purchases due by ``now``, in the order (at, order), those behind ``after``."""
        ...

    def next_due(self) -> datetime | None:
        """When the next purchase falls due; None if none is open."""
        ...

    def whole(self) -> bool:
        """Whether it has heard of all that stood in the log when this process began."""
        ...
