"""``admitone backup`` and ``admitone restore`` on data directories."""

import asyncio
import json
import random
import zlib
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gateways.embedded import EmbeddedStore
from gateways.embedded_pages import PageReader
from gateways.embedded_raw import EmbeddedRawLog
from tests.analysis.asking import told
from tests.analysis.season import DAY
from tests.backup.shelves import back_up, facts, files, restore, rows, write
from tests.store.contract import event

TABLES = ("catalogue.ticket", "orders.placed_order", "ledger.entry", "agenda.purchase")


# ── What comes out is what went in ────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("small_segments")
def test_a_restored_log_has_every_byte_and_position_and_proves_sound(tmp_path: Path) -> None:
    data = write(tmp_path / "var", facts(1_500))
    assert "1,500 new events" in back_up(data, tmp_path / "backup")
    assert len([*(tmp_path / "backup").glob("*.segment")]) == 3
    assert "Restored 1,500 events in 500 streams" in restore(tmp_path / "backup", tmp_path / "new")
    assert rows(tmp_path / "new") == rows(data)
    assert sorted(files(tmp_path / "new")) == ["log.sqlite", "log.sqlite.head"]
    assert "each is what was written" in told("verify-log", "--data", str(tmp_path / "new"))


def test_a_second_backup_adds_what_is_new_and_alters_nothing(tmp_path: Path) -> None:
    data, folder = write(tmp_path / "var", facts(30)), tmp_path / "backup"
    back_up(data, folder)
    first = files(folder)
    assert "0 new events" in back_up(data, folder)
    assert sorted(files(folder)) == sorted(first)
    write(data, facts(9, first=50))
    assert "9 new events" in back_up(data, folder)
    second = files(folder)
    assert {name: second[name] for name in first if name.endswith(".segment")} == {
        name: content for name, content in first.items() if name.endswith(".segment")
    }
    assert len(second["00000002.segment"]) < len(second["00000001.segment"])
    restore(folder, tmp_path / "new")
    assert rows(tmp_path / "new") == rows(data)


async def test_nothing_that_was_answered_before_a_backup_began_is_missing_in_it(tmp_path: Path) -> None:
    store = await EmbeddedStore.open(tmp_path / "log.sqlite")
    answered = asyncio.Queue[int]()

    async def shop() -> None:
        for number in range(100_000):
            answered.put_nowait(await store.append(f"parking-{number}", [event("x")], -1))

    shopping = asyncio.create_task(shop())
    try:
        for _ in range(5):
            for _ in range(50 + answered.qsize()):
                before = await answered.get()
            said = await asyncio.to_thread(back_up, tmp_path, tmp_path / "backup")
            assert int(said.rsplit(" ", 1)[1].rstrip(".\n")) >= before
    finally:
        shopping.cancel()
        await asyncio.gather(shopping, return_exceptions=True)
        await store.close()
    await asyncio.to_thread(restore, tmp_path / "backup", tmp_path / "new")
    found = rows(tmp_path / "new")
    assert found == rows(tmp_path)[: len(found)]


async def test_the_last_event_is_told_while_others_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.to_thread(write, tmp_path, facts(9))
    log = EmbeddedRawLog(tmp_path / "log.sqlite")
    monkeypatch.setattr(PageReader, "head", lambda _: 7)  # what was the head a moment ago
    last = await log.last()
    assert last is not None
    assert last.position == 7
    await log.close()


def test_a_log_with_nothing_in_it_needs_no_backup_yet(tmp_path: Path) -> None:
    log = write(tmp_path / "var", [])
    assert "empty" in back_up(log, tmp_path / "backup")
    assert "there is no backup in" in restore(tmp_path / "backup", tmp_path / "new", status=1)


def test_an_encrypted_backup_shows_nothing_and_comes_back_with_its_key(
    past: Path, tmp_path: Path, key: Path
) -> None:
    back_up(past, tmp_path / "backup", "--key-file", str(key))
    _, _, body = (tmp_path / "backup" / "00000001.segment").read_bytes().partition(b"\n")
    for begin in range(32):
        with pytest.raises(zlib.error):
            zlib.decompress(body[begin:])
    restore(tmp_path / "backup", tmp_path / "new", "--key-file", str(key))
    assert rows(tmp_path / "new") == rows(past)


# ── A state of before ─────────────────────────────────────────────────────────────────────────────


def canonical(data: Path, *until: str) -> list[str]:
    """The log and every read model, as text."""
    return [
        told("export", table, "--format", "jsonl", "--data", str(data), *until)
        for table in ("events", *TABLES)
    ]


def test_a_log_restored_to_a_position_says_what_it_said_then(past: Path, tmp_path: Path) -> None:
    back_up(past, tmp_path / "backup")
    whole = rows(past)
    for position in (1, *random.Random(5).sample(range(2, len(whole)), 5), len(whole)):
        new = tmp_path / f"at-{position}"
        restore(tmp_path / "backup", new, "--until", str(position))
        assert rows(new) == whole[:position]
        assert canonical(new) == canonical(past, "--until", str(position))


def test_a_log_restored_to_a_time_says_what_it_said_then(past: Path, tmp_path: Path) -> None:
    back_up(past, tmp_path / "backup")
    then = f"{DAY + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
    restore(tmp_path / "backup", tmp_path / "new", "--until", then)
    assert canonical(tmp_path / "new") == canonical(past, "--until", then)
    assert len(rows(tmp_path / "new")) < len(rows(past))


@pytest.mark.parametrize(
    ("until", "why"),
    [
        ("2100-01-01T00:00:00Z", "has not come yet"),
        ("2026-11-01T00:00:00", "with its zone"),
        ("2020-01-01T00:00:00Z", "nothing had been recorded by"),
        ("999999", "the backup ends at position"),
        ("0", "nothing had been recorded by"),
        ("-1", "must be a position, or a time"),
        ("yesterday", "must be a position, or a time"),
    ],
)
def test_a_moment_that_is_not_in_the_backup_is_refused(
    past: Path, tmp_path: Path, until: str, why: str
) -> None:
    back_up(past, tmp_path / "backup")
    assert why in restore(tmp_path / "backup", tmp_path / "new", "--until", until, status=2)
    assert not (tmp_path / "new").exists()


def test_a_time_after_the_last_backup_is_refused_because_nobody_knows(past: Path, tmp_path: Path) -> None:
    back_up(past, tmp_path / "backup")
    taken = json.loads((tmp_path / "backup" / "manifest.json").read_text())["taken"]
    until = (datetime.fromisoformat(taken) + timedelta(microseconds=1)).isoformat()
    assert "the backup knows nothing of what came after" in restore(
        tmp_path / "backup", tmp_path / "new", "--until", until, status=2
    )
