"""Read models as tables for analysts: one read model built from the log, and read row by row."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

from domain.decider import AnyRecorded
from gateways.analysis.columns import Column, Columns, Table
from projections.file import HOUSEKEEPING, MEMORY, connect
from projections.held import Held
from projections.projection import Projection, moment
from projections.read_model import ReadModel
from projections.rebuild import Rebuild

MEANINGS = {
    "amount": "an amount of money in minor units of its currency",
    "buyer": "the account that ordered it",
    "check_at": "when the order wants a look",
    "currency": "the currency's ISO 4217 code in lower case",
    "deadline": "when the hold ends, if its payment has no outcome by then",
    "decided_at": "when it happened, in UTC",
    "delisted": "1 if the seller has taken it back",
    "due_at": "since when the purchase wants a look; empty if nothing is left to do",
    "ends": "when the hold ends if nothing else happens",
    "event": "the last event that was written to the row",
    "error": "what its step failed with",
    "expires_at": "when the hold ends, in UTC",
    "folded": "the title as it is compared",
    "for_sale": "1 if it can be bought now",
    "held": "1 while its ticket is held for it",
    "hold_check": "when a hold without an order wants a look",
    "hold_ends": "when the ticket's hold ends",
    "id": "its own id",
    "kind": "capture, refund, restored or chargeback",
    "left": "what of the attempt's money is still kept, in minor units; none if it was never taken",
    "listed": "the position of the listing in the log",
    "made": "when it began, in UTC",
    "minded": "1 if the purchase was set aside, or left so by an operator",
    "open": "attempts to pay that have no outcome yet",
    "order_id": "the order",
    "parked": "0; 1 while it is set aside for an operator; 2 if he has skipped it",
    "parked_at": "when it was set aside",
    "payment": "the attempt to pay that counts",
    "placed": "the position of the order in the log",
    "position": "the position of the event in the log",
    "purchase": "the order",
    "reason": "why it was cancelled",
    "reference": "the provider's name of it",
    "refunded": "attempts whose money went back whole",
    "revived": "1 if it had ended by time, but its money came late and its ticket was still free",
    "seller": "the account that sells it",
    "sold": "1 if the ticket is sold to that order",
    "standing": "how it stands",
    "state": "how the attempt stands",
    "status": "how it stands",
    "step": "the step that failed",
    "taken": "attempts whose money was taken and is kept",
    "ticket": "the ticket",
    "ticket_version": "the ticket's public version when it was ordered",
    "tickets": "how many can be bought now",
    "title": "what the seller calls it",
    "tries": "how often the step failed",
    "version": "the ticket's public version",
}
"""What the columns of the read models mean."""

TIMES = frozenset("at expires_at hold_ends hold_check ends deadline check_at parked_at due_at made".split())
"""Columns that hold microseconds since 1970, as ``projections.projection.micros`` makes them."""


def tables(projection: Projection) -> dict[str, Table]:
    """The tables of a read model, by their names in its file."""
    model = ReadModel(projection, MEMORY)
    try:
        return {name: _table(projection, model, name) for name in _names(model)}
    finally:
        model.close()


def _names(model: ReadModel) -> list[str]:
    found = model.rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid")
    return [name for (name,) in found if name not in HOUSEKEEPING and not name.startswith("sqlite_")]


def _table(projection: Projection, model: ReadModel, name: str) -> Table:
    columns = model.rows("SELECT name, type FROM pragma_table_xinfo(?)", name)
    return Table(f"{projection.name}.{name}", tuple(_column(*column) for column in columns))


def _column(name: str, type_: str) -> Column:
    called = "decided_at" if name == "at" else name
    if name in TIMES:
        return Column(called, "time", MEANINGS.get(called, ""))
    return Column(called, "integer" if type_.startswith("INT") else "text", MEANINGS.get(called, ""))


BATCH = 1_000
"""Rows that are read at once."""


class Rebuilt:
    """A read model in a file of its own at ``path``, made from the log up to wherever it is fed to."""

    def __init__(self, projection: Projection, folder: Path) -> None:
        self._projection = projection
        self.path = folder / f"{projection.name}.sqlite"
        self._rebuild = Rebuild(projection, self.path, kind="")

    def take(self, page: Sequence[AnyRecorded]) -> None:
        """Apply the next events of the log."""
        self._rebuild.take(page)

    def finish(self) -> tuple[Held, ...]:
        """End the feeding. The streams that could not be applied: what they say is missing."""
        return self._rebuild.finish()

    def batches(self, table: str) -> Iterator[Columns]:
        """A table, a batch at a time, in the file's own order."""
        columns = tables(self._projection)[table].columns
        times = [column.kind == "time" for column in columns]
        with closing(connect(self.path, read_only=True)) as connection:
            yield from _batches(connection, table, times)


def _batches(connection: sqlite3.Connection, table: str, times: list[bool]) -> Iterator[Columns]:
    cursor = connection.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - a name from the projection's own schema
    while rows := cursor.fetchmany(BATCH):
        columns = zip(*rows, strict=True)
        yield [
            _moments(column) if is_time else column for column, is_time in zip(columns, times, strict=True)
        ]


def _moments(column: Sequence[int | None]) -> list[datetime | None]:
    return [None if value is None else moment(value) for value in column]
