"""The whole log folded into what it means: every ticket, order, payment and parked purchase as it is now."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from domain import order, parking, payment, ticket
from domain.decider import NO_STREAM, AnyRecorded, Unreadable
from domain.deciders import DECIDERS

_DECIDERS = {decider.category: decider for decider in DECIDERS}


class Books:
    """Fold pages of the log into it with ``take``, then read.

    touched: when each stream was last written. broken: streams that cannot be folded, and why.
    """

    def __init__(self) -> None:
        self.events = 0
        self.touched: dict[str, datetime] = {}
        self.broken: dict[str, str] = {}
        self._revisions: dict[str, int] = {}
        self._states: dict[str, dict[str, Any]] = {category: {} for category in _DECIDERS}

    @property
    def tickets(self) -> dict[str, ticket.State]:
        return self._states[ticket.ticket.category]

    @property
    def orders(self) -> dict[str, order.State]:
        return self._states[order.order.category]

    @property
    def payments(self) -> dict[str, payment.State]:
        return self._states[payment.payment.category]

    @property
    def parkings(self) -> dict[str, parking.State]:
        return self._states[parking.parking.category]

    def take(self, page: Iterable[AnyRecorded]) -> None:
        """Fold the next facts of the log. What does not fit is kept in ``broken``."""
        for fact in page:
            self.events += 1
            if fact.stream not in self.broken:
                self._fold(fact)

    def _fold(self, fact: AnyRecorded) -> None:
        stream = fact.stream
        if fact.revision != self._revisions.get(stream, NO_STREAM) + 1:
            self.broken[stream] = f"revision {fact.revision} does not follow on the one before"
            return
        if isinstance(fact.event, Unreadable):
            self.broken[stream] = f"revision {fact.revision}: {fact.event.reason}"
            return
        decider = _DECIDERS.get(fact.category)
        if decider is None:
            self.broken[stream] = "it is of a category that this version does not know"
            return
        states = self._states[decider.category]
        try:
            states[fact.key] = decider.evolve(states.get(fact.key, decider.initial), fact.event)
        except (ValueError, AssertionError) as error:
            self.broken[stream] = f"revision {fact.revision}: {error}"
            return
        self._revisions[stream] = fact.revision
        self.touched[stream] = fact.metadata.at
