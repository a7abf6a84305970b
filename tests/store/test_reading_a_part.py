"""Reading the log without the events that nobody needs: what is left out is counted, never lost."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks import history
from deploy import log_reader
from domain.decider import AnyRecorded, Unreadable
from gateways.damage import StoreDamaged
from projections.catalogue import CATALOGUE

EVENTS = 3_000


@pytest.fixture
async def log(tmp_path: Path) -> Path:
    await history.write(tmp_path, EVENTS)
    return tmp_path / "log.sqlite"


def spoil(log: Path, sql: str) -> None:
    with closing(sqlite3.connect(log, isolation_level=None)) as connection:
        connection.execute(sql)


async def read(log: Path, without: frozenset[str] = frozenset()) -> list[AnyRecorded]:
    return [fact async for page in log_reader.pages(log, without) for fact in page]


async def test_what_is_left_is_the_log_without_the_types_of_no_interest(log: Path) -> None:
    unwanted = CATALOGUE.of_no_interest
    wanted = [fact for fact in await read(log) if type(fact.event).__name__ not in unwanted]
    assert 0 < len(wanted) < EVENTS
    assert await read(log, unwanted) == wanted


async def test_an_event_that_is_gone_is_noticed_though_nobody_needed_it(log: Path) -> None:
    spoil(log, "DELETE FROM stored_events WHERE rowid = "
          "(SELECT rowid FROM stored_events WHERE topic = 'PaymentCaptured' LIMIT 1)")  # fmt: skip
    with pytest.raises(StoreDamaged, match="events are missing behind position"):
        await read(log, CATALOGUE.of_no_interest)


async def test_an_event_of_a_type_that_nobody_knows_is_not_left_out(log: Path) -> None:
    spoil(log, "UPDATE stored_events SET topic = 'TicketBlessed' WHERE rowid = 7")
    (unknown,) = [f for f in await read(log, CATALOGUE.of_no_interest) if isinstance(f.event, Unreadable)]
    assert unknown.position == 7
