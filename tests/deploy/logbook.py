"""Logs for tests: facts in their places, as if they had been written some time ago."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from msgspec import structs

from domain.decider import AnyRecorded, Metadata, Recorded
from domain.money import Money
from domain.order import OrderCancelled, OrderCompleted, OrderPlaced, PaymentStarted
from domain.payment import PaymentAuthorized, PaymentCaptured, PaymentRequested
from domain.ticket import TicketListed, TicketReleased, TicketReserved, TicketSold

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
PRICE = Money(4950, "usd")
EXPIRES = NOW - timedelta(minutes=45)


class Logbook:
    """Facts in the order in which they are written, an hour before NOW unless told otherwise."""

    def __init__(self) -> None:
        self.facts: list[AnyRecorded] = []
        self._revisions: dict[str, int] = {}

    def write(self, stream: str, *events: Any, at: datetime = NOW - timedelta(hours=1)) -> "Logbook":
        for event in events:
            revision = self._revisions.get(stream, -1) + 1
            self._revisions[stream] = revision
            position = len(self.facts) + 1
            metadata = Metadata(correlation="request", causation="test", actor="test", at=at)
            id_ = uuid5(NAMESPACE_URL, f"{stream}/{revision}")
            self.facts.append(Recorded(stream, revision, position, id_, event, metadata))
        return self

    def without(self, event_type: type) -> "Logbook":
        """The same history in which one kind of event never happened."""
        told = Logbook()
        for fact in self.facts:
            if not isinstance(fact.event, event_type):
                told.write(fact.stream, fact.event, at=fact.metadata.at)
        return told

    def with_event(self, index: int, event: Any) -> "Logbook":
        """The same history with another event at ``index``."""
        told = Logbook()
        told.facts = list(self.facts)
        told.facts[index] = structs.replace(self.facts[index], event=event)
        return told


def listed() -> Logbook:
    return Logbook().write("ticket-t", TicketListed("seller", "Front row", PRICE))


def reserved() -> Logbook:
    return (
        listed()
        .write("ticket-t", TicketReserved("o", "buyer", PRICE, EXPIRES))
        .write("order-o", OrderPlaced("buyer", "t", "seller", "Front row", PRICE, EXPIRES))
    )


def bought() -> Logbook:
    return (
        reserved()
        .write("order-o", PaymentStarted("p", "tok_visa", EXPIRES))
        .write("payment-p", PaymentRequested("o", PRICE, "tok_visa"), PaymentAuthorized("ref"))
        .write("ticket-t", TicketSold("o"))
        .write("payment-p", PaymentCaptured("ref"))
        .write("order-o", OrderCompleted("p"))
    )


def expired() -> Logbook:
    return (
        reserved()
        .write("order-o", OrderCancelled("expired"))
        .write("ticket-t", TicketReleased("o", "expired"))
    )
