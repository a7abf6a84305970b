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
from gateways.chain import LINK, NOTHING_BEFORE
from gateways.codec import Codec
from gateways.embedded import EmbeddedStore
from gateways.embedded_mark import HeadMark
from gateways.embedded_recorder import INSERT, Row, chained, draft
from gateways.embedded_seals import NOTHING_SEALED, Seal, seal

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
SELLERS, BUYERS = 500, 5_000
HOLD = timedelta(minutes=15)
SEALED_AT_ONCE = 100
"""Events. A shop that is busy seals some dozens with each commit, a quiet one a few."""

Fact = tuple[str, int, object]


async def write(data: Path, events: int, tell: Callable[[int], None] = lambda _: None) -> None:
    """Fill an empty data directory with a log of ``events`` events."""
    path = data / "log.sqlite"
    await (await EmbeddedStore.open(path)).close()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("BEGIN IMMEDIATE")
    rows, sealed = _rows(events), Seal(0, NOTHING_SEALED)
    for written in range(0, events, SEALED_AT_ONCE):
        part = [next(rows) for _ in range(min(SEALED_AT_ONCE, events - written))]
        connection.executemany(INSERT, (row for row, _ in part))
        sealed = seal(connection, written + len(part), [chain for _, chain in part])
        tell(written)
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    mark = HeadMark(path)
    mark.set(sealed)
    mark.close()


def _rows(events: int) -> Iterator[tuple[Row, bytes]]:
    """Each row, and its chain."""
    codec = Codec()
    links: dict[str, bytes] = {}
    for number, (stream, revision, event) in zip(range(events), _facts(), strict=False):
        metadata = Metadata(f"r{number}", f"c{number}", "history", BEGAN + timedelta(seconds=number))
        proposed: AnyProposed = Proposed(UUID(int=number + 1), event, metadata)
        if revision == 0 and stream.startswith("ticket-"):
            links.clear()  # each listing's streams are done before the next one's begin
        before = links.get(stream, NOTHING_BEFORE)
        row, chain = chained(draft(stream, revision, proposed.id, codec.encode(proposed)), before)
        links[stream] = chain[:LINK]
        yield row, chain


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
