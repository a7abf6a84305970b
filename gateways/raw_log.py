"""A log as bytes: what is moved from store to store is neither read nor understood, so nothing is lost.

Two stores have this side: the embedded one and EventStoreDB. Positions are each store's own.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol
from uuid import UUID

from msgspec import DecodeError, Raw, Struct, json


class RawEvent(Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True):
    """An event in its place, as it is stored. position: in the log that it was read from.

    Backups hold these fields in this order, without their names (gateways/backup/segment.py).
    """

    stream: str
    revision: int
    position: int
    id: UUID
    type: str
    data: bytes
    metadata: bytes

    def is_same(self, other: "RawEvent") -> bool:
        """Whether both are one event: equal in everything but the position."""
        return (
            self.revision == other.revision
            and self.stream == other.stream
            and self.id.int == other.id.int  # ids themselves are compared by a function in Python
            and self.type == other.type
            and self.data == other.data
            and self.metadata == other.metadata
        )

    @property
    def is_json(self) -> bool:
        """Whether its data may be said to be JSON."""
        try:
            json.decode(self.data, type=Raw)
        except (DecodeError, UnicodeDecodeError):
            return False
        return True

    def __str__(self) -> str:
        return f"{self.stream} revision {self.revision}"


class CannotHold(ValueError):
    """The store that is written to cannot hold an event. Says in one line which and why."""


class RawLog(Protocol):
    """A log that is read and written as bytes.

    hidden: streams of which the store no longer shows everything, and why, as far as was read.
    """

    hidden: dict[str, str]

    def __str__(self) -> str:
        """The store's name for people, without secrets."""
        ...

    async def categories(self) -> frozenset[str]:
        """The kinds of stream that are in it: what stands before the first dash, or the whole name."""
        ...

    async def last(self) -> RawEvent | None:
        """The last event, None in an empty log. Raises StoreUnavailable."""
        ...

    async def at(self, stream: str, revision: int) -> RawEvent | None:
        """One event; None if it is not there. Raises StoreUnavailable."""
        ...

    def pages(self, after: int, until: int) -> AsyncIterator[Sequence[RawEvent]]:
        """The events behind position ``after``, in order, up to ``until``. Raises StoreUnavailable."""
        ...

    def check(self, event: RawEvent) -> None:
        """Raises CannotHold for what could not be written here."""
        ...

    async def append(self, events: Sequence[RawEvent]) -> None:
        """Write at the log's end, in this order. What is lost with a crash is a tail of it.

        Raises WrongRevision when something else stands there, StoreUnavailable.
        """
        ...

    async def settle(self) -> None:
        """Wait until all that was appended is durable. Raises as ``append``."""
        ...

    async def close(self) -> None: ...
