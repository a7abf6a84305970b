"""Folding the log straight into states: the same as by way of every event's envelope, or a clear word."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any
from zlib import crc32

import pytest
from msgspec import Struct, json
from msgspec.structs import replace

from benchmarks import history
from deploy import log_reader
from domain.decider import AnyDecider, AnyRecorded, Decider
from domain.deciders import DECIDERS
from domain.ticket import ticket
from gateways.chain import parted
from gateways.codec import Codec
from gateways.damage import StoreDamaged
from gateways.embedded_file import open_checked
from gateways.embedded_fold import PAGE, EmbeddedFold
from gateways.embedded_raw import EmbeddedRawLog
from gateways.raw_log import RawEvent
from processmanager.archive import END
from processmanager.desk import UnreadableStream

EVENTS = 2_300
"""Some pages, and a piece of one."""
REMEMBERED = 40
"""Fewer than there are streams on a page."""


@pytest.fixture
async def log(tmp_path: Path) -> Path:
    """Streams that are written one after the other."""
    await history.write(tmp_path, EVENTS)
    return tmp_path / "log.sqlite"


@pytest.fixture
async def entwined(log: Path) -> Path:
    """The same streams, all of them going on from the beginning of the log to its end."""
    events = [event async for page in EmbeddedRawLog(log).pages(0, EVENTS) for event in page]
    return await laid(log.with_name("entwined.sqlite"), sorted(events, key=lambda event: event.revision))


async def laid(path: Path, events: Sequence[RawEvent]) -> Path:
    """A log of these events, without their chains."""
    log = EmbeddedRawLog(path)
    await log.append([replace(event, metadata=parted(event.metadata)[0]) for event in events])
    await log.settle()
    await log.close()
    return path


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


async def states_of(log: Path, deciders: Sequence[AnyDecider], until: int = END) -> dict[str, Any]:
    """With little memory, so that much of it is put away and taken out again."""
    states: dict[str, Any] = {}
    with closing(EmbeddedFold(log, open_checked(log), Codec(), remembered=REMEMBERED)) as fold:
        async for part in fold.states(deciders, until):
            assert not states.keys() & part.keys()
            assert len(part) <= 2 * (REMEMBERED + PAGE)
            states |= part
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


async def test_every_state_at_any_position_is_what_its_events_make_of_it(log: Path, entwined: Path) -> None:
    for path in (log, entwined):
        facts, rng = await told(path), Random(5)
        for until in (0, 1, PAGE, PAGE + 1, EVENTS, END, *(rng.randrange(EVENTS) for _ in range(10))):
            states = folded(facts, until)
            assert await states_of(path, DECIDERS, until) == states
            for kind in DECIDERS:
                own = {name: state for name, state in states.items() if name.startswith(f"{kind.category}-")}
                assert await states_of(path, [kind], until) == own
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
    assert (await log_reader.state(log, ticket, "\ud800", END)).state == ticket.initial


async def test_a_decider_of_one_s_own_folds_events_that_it_does_not_list(log: Path) -> None:
    count: AnyDecider = Decider("order", 0, lambda _, __: (), lambda seen, _: seen + 1, ())
    counted = await states_of(log, [count])
    orders = [fact.stream for fact in await told(log) if fact.category == "order"]
    assert counted == {name: orders.count(name) for name in orders}


@pytest.mark.parametrize("column", ["originator_id", "topic", "state", "event_id", "metadata", "checksum"])
async def test_an_event_that_was_altered_is_folded_into_nothing(log: Path, column: str) -> None:
    spoil(log, f"UPDATE stored_events SET {column} = CAST({column} AS TEXT) || 'x' WHERE rowid = 700")
    stream = (await told(log))[699].stream.removesuffix("x")
    (kind,) = (each for each in DECIDERS if stream.startswith(f"{each.category}-"))
    for deciders in (DECIDERS, [kind]):
        with pytest.raises(StoreDamaged, match="the event at position 700 was altered"):
            await states_of(log, deciders)


@pytest.mark.parametrize("deciders", [DECIDERS, [ticket]], ids=["all", "one kind"])
async def test_an_event_that_is_gone_is_noticed(log: Path, deciders: Sequence[AnyDecider]) -> None:
    spoil(log, "DELETE FROM stored_events WHERE rowid = 700")
    with pytest.raises(StoreDamaged, match="events are missing behind position 500"):
        await states_of(log, deciders)


async def test_a_gap_in_a_stream_is_noticed(log: Path) -> None:
    first = next(fact for fact in await told(log) if fact.revision == 1)
    spoil(log, "UPDATE stored_events SET originator_version = 77 WHERE rowid = ?", first.position)
    (kind,) = (each for each in DECIDERS if each.category == first.category)
    with pytest.raises(StoreDamaged, match=f"{first.stream} has a gap behind revision"):
        await log_reader.state(log, kind, first.key, END)


SPOILT = {
    "a foreign type": {"type": "TicketBlessed"},
    "a newer schema": {"metadata": json.encode({"schema": 7, "actor": "somebody later"})},
    "data of no sense": {"data": b'{"order": 7'},
}


@pytest.mark.parametrize("name", ["log", "entwined"])
@pytest.mark.parametrize("revision", [0, 1, 2])
@pytest.mark.parametrize("columns", SPOILT.values(), ids=SPOILT)
async def test_a_stream_that_cannot_be_read_is_left_out_and_told_when_asked_for(
    entwined: Path, name: str, columns: dict[str, Any], revision: int
) -> None:
    sound = entwined.with_name(f"{name}.sqlite")
    facts = await told(sound)
    broken = choose(facts, revision)
    events = [event async for page in EmbeddedRawLog(sound).pages(0, EVENTS) for event in page]
    events[broken.position - 1] = replace(events[broken.position - 1], **columns)
    spoilt = await laid(sound.with_name("spoilt.sqlite"), events)
    states = {stream: state for stream, state in folded(facts).items() if stream != broken.stream}
    assert await states_of(spoilt, DECIDERS) == states
    (kind,) = (each for each in DECIDERS if each.category == broken.category)
    with pytest.raises(UnreadableStream, match=f"{broken.stream} revision {revision}"):
        await log_reader.state(spoilt, kind, broken.key, END)


def choose(facts: list[AnyRecorded], revision: int) -> AnyRecorded:
    """The first fact of this revision whose stream was last written on an earlier page of the log."""
    seen: dict[str, int] = {}
    for fact in facts:
        if fact.revision == revision and (fact.position - 1) // PAGE > seen.get(fact.stream, -1):
            return fact
        seen[fact.stream] = (fact.position - 1) // PAGE
    raise AssertionError(f"no fact of revision {revision}")


async def test_a_stream_without_a_beginning_is_noticed(log: Path) -> None:
    first = next(fact for fact in await told(log) if fact.revision == 1)
    spoil(log, "UPDATE stored_events SET originator_id = 'parking-x' WHERE rowid = ?", first.position - 1)
    rewrite(log, first.position - 1)
    with pytest.raises(StoreDamaged, match=f"{first.stream} has no beginning"):
        await states_of(log, DECIDERS)


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
        assert [part async for part in fold.states([seat], 1)] == [{stream: 12}]
        assert (await fold.one(seat, first.key, 1)).state == 12
