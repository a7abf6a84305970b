"""A decider: one aggregate as one value, and the envelopes in which its events travel.

The shape is Jérémie Chassaing's decider: ``decide`` turns a command and a state into facts,
``evolve`` folds a fact into the state. Both are pure, so time, ids and randomness are arguments.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType, field

C = TypeVar("C")
S = TypeVar("S")
E = TypeVar("E")

NO_STREAM = -1
"""The revision of a stream that has no events yet. The first event has revision 0."""


class Refused(Exception):
    """What ``decide`` answers when a rule of the business forbids a command.

    It is a value, not a fault: ``decide`` returns it, and the desk raises it to whoever gave the command.

    code: a stable name of the rule, for programs.
    message: one sentence for a person.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __repr__(self) -> str:
        return f"Refused({self.code!r}, {self.message!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Refused) and (self.code, self.message) == (other.code, other.message)

    def __hash__(self) -> int:
        return hash((self.code, self.message))


class Decider(Struct, Generic[C, S, E], frozen=True):
    """An aggregate: its category in the log, its first state, its two functions and its event types."""

    category: str
    initial: S
    decide: Callable[[C, S], tuple[E, ...] | Refused]
    evolve: Callable[[S, E], S]
    events: tuple[type[E], ...]

    def stream(self, key: str) -> str:
        """The name of the stream of the aggregate ``key``, as in ``ticket-6568e3``."""
        return f"{self.category}-{key}"

    def fold(self, state: S, events: Iterable[E]) -> S:
        """The state after ``events``, beginning at ``state``."""
        for event in events:
            state = self.evolve(state, event)
        return state


class Metadata(Struct, frozen=True, gc=False):
    """What is known about an event beside what happened. Kept as JSON next to the event's data.

    correlation: the request or order that began it all.
    causation: the command or event that led to this one.
    actor: the account that asked for it, or the part of the system that did.
    at: when it was decided, in UTC, by the deciding clock.
    schema: the version of the event type's shape.
    traceparent: the W3C trace context of the request, when there was one.
    """

    correlation: str = field(name="$correlationId")
    causation: str = field(name="$causationId")
    actor: str
    at: datetime
    schema: int = 1
    traceparent: str | UnsetType = UNSET


class Proposed(Struct, Generic[E], frozen=True, gc=False):
    """An event that is about to be appended. ``id`` is derived from its cause, so a repeat is the same."""

    id: UUID
    event: E
    metadata: Metadata


class Recorded(Struct, Generic[E], frozen=True, gc=False):
    """An event in its place.

    revision: its number in its stream, from 0 without gaps.
    position: its place in the whole log. Opaque, but later is greater.
    """

    stream: str
    revision: int
    position: int
    id: UUID
    event: E
    metadata: Metadata

    @property
    def category(self) -> str:
        return self.stream.partition("-")[0]

    @property
    def key(self) -> str:
        """The aggregate's id: the stream's name without its category."""
        return self.stream.partition("-")[2]

    @property
    def originator_id(self) -> str:
        """The stream, under the name by which the eventsourcing library knows it."""
        return self.stream

    @property
    def originator_version(self) -> int:
        """The revision, under the name by which the eventsourcing library knows it."""
        return self.revision


class Unreadable(Struct, frozen=True, gc=False):
    """Stands for an event that this version cannot read: a foreign type, a newer schema, damaged data.

    It is handed on instead of being skipped, so that whoever needs the event stops and says so.
    """

    type: str
    data: bytes
    reason: str


class Loaded(Struct, Generic[S], frozen=True, gc=False):
    """A state and the place in its stream and in the log at which it is true."""

    stream: str
    revision: int
    position: int
    state: S

    @property
    def id(self) -> str:
        """The stream, under the name by which the eventsourcing library knows it."""
        return self.stream

    @property
    def version(self) -> int:
        """The revision, under the name by which the eventsourcing library knows it."""
        return self.revision


AnyDecider = Decider[Any, Any, Any]
AnyRecorded = Recorded[Any]
AnyProposed = Proposed[Any]
