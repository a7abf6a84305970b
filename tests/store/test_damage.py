"""A log that is damaged, foreign, newer or cut short: one clear line, and never a wrong event."""

import asyncio
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from domain.decider import NO_STREAM, AnyRecorded, Unreadable
from gateways import embedded_file
from gateways.embedded import EmbeddedStore, StoreDamaged
from processmanager.ports import StoreUnavailable
from tests.store.contract import event, events


async def written(path: Path, streams: int = 20) -> list[AnyRecorded]:
    """Make a log of ``streams`` times three events and close it. Gives what is in it."""
    store = await EmbeddedStore.open(path)
    await asyncio.gather(*[store.append(f"parking-{n}", events(3), NO_STREAM) for n in range(streams)])
    found = await everything(store)
    await store.close()
    return found


async def everything(store: EmbeddedStore) -> list[AnyRecorded]:
    found: list[AnyRecorded] = []
    head = store.head()
    async for batch in store.follow():
        found.extend(batch)
        if found[-1].position >= head:
            break
    return found


def change(path: Path, *statements: str) -> None:
    """Do to the file what no program of ours would do."""
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def content(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def put(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def flip(content: bytes, bit: int) -> bytes:
    flipped = bytearray(content)
    flipped[bit // 8] ^= 1 << bit % 8
    return bytes(flipped)


# ── Files that are no log of ours ─────────────────────────────────────────────────────────────────

FOREIGN: dict[str, tuple[Callable[[Path], object], str]] = {
    "a text": (lambda path: path.write_text("Dear diary, " * 1_000), "is damaged or is no log"),
    "a short text": (lambda path: path.write_text("hello"), "is damaged or is no log"),
    "another program's database": (lambda path: change(path, "CREATE TABLE diary (day)"), "no log of Admit"),
    "an empty database of another": (lambda path: change(path, "PRAGMA application_id=7"), "no log of Admit"),
    "a directory": (lambda path: path.mkdir(), "unable to open"),
}


@pytest.mark.parametrize(("make", "says"), FOREIGN.values(), ids=FOREIGN)
async def test_what_is_no_log_is_refused_in_one_line_and_left_alone(
    path: Path, make: Callable[[Path], object], says: str
) -> None:
    make(path)
    before = content(path)
    with pytest.raises(StoreUnavailable, match=says) as refused:
        await EmbeddedStore.open(path)
    assert "\n" not in str(refused.value)
    assert content(path) == before


async def test_a_log_of_a_newer_version_is_refused(path: Path) -> None:
    await written(path)
    change(path, f"PRAGMA user_version={embedded_file.FORMAT + 1}")
    with pytest.raises(StoreDamaged, match="made by a newer version"):
        await EmbeddedStore.open(path)


async def test_a_log_with_another_table_is_refused(path: Path) -> None:
    await written(path)
    change(path, "ALTER TABLE stored_events ADD COLUMN colour")
    with pytest.raises(StoreDamaged, match="does not have the table"):
        await EmbeddedStore.open(path)


async def test_a_place_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match="cannot be made"):
        await EmbeddedStore.open(tmp_path / "file" / "log.sqlite")


@pytest.mark.parametrize("kind", ["nfs4", "cifs"])
async def test_a_network_file_system_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    mounts = path.with_name("mountinfo")
    mounts.write_text(
        f"22 1 254:0 / / rw shared:1 - ext4 /dev/vda rw\n23 22 0:5 / {path.parent} rw - {kind} host:/x rw\n"
    )
    monkeypatch.setattr(embedded_file, "_MOUNTS", mounts)
    with pytest.raises(StoreUnavailable, match="network file system"):
        await EmbeddedStore.open(path)


# ── A log that has lost its end ───────────────────────────────────────────────────────────────────


async def copy_while_open(path: Path, copy: Path) -> None:
    """The state of a log whose process was killed: the last events are in the write-ahead log only."""
    store = await EmbeddedStore.open(path)
    for number in range(100):
        await store.append(f"parking-x{number}", [event()], NO_STREAM)
    shutil.copytree(path.parent, copy, ignore=shutil.ignore_patterns("*-shm", "copy"))
    await store.close()


async def test_what_was_only_in_the_write_ahead_log_is_recovered(path: Path) -> None:
    await copy_while_open(path, path.parent / "copy")
    again = await EmbeddedStore.open(path.parent / "copy" / "log.sqlite")
    assert len(await everything(again)) == 100
    await again.close()


@pytest.mark.parametrize("damage", ["deleted", "cut", "flipped"])
async def test_a_write_ahead_log_that_lost_its_end_is_noticed(path: Path, damage: str) -> None:
    await copy_while_open(path, path.parent / "copy")
    wal = path.parent / "copy" / "log.sqlite-wal"
    whole = content(wal)
    put(
        wal, {"deleted": b"", "cut": whole[: len(whole) // 2], "flipped": flip(whole, len(whole) * 4)}[damage]
    )
    with pytest.raises(StoreDamaged, match="had reached 100"):
        await EmbeddedStore.open(path.parent / "copy" / "log.sqlite")


async def test_an_older_copy_in_the_log_s_place_is_noticed(path: Path) -> None:
    await written(path, 10)
    shutil.copy(path, path.with_name("older"))
    store = await EmbeddedStore.open(path)
    await store.append("parking-new", [event()], NO_STREAM)
    await store.close()
    shutil.copy(path.with_name("older"), path)
    with pytest.raises(StoreDamaged, match="ends at position 30, but had reached 31"):
        await EmbeddedStore.open(path)
    path.with_name("log.sqlite.head").unlink()  # as the message says, to go on without the rest
    again = await EmbeddedStore.open(path)
    assert again.head() == 30
    await again.close()


async def test_a_log_that_was_emptied_is_not_begun_anew(path: Path) -> None:
    await written(path)
    put(path, b"")
    with pytest.raises(StoreDamaged, match="ends at position 0"):
        await EmbeddedStore.open(path)


async def test_whoever_has_read_further_than_the_log_goes_is_told(embedded: EmbeddedStore) -> None:
    await embedded.append("parking-1", events(3), NO_STREAM)
    with pytest.raises(StoreDamaged, match="ends at position 3, before 4"):
        await anext(embedded.follow(4))


# ── Events that were altered ──────────────────────────────────────────────────────────────────────

ALTERED = {
    "data": 'state=CAST(\'{"by":"9"}\' AS BLOB)',
    "type": "topic='PurchaseSkipped'",
    "a type that is no text": "topic=CAST(X'FF00FE' AS TEXT)",
    "a type that is a number": "topic=7",
    "metadata": "metadata=X'7B7D'",
    "id": "event_id=X'00112233445566778899AABBCCDDEEFF'",
    "a short id": "event_id=X'00'",
    "checksum": "checksum=checksum+1",
}


@pytest.mark.parametrize("how", ALTERED.values(), ids=ALTERED)
async def test_an_event_that_was_altered_is_told_from_all_others(path: Path, how: str) -> None:
    good = await written(path, 500)  # so that the damage lies before what is checked at the start
    change(path, f"UPDATE stored_events SET {how} WHERE rowid=5")
    store = await EmbeddedStore.open(path)
    found = await everything(store)
    assert [one.position for one in found if isinstance(one.event, Unreadable)] == [5]
    assert "altered" in found[4].event.reason
    assert [*found[:4], *found[5:]] == [*good[:4], *good[5:]]
    stream = await store.read(good[4].stream)
    assert [isinstance(one.event, Unreadable) for one in stream] == [False, True, False]
    await store.close()


async def test_a_log_whose_last_events_were_altered_is_not_opened(path: Path) -> None:
    await written(path)
    change(path, f"UPDATE stored_events SET {ALTERED['data']} WHERE rowid=5")
    with pytest.raises(StoreDamaged, match="position 5 was altered"):
        await EmbeddedStore.open(path)


async def test_a_missing_event_is_noticed_by_whoever_reads_there(path: Path) -> None:
    await written(path, 500)
    change(path, "DELETE FROM stored_events WHERE rowid=5")
    store = await EmbeddedStore.open(path)
    with pytest.raises(StoreDamaged, match="missing"):
        await everything(store)
    with pytest.raises(StoreDamaged, match="gap"):
        await store.read("parking-1")
    assert len(await store.read("parking-2")) == 3
    await store.close()


async def test_no_flipped_bit_makes_a_wrong_event(path: Path) -> None:
    """Wherever the bit is: the log is refused, or the event says that it was altered, or all is well."""
    good = {one.position: one for one in await written(path, 300)}
    whole, chance, noticed = content(path), random.Random(1), 0
    for _ in range(100):
        place = chance.randrange(len(whole) * 8)
        put(path, flip(whole, place))
        try:
            store = await EmbeddedStore.open(path)
        except StoreUnavailable:
            noticed += 1
            continue
        try:
            found = await everything(store)
        except StoreUnavailable:
            noticed += 1
        else:
            assert len(found) == len(good), place
            wrong = [one for one in found if good[one.position] != one]
            assert all(isinstance(one.event, Unreadable) for one in wrong), (place, wrong)
            noticed += bool(wrong)
        finally:
            await store.close()
    assert noticed > 60  # the rest fell on the index or on free space
