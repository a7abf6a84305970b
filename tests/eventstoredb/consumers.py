"""The readers of a persistent subscription, and the strategies that choose among them."""

import asyncio
import json
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import TypeAlias
from uuid import UUID

from tests.eventstoredb.answers import Failure
from tests.eventstoredb.links import Resolved


class Message:
    """An event on its way through a group. ``sequence``: its place among all that the group took in.

    A replayed message has none: it is behind every checkpoint already.
    """

    def __init__(self, resolved: Resolved, sequence: int | None) -> None:
        self.resolved = resolved
        self.sequence = sequence
        self.retries = 0

    @property
    def id(self) -> UUID:
        """The id by which it is acknowledged: the link's, if a link led to it."""
        return self.resolved.original.id


class Consumer:
    """One connected reader, with at most ``size`` events that it has not acknowledged yet."""

    def __init__(self, size: int, peer: str) -> None:
        self.peer = peer
        self.size = size
        self.in_flight: set[UUID] = set()
        self.outbox: asyncio.Queue[Message | Failure] = asyncio.Queue()

    @property
    def has_room(self) -> bool:
        return len(self.in_flight) < self.size

    def push(self, message: Message) -> None:
        self.in_flight.add(message.id)
        self.outbox.put_nowait(message)

    def drop(self, failure: Failure) -> None:
        self.outbox.put_nowait(failure)


Strategy: TypeAlias = Callable[[Sequence[Consumer], Message], Consumer | None]
"""Chooses who gets a message; None: nobody can take it now."""


def dispatch_to_single(consumers: Sequence[Consumer], _: Message) -> Consumer | None:
    """Fill the first reader, then the next."""
    return next((consumer for consumer in consumers if consumer.has_room), None)


def pinned(consumers: Sequence[Consumer], message: Message) -> Consumer | None:
    """All events of a stream to one reader, as long as it stays."""
    return _pinned_to(consumers, _stream_of(message))


def pinned_by_correlation(consumers: Sequence[Consumer], message: Message) -> Consumer | None:
    """All events of a correlation to one reader, as long as it stays."""
    event = message.resolved.event
    try:
        correlation = json.loads(event.event.metadata)["$correlationId"] if event else None
    except (ValueError, KeyError, TypeError):
        correlation = None
    return _pinned_to(consumers, str(correlation or _stream_of(message)))


class RoundRobin:
    """Each event to the next reader that has room."""

    def __init__(self) -> None:
        self._turn = 0

    def __call__(self, consumers: Sequence[Consumer], _: Message) -> Consumer | None:
        for offset in range(len(consumers)):
            consumer = consumers[(self._turn + offset) % len(consumers)]
            if consumer.has_room:
                self._turn = (self._turn + offset + 1) % len(consumers)
                return consumer
        return None


STRATEGIES: dict[str, Callable[[], Strategy]] = {
    "DispatchToSingle": lambda: dispatch_to_single,
    "RoundRobin": RoundRobin,
    "Pinned": lambda: pinned,
    "PinnedByCorrelation": lambda: pinned_by_correlation,
}


def _stream_of(message: Message) -> str:
    return (message.resolved.event or message.resolved.original).stream


def _pinned_to(consumers: Sequence[Consumer], key: str) -> Consumer | None:
    """The reader with the highest hash for the key, so one that leaves moves only its own keys."""
    if not consumers:
        return None
    chosen = max(consumers, key=lambda consumer: blake2b(f"{consumer.peer}/{key}".encode()).digest())
    return chosen if chosen.has_room else None
