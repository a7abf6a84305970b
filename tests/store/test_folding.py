"""Folding the log straight into states: the same as by way of every event's envelope, or a clear word."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any
from zlib import crc32

import pytest
from msgspec import Struct, json

from benchmarks import history
from deploy import log_reader
from domain.decider import AnyDecider, AnyRecorded, Decider
from domain.deciders import DECIDERS
from domain.ticket import ticket
from gateways.codec import Codec
from gateways.damage import StoreDamaged
from gateways.embedded_file import open_checked
from gateways.embedded_fold import EmbeddedFold
from processmanager.archive import END
from processmanager.desk import UnreadableStream

EVENTS = 2_300
"""Some pages, and a piece of one."""


@pytest.fixture
async def log(tmp_path: Path) -> Path:
    await history.write(tmp_path, EVENTS)
    return tmp_path / "log.sqlite"


async def told(log: Path) -> list[AnyRecorded]:
    return [fact async for fact in log_reader.facts(log)]


def folded(facts: list[AnyRecorded], until: int = END) -> dict[str, Any]:
    """The states by way of the envelopes."""
    kinds = {decider.category: decider for decider in DECIDERS}
    states: dict[str, Any] = {}
    for fact in facts:
        if fact.position <= until:
            kind = kinds[fact.category]
            states[fact.stream] = kind.evolve(states.get(fact.stream, kind.initial), fact.event)
    return states


def spoil(log: Path, sql: str, *values: Any) -> None:
    with closing(sqlite3.connect(log, isolation_level=None)) as connection:
        connection.execute(sql, values)


def rewrite(log: Path, position: int, **columns: Any) -> str:
    """Another event in an event's place, as if it had been written so; gives its stream."""
    with closing(sqlite3.connect(log, isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        (row,) = connection.execute("SELECT * FROM stored_events WHERE rowid=?", (position,))
        new = {**row, **columns}
        texts = new["originator_id"].encode(), new["topic"].encode()
        summed = crc32(
            b"".join((*texts, new["state"], new["event_id"], new["metadata"])), new["originator_version"]
        )
        connection.execute(
            "UPDATE stored_events SET topic=?, state=?, metadata=?, checksum=? WHERE rowid=?",
            (new["topic"], new["state"], new["metadata"], summed, position),
        )
        return str(new["originator_id"])


async def test_every_state_at_any_position_is_what_its_events_make_of_it(log: Path) -> None:
    facts, rng = await told(log), Random(5)
    for until in (0, 1, 500, 501, EVENTS, END, *(rng.randrange(EVENTS) for _ in range(20))):
        states = folded(facts, until)
        assert await log_reader.states(log, DECIDERS, until) == states
        for kind in DECIDERS:
            own = {name: state for name, state in states.items() if name.startswith(f"{kind.category}-")}
            assert await log_reader.states(log, [kind], until) == own
    assert len(states) > 100


async def test_one_state_tells_the_revision_and_position_at_which_it_is_true(log: Path) -> None:
    facts = await told(log)
    kinds = {decider.category: decider for decider in DECIDERS}
    for fact in Random(6).sample(facts, 100):
        found = await log_reader.state(log, kinds[fact.category], fact.key, fact.position)
        assert (found.revision, found.position) == (fact.revision, fact.position)
        assert found.state == folded(facts, fact.position)[fact.stream]
    nobody = await log_reader.state(log, ticket, "nobody", END)
    assert (nobody.revision, nobody.position, nobody.state) == (-1, 0, ticket.initial)


async def test_a_decider_of_one_s_own_folds_events_that_it_does_not_list(log: Path) -> None:
    count: AnyDecider = Decider("order", 0, lambda _, __: (), lambda seen, _: seen + 1, ())
    counted = await log_reader.states(log, [count], END)
    orders = [fact.stream for fact in await told(log) if fact.category == "order"]
    assert counted == {name: orders.count(name) for name in orders}


@pytest.mark.parametrize("column", ["originator_id", "topic", "state", "event_id", "metadata", "checksum"])
async def test_an_event_that_was_altered_is_folded_into_nothing(log: Path, column: str) -> None:
    spoil(log, f"UPDATE stored_events SET {column} = CAST({column} AS TEXT) || 'x' WHERE rowid = 700")
    stream = (await told(log))[699].stream.removesuffix("x")
    (kind,) = (each for each in DECIDERS if stream.startswith(f"{each.category}-"))
    for deciders in (DECIDERS, [kind]):
        with pytest.raises(StoreDamaged, match="the event at position 700 was altered"):
            await log_reader.states(log, deciders, END)


@pytest.mark.parametrize("deciders", [DECIDERS, [ticket]], ids=["all", "one kind"])
async def test_an_event_that_is_gone_is_noticed(log: Path, deciders: list[AnyDecider]) -> None:
    spoil(log, "DELETE FROM stored_events WHERE rowid = 700")
    with pytest.raises(StoreDamaged, match="events are missing behind position 500"):
        await log_reader.states(log, deciders, END)


async def test_a_gap_in_a_stream_is_noticed(log: Path) -> None:
    first = next(fact for fact in await told(log) if fact.revision == 1)
    spoil(log, "UPDATE stored_events SET originator_version = 77 WHERE rowid = ?", first.position)
    (kind,) = (each for each in DECIDERS if each.category == first.category)
    with pytest.raises(StoreDamaged, match=f"{first.stream} has a gap behind revision"):
        await log_reader.state(log, kind, first.key, END)


SPOILT: dict[str, Callable[[], dict[str, Any]]] = {
    "a foreign type": lambda: {"topic": "TicketBlessed"},
    "a newer schema": lambda: {"metadata": json.encode({"schema": 7, "actor": "somebody later"})},
    "data of no sense": lambda: {"state": b'{"order": 7'},
}


@pytest.mark.parametrize("columns", SPOILT.values(), ids=SPOILT)
async def test_a_stream_that_cannot_be_read_is_left_out_and_told_when_asked_for(
    log: Path, columns: Callable[[], dict[str, Any]]
) -> None:
    states = folded(await told(log))
    stream = rewrite(log, 700, **columns())
    del states[stream]
    assert await log_reader.states(log, DECIDERS, END) == states
    (kind,) = (each for each in DECIDERS if stream.startswith(f"{each.category}-"))
    with pytest.raises(UnreadableStream, match=f"{stream} revision"):
        await log_reader.state(log, kind, stream.removeprefix(f"{kind.category}-"), END)


class SeatMoved(Struct, frozen=True):
    """An event type at its second schema: ``place`` was ``seat`` first."""

    place: int


async def test_an_old_event_is_folded_in_its_newest_shape(log: Path) -> None:
    seat: AnyDecider = Decider("ticket", 0, lambda _, __: (), lambda _, moved: moved.place, (SeatMoved,))
    codec = Codec([seat], {("SeatMoved", 1): lambda raw: {"place": raw["seat"]}})
    first = (await told(log))[0]
    assert first.category == "ticket"
    stream = rewrite(log, 1, topic="SeatMoved", state=b'{"seat":12}')
    with closing(EmbeddedFold(log, open_checked(log), codec)) as fold:
        assert await fold.kind(seat, 1) == {stream: 12}
        assert (await fold.one(seat, first.key, 1)).state == 12
