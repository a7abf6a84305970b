"""A log is proved to be what was written, and what was done to it is named: ``admitone verify-log``."""

import random
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from domain.decider import NO_STREAM
from gateways import chain_proof, embedded_end, embedded_verify
from gateways.chain import carried, carrying, chain_of, parted
from gateways.chain_proof import Verified
from gateways.codec import StoredFact
from gateways.damage import StoreDamaged
from gateways.embedded import EmbeddedStore
from gateways.embedded_file import open_checked
from gateways.embedded_mark import HeadMark, Mark
from gateways.embedded_recorder import CREATE, INSERT, Row, checksum
from gateways.embedded_verbatim import VerbatimWriter
from gateways.embedded_verify import verify
from gateways.raw_log import RawEvent
from processmanager.ports import StoreUnavailable
from tests.store import proving
from tests.store.contract import event, events
from tests.store.damages import rewrite, rewrite_and_seal, swap, truncate
from tests.store.test_damage import change, content, everything, put, written


def verified(path: Path, expected: Mark | None = None) -> Verified:
    return verify(path, lambda *_: None, expected)


def metadata(path: Path) -> list[bytes]:
    connection = sqlite3.connect(path)
    found = [row[0] for row in connection.execute("SELECT metadata FROM stored_events ORDER BY rowid")]
    connection.close()
    return found


def older(path: Path, streams: int = 2, each: int = 3) -> None:
    """A log as it was written before there were chains and seals."""
    connection = sqlite3.connect(path, isolation_level=None)
    for sql in (
        "PRAGMA journal_mode=WAL",
        CREATE,
        "PRAGMA application_id=0x41644F6E",
        "PRAGMA user_version=1",
    ):
        connection.execute(sql)
    bare = b'{"$correlationId":"c","$causationId":"c","actor":"a","at":"2026-11-22T20:00:00Z","schema":1}'
    for number in range(streams * each):
        stream, revision, data = f"parking-{number % streams}", number // streams, b'{"by":"old"}'
        id_ = number.to_bytes(16)
        summed = checksum(stream, revision, "PurchaseRetried", data, id_, bare)
        row: Row = (stream, revision, "PurchaseRetried", data, id_, bare, summed)
        connection.execute(INSERT, row)
    connection.close()


# ── What an event carries ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("bare", [b'{"actor":"a"}', b'{"a":{"b":"c"}}', b""])
def test_an_event_carries_its_chain_and_gives_it_back(bare: bytes) -> None:
    chain = chain_of(bytes(32), b"frame", bare)
    assert parted(carrying(bare, chain)) == (bare, chain)


@pytest.mark.parametrize(
    "text",
    [b"", b"{}", b'{"actor":"a"}', b'{"chain":"short"}', b'{"chain":"%s"}' % (b"?" * 64), b"\xff" * 99],
)
def test_what_carries_no_chain_is_left_as_it_is(text: bytes) -> None:
    assert carried(text) is None
    assert parted(text) == (b"" if text == b"{}" else text, None)


async def test_every_event_is_chained_whoever_wrote_it(path: Path) -> None:
    store = await EmbeddedStore.open(path)
    await store.append("parking-1", events(2), NO_STREAM)
    store.recorder.insert_events([StoredFact("parking-1", 2, "PurchaseRetried", b"{}", event().id, b"")])
    await store.append("parking-1", events(1), 2)
    await store.close()
    assert all(carried(each) for each in metadata(path))
    assert len({carried(each) for each in metadata(path)}) == 4
    assert verified(path).unchained == 0


async def test_the_head_mark_goes_on_with_every_event_whoever_wrote_it(path: Path) -> None:
    store = await EmbeddedStore.open(path)
    await store.append("parking-1", events(2), NO_STREAM)
    store.recorder.insert_events([StoredFact("parking-1", 2, "PurchaseRetried", b"{}", event().id, b"")])
    await store.close()
    assert str(HeadMark.read(path)) == verified(path).head


async def test_a_repeat_is_recognised_and_writes_no_other_chain(path: Path) -> None:
    store, batch = await EmbeddedStore.open(path), events(2)
    for _ in range(2):
        assert await store.append("parking-1", batch, NO_STREAM) == 2
    await store.close()
    assert verified(path).events == 2


# ── What is found ─────────────────────────────────────────────────────────────────────────────────


async def test_a_log_that_nothing_was_done_to_is_proved(path: Path) -> None:
    await written(path)
    found = verified(path)
    assert (found.events, found.streams, found.unchained, found.sealed_behind) == (60, 20, 0, 0)
    mark = HeadMark.read(path)
    assert mark is not None
    assert found.head == str(mark)


NAMED: dict[str, tuple[str, str]] = {
    "altered": ("UPDATE stored_events SET state=X'7B7D' WHERE rowid=5", r"position 5 was altered"),
    "missing": ("DELETE FROM stored_events WHERE rowid=5", r"the event at position 5 is missing"),
    "several missing": ("DELETE FROM stored_events WHERE rowid IN (5, 6)", r"positions 5 to 6 are missing"),
    "cut off": ("DELETE FROM stored_events WHERE rowid > 57", r"positions 58 to 60 are missing"),
    "a seal gone": ("DELETE FROM log_seals WHERE position=0", r"seals before position .* are missing"),
    "no seals": ("DROP TABLE log_seals", r"is not the log that it was"),
    "another name": (
        "UPDATE stored_events SET originator_id='parking-x' WHERE rowid=5",
        r"position 5 was altered: .*parking-x revision",
    ),
    "another count": ("UPDATE sqlite_sequence SET seq=70", r"it counts 70 events, and holds 60"),
}


@pytest.mark.parametrize(("sql", "says"), NAMED.values(), ids=NAMED)
async def test_the_first_bad_event_is_named_in_one_line(path: Path, sql: str, says: str) -> None:
    await written(path)
    change(path, sql)
    with pytest.raises(StoreDamaged, match=says) as found:
        verified(path)
    assert "\n" not in str(found.value)


async def test_two_events_in_each_other_s_place_are_found_though_each_is_whole(path: Path) -> None:
    """Of different streams, so that no chain is broken: the seals tell."""
    store = await EmbeddedStore.open(path)
    for number in range(6):
        await store.append(f"parking-{number}", [event()], NO_STREAM)
    await store.close()
    swap(path, random.Random(1))
    with pytest.raises(StoreDamaged, match="not what was sealed there: moved"):
        verified(path)


async def test_a_stream_that_was_written_anew_from_an_event_on_is_found(path: Path) -> None:
    await written(path)
    rewrite(path, random.Random(1))
    with pytest.raises(StoreDamaged, match="not what was sealed there"):
        verified(path)


async def test_a_log_that_was_forged_in_every_part_is_told_by_its_head_mark(path: Path) -> None:
    await written(path)
    mark = HeadMark.read(path)
    rewrite_and_seal(path, random.Random(1))
    with pytest.raises(StoreDamaged, match="is not the log that it was"):
        verified(path)
    HeadMark.of(path).unlink()
    assert verified(path).events == 60, "whoever can replace the mark too"
    with pytest.raises(StoreDamaged, match="is not the log that it was"):
        verified(path, mark)  # is given away by a mark that was kept elsewhere


async def test_a_mark_of_before_still_holds_when_the_log_has_grown(path: Path) -> None:
    await written(path)
    mark = HeadMark.read(path)
    store = await EmbeddedStore.open(path)
    await store.append("parking-new", events(3), NO_STREAM)
    await store.close()
    assert verified(path, mark).events == 63


async def test_a_head_mark_that_is_none_is_named(path: Path) -> None:
    await written(path)
    HeadMark.of(path).write_text("60 or so\n")
    with pytest.raises(StoreDamaged, match=r"log\.sqlite\.head is damaged"):
        verified(path)
    with pytest.raises(StoreDamaged, match=r"log\.sqlite\.head is damaged"):
        await EmbeddedStore.open(path)


async def test_memory_does_not_grow_with_the_number_of_streams(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is no longer remembered of a stream is looked up, and altered events are found all the same."""
    monkeypatch.setattr(chain_proof, "REMEMBERED", 3)
    store = await EmbeddedStore.open(path)
    for revision in range(3):
        for number in range(20):
            await store.append(f"parking-{number}", [event()], revision - 1)
    await store.close()
    assert verified(path).streams == 20
    rewrite(path, random.Random(2))
    with pytest.raises(StoreDamaged):
        verified(path)


async def test_others_may_write_while_the_log_is_verified(path: Path) -> None:
    await written(path)
    store = await EmbeddedStore.open(path)
    assert verified(path).events == 60
    await store.append("parking-new", events(3), NO_STREAM)
    assert verified(path).events == 63
    await store.close()


# ── What is not served ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("forge", [rewrite, rewrite_and_seal, truncate, swap])
async def test_a_log_whose_end_was_tampered_with_is_not_served(
    path: Path, forge: Callable[[Path, random.Random], None]
) -> None:
    await written(path)
    forge(path, random.Random(1))
    with pytest.raises(StoreDamaged, match=r"backup|older copy"):
        await EmbeddedStore.open(path)


async def test_a_log_that_was_added_to_behind_its_seal_is_not_written_on(path: Path) -> None:
    store = await EmbeddedStore.open(path)
    await store.append("parking-1", events(1), NO_STREAM)
    change(
        path,
        "INSERT INTO stored_events SELECT 2, 'parking-2', 0, topic, state, event_id, metadata, 0"
        " FROM stored_events",
    )
    with pytest.raises(StoreDamaged, match="added or removed behind its seal"):
        await store.append("parking-3", events(1), NO_STREAM)
    assert "behind its seal" in str(store.health())
    await store.close()


async def test_another_log_of_the_same_length_is_not_served_in_its_place(path: Path) -> None:
    for name in (path, path.with_name("other.sqlite")):
        await written(name)
    put(path, content(path.with_name("other.sqlite")))
    with pytest.raises(StoreDamaged, match="is not the log that it was"):
        await EmbeddedStore.open(path)


async def test_a_long_log_is_checked_from_the_last_seal_before_its_end(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_end, "CHECKED_AT_START", 5)
    store = await EmbeddedStore.open(path)
    for size in (1, 1, 30, 1, 1, 12):  # a commit may be larger than what is checked
        await store.append(f"parking-{size}-{event().id}", events(size), NO_STREAM)
    await store.close()
    await (await EmbeddedStore.open(path)).close()
    rewrite(path, _Last())
    with pytest.raises(StoreDamaged, match="not what was sealed there"):
        await EmbeddedStore.open(path)


class _Last(random.Random):
    """Chooses what comes last."""

    def choice(self, seq: list[object]) -> object:  # type: ignore[override]  # of a list is all that is asked
        return seq[-1]


# ── Logs of before ────────────────────────────────────────────────────────────────────────────────


async def test_a_log_of_before_goes_on_and_says_from_where_it_is_sealed(path: Path) -> None:
    older(path)
    assert verified(path) == Verified(events=6, streams=2, unchained=6)
    store = await EmbeddedStore.open(path)
    await store.append("parking-1", events(2), 2)
    await store.append("parking-new", events(1), NO_STREAM)
    assert len(await everything(store)) == 9
    await store.close()
    found = verified(path)
    assert (found.events, found.unchained, found.sealed_behind) == (9, 6, 6)


async def test_an_unchained_event_behind_a_chained_one_is_found(path: Path) -> None:
    await written(path, 1)
    bare = b'{"$correlationId":"c","$causationId":"c","actor":"a","at":"2026-11-22T20:00:00Z"}'
    writer = VerbatimWriter(path)
    writer.write([RawEvent("parking-0", 3, 0, event().id, "PurchaseRetried", b"{}", bare)])
    writer.close()
    with pytest.raises(StoreDamaged, match=r"position 4 \(parking-0 revision 3\) .*carries no chain"):
        verified(path)


async def test_who_only_looks_does_not_begin_to_seal(path: Path) -> None:
    older(path)
    before = content(path)
    verified(path)
    open_checked(path).close()
    assert content(path) == before


# ── At random ─────────────────────────────────────────────────────────────────────────────────────


def test_whatever_is_done_to_a_log_is_found(tmp_path: Path) -> None:
    """`make prove` does this ten thousand times, and looks at a thousand clean logs."""
    tally = proving.damage(tmp_path, 300, seed=0)
    assert not tally.missed
    assert sum(tally.harmless.values()) < 30, "bytes that hold nothing are few"


def test_nothing_is_found_in_logs_that_nothing_was_done_to(tmp_path: Path) -> None:
    assert proving.clean(tmp_path, 25, seed=0) == []


@pytest.mark.parametrize("held", [b"", b"Dear diary, " * 1_000], ids=["empty", "a text"])
def test_what_is_no_log_is_no_sound_one(path: Path, held: bytes) -> None:
    put(path, held)
    with pytest.raises(StoreUnavailable, match=r"is empty|is damaged or is no log"):
        verified(path)


# ── In ranges, each by a process of its own ───────────────────────────────────────────────────────


async def test_a_log_in_ranges_is_proved_to_be_what_it_is_as_a_whole(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await proving.write(path, random.Random(7))
    whole = verified(path)
    assert [verify(path, lambda *_: None, cut=cut) for cut in (2, 3, 1_000)] == [whole] * 3
    monkeypatch.setattr(embedded_verify, "LONG", 1)
    assert verify(path, lambda *_: None, cut=3) == whole


async def test_of_two_flaws_in_two_ranges_the_first_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await proving.write(path, random.Random(7))
    last = len(metadata(path))
    change(path, f"UPDATE stored_events SET state=x'00' WHERE rowid IN ({last // 2 - 3}, {last - 1})")
    monkeypatch.setattr(embedded_verify, "LONG", 1)
    for cut in (1, 2, 4):
        with pytest.raises(StoreDamaged, match=f"position {last // 2 - 3} was altered"):
            verify(path, lambda *_: None, cut=cut)


async def test_a_flaw_in_the_last_range_is_found_by_the_process_that_has_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await proving.write(path, random.Random(7))
    last = len(metadata(path))
    change(path, f"UPDATE stored_events SET state=x'00' WHERE rowid={last - 1}")
    monkeypatch.setattr(embedded_verify, "LONG", 1)
    with pytest.raises(StoreDamaged, match=f"position {last - 1} was altered"):
        verify(path, lambda *_: None, cut=2)


async def test_a_process_that_dies_over_its_range_proves_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await proving.write(path, random.Random(7))
    monkeypatch.setattr(embedded_verify, "LONG", 1)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(StoreUnavailable, match="could not be looked at"):
        verify(path, lambda *_: None, cut=2)
