"""Events of another log, written into a log's file as they are."""

import sqlite3
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec import msgpack
from msgspec.structs import replace

from gateways.backup.segment import encode
from gateways.embedded_mark import HeadMark
from gateways.embedded_verbatim import VerbatimWriter
from gateways.embedded_verify import verify
from gateways.raw_log import RawEvent
from processmanager.ports import WrongRevision
from tests.backup.shelves import facts


def rows(path: Path, what: str = "*", table: str = "stored_events") -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"SELECT {what} FROM {table} ORDER BY 1").fetchall()


@pytest.mark.parametrize("count", [1, 49, 50, 51, 230])
def test_pages_of_any_size_stand_in_order_without_a_gap_and_prove_sound(path: Path, count: int) -> None:
    events = facts(count)
    with closing(VerbatimWriter(path)) as writer:
        writer.write(events[: count // 3])
        writer.write(events[count // 3 :])
    found = rows(path, "rowid, originator_id, originator_version, event_id, metadata")
    assert found == [
        (position, event.stream, event.revision, event.id.bytes, event.metadata)
        for position, event in enumerate(events, 1)
    ]
    assert verify(path, lambda *_: None).events == count


def _without_one(events: list[RawEvent]) -> list[RawEvent]:
    return [event for event in events if (event.stream, event.revision) != ("order-60", 1)]


def _with_one_twice(events: list[RawEvent]) -> list[RawEvent]:
    return [*events, events[0]]


def _with_another_first(events: list[RawEvent]) -> list[RawEvent]:
    return [*events, replace(events[0], stream="order-1000", revision=7)]


@pytest.mark.parametrize("spoil", [_without_one, _with_one_twice, _with_another_first])
def test_a_page_that_does_not_follow_is_refused_whole_and_a_right_one_follows(
    path: Path, spoil: Callable[[list[RawEvent]], list[RawEvent]]
) -> None:
    events = facts(240)
    with closing(VerbatimWriter(path)) as writer:
        writer.write(events[:100])
        before = rows(path)
        with pytest.raises(WrongRevision):
            writer.write(spoil(events[100:]))
        assert rows(path) == before
        writer.write(events[100:])
    assert verify(path, lambda *_: None).events == 240


def test_what_another_writer_has_written_meanwhile_is_followed_and_not_overwritten(path: Path) -> None:
    events = facts(9)
    with closing(VerbatimWriter(path)) as one, closing(VerbatimWriter(path)) as other:
        one.write(events[:1])
        other.write(events[1:2])
        one.write(events[2:5])
        with pytest.raises(WrongRevision):
            other.write(events[2:3])
        other.write(events[5:])
    assert verify(path, lambda *_: None).events == 9


def test_the_head_mark_tells_of_nothing_that_is_not_on_the_disk(path: Path) -> None:
    with closing(VerbatimWriter(path)) as writer:
        writer.settle()
        writer.write(facts(30))
        assert HeadMark.read(path) is None
        writer.settle()
        mark = HeadMark.read(path)
        assert mark is not None
        assert (mark.position, mark.hash) == rows(path, table="log_seals")[-1]


def test_a_segment_holds_what_the_first_version_put_there() -> None:
    """Name, revision, position, id, type, data, metadata: what old backups hold must stay readable."""
    events = [replace(event, position=position) for position, event in enumerate(facts(4), 1)]
    packed = [(e.stream, e.revision, e.position, e.id.bytes, e.type, e.data, e.metadata) for e in events]
    _, _, body = encode(events, "log", 1, "", None).partition(b"\n")
    assert zlib.decompress(body) == msgpack.encode(packed)
