"""A long past, made quickly: a log of a million events that legal purchases have left behind.

The rows go into the log through the recorder's own INSERT in one transaction; what is in them went
through the codec, so to read them costs what it costs to read any other.
"""

import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from domain.decider import AnyProposed, Metadata, Proposed
from domain.ids import derived_id
from domain.money import Money
from domain.order import EXPIRED, OrderCancelled, OrderCompleted, OrderPlaced, PaymentStarted
from domain.payment import PaymentAuthorized, PaymentCaptured, PaymentRequested
from domain.ticket import TicketListed, TicketReleased, TicketReserved, TicketSold
from gateways.codec import Codec
from gateways.embedded import EmbeddedStore
from gateways.embedded_mark import HeadMark
from gateways.embedded_recorder import INSERT, Row, new_row

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
SELLERS, BUYERS = 500, 5_000
HOLD = timedelta(minutes=15)

Fact = tuple[str, int, object]


async def write(data: Path, events: int, tell: Callable[[int], None] = lambda _: None) -> None:
    """Fill an empty data directory with a log of ``events`` events."""
    path = data / "log.sqlite"
    await (await EmbeddedStore.open(path)).close()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("BEGIN IMMEDIATE")
    rows = _rows(events)
    for written in range(0, events, 10_000):
        connection.executemany(INSERT, (next(rows) for _ in range(min(10_000, events - written))))
        tell(written)
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    mark = HeadMark(path)
    mark.set(events)
    mark.close()


def _rows(events: int) -> Iterator[Row]:
    codec = Codec()
    for number, (stream, revision, event) in zip(range(events), _facts(), strict=False):
        metadata = Metadata(f"r{number}", f"c{number}", "history", BEGAN + timedelta(seconds=number))
        proposed: AnyProposed = Proposed(UUID(int=number + 1), event, metadata)
        yield new_row(stream, revision, proposed.id, codec.encode(proposed))


def _facts() -> Iterator[Fact]:
    """Of ten listings six are sold, two go back on sale unpaid, two have not been asked for yet."""
    number = 0
    while True:
        number += 1
        ticket, order, payment = (derived_id("past", what, str(number)) for what in ("t", "o", "p"))
        seller = derived_id("past", "seller", str(number % SELLERS))
        buyer = derived_id("past", "buyer", str(number % BUYERS))
        price, title = Money(1000 + number % 9000, "usd"), f"Evening {number % 700}, seat {number}"
        until = BEGAN + timedelta(seconds=9 * number) + HOLD
        yield f"ticket-{ticket}", 0, TicketListed(seller, title, price)
        if number % 10 >= 8:
            continue
        yield f"ticket-{ticket}", 1, TicketReserved(order, buyer, price, until)
        yield f"order-{order}", 0, OrderPlaced(buyer, ticket, seller, title, price, until, 0)
        if number % 10 >= 6:
            yield f"order-{order}", 1, OrderCancelled(EXPIRED)
            yield f"ticket-{ticket}", 2, TicketReleased(order, EXPIRED)
            continue
        yield f"order-{order}", 1, PaymentStarted(payment, "tok_visa", until)
        yield f"payment-{payment}", 0, PaymentRequested(order, price, "tok_visa")
        yield f"payment-{payment}", 1, PaymentAuthorized(f"ch_{number}")
        yield f"ticket-{ticket}", 2, TicketSold(order)
        yield f"payment-{payment}", 2, PaymentCaptured(f"ch_{number}")
        yield f"order-{order}", 2, OrderCompleted(payment)
