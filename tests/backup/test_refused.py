"""What no backup is made from, and what nothing is restored from or into: one line, and nothing changed."""

import os
import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec import json
from msgspec.structs import replace

from gateways.backup import folder as backups
from gateways.backup.cipher import Key
from gateways.leases import Lease
from tests.analysis.asking import told
from tests.backup.shelves import back_up, facts, files, new_key, restore, write

Spoil = Callable[[Path, Path], object]


def _flip(name: str, place: int = -1) -> Spoil:
    def spoil(folder: Path, _: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[place if place >= 0 else len(content) // 2] ^= 1
        (folder / name).write_bytes(content)

    return spoil


def _say(name: str, text: bytes, instead: bytes) -> Spoil:
    def spoil(folder: Path, _: Path) -> None:
        content = (folder / name).read_bytes()
        assert text in content
        (folder / name).write_bytes(content.replace(text, instead, 1))

    return spoil


def _of_another(name: str) -> Spoil:
    return lambda folder, other: (folder / name).write_bytes((other / name).read_bytes())


SECOND = "00000002.segment"
SPOILT: dict[str, tuple[Spoil, str, int]] = {
    "a flipped bit": (_flip(SECOND), f"{SECOND} is damaged", 3),
    "a flipped bit in a header": (_flip(SECOND, 30), f"{SECOND} is", 3),
    "a flipped bit in the manifest": (_flip("manifest.json"), "manifest.json is damaged", 3),
    "a cut segment": (lambda folder, _: os.truncate(folder / SECOND, 90), f"{SECOND} is damaged", 3),
    "an empty segment": (lambda folder, _: os.truncate(folder / SECOND, 0), f"{SECOND} is damaged", 3),
    "a lost segment": (lambda folder, _: (folder / SECOND).unlink(), "is not complete", 3),
    "a lost last segment": (lambda folder, _: (folder / "00000003.segment").unlink(), "is not complete", 3),
    "a lost manifest": (lambda folder, _: (folder / "manifest.json").unlink(), "is not complete", 3),
    "two segments for each other": (
        lambda folder, _: [
            (folder / SECOND).rename(folder / "x"),
            (folder / "00000001.segment").rename(folder / SECOND),
            (folder / "x").rename(folder / "00000001.segment"),
        ],
        "is damaged", 3,
    ),
    "another log's segment": (_of_another(SECOND), f"{SECOND} is of another log", 3),
    "another log's manifest": (_of_another("manifest.json"), "is of another log", 3),
    "a newer manifest": (_say("manifest.json", b'"format": 1', b'"format": 2'), "newer version", 3),
    "a newer segment": (_say(SECOND, b'{"format":1', b'{"format":2'), "newer version", 3),
}  # fmt: skip


@pytest.mark.usefixtures("small_segments")
@pytest.mark.parametrize("what", SPOILT)
def test_a_spoilt_backup_is_refused_in_one_line_and_nothing_is_changed(what: str, tmp_path: Path) -> None:
    spoil, why, status = SPOILT[what]
    for name in ("one", "other"):
        back_up(write(tmp_path / f"{name}-var", facts(1_500)), tmp_path / name)
    spoil(tmp_path / "one", tmp_path / "other")
    said = restore(tmp_path / "one", tmp_path / "new", status=status)
    assert why in said
    assert "\n" not in said
    assert not (tmp_path / "new").exists()


@pytest.mark.usefixtures("small_segments")
def test_any_flipped_bit_is_found(tmp_path: Path) -> None:
    folder, chance = tmp_path / "backup", random.Random(7)
    back_up(write(tmp_path / "var", facts(700)), folder)
    sound = {name: content for name, content in files(folder).items() if content}
    for _ in range(150):
        name = chance.choice(sorted(sound))
        content = bytearray(sound[name])
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        (folder / name).write_bytes(content)
        assert "\n" not in restore(folder, tmp_path / "new", status=3)
        (folder / name).write_bytes(sound[name])
    assert not (tmp_path / "new").exists()
    restore(folder, tmp_path / "new")


def test_a_wrong_missing_or_needless_key_is_refused(past: Path, tmp_path: Path, key: Path) -> None:
    other, new = str(new_key(tmp_path / "other")), tmp_path / "new"
    back_up(past, tmp_path / "locked", "--key-file", str(key))
    back_up(past, tmp_path / "open")
    assert "is encrypted: say --key-file" in restore(tmp_path / "locked", new, status=1)
    assert "with another key" in restore(tmp_path / "locked", new, "--key-file", other, status=1)
    assert "is not encrypted" in restore(tmp_path / "open", new, "--key-file", str(key), status=1)
    (tmp_path / "other").write_text("secret")
    assert "holds no key" in restore(tmp_path / "locked", new, "--key-file", other, status=1)
    for folder, more in (("locked", []), ("open", ["--key-file", str(key)])):
        before = files(tmp_path / folder)
        told("backup", str(tmp_path / folder), "--data", str(past), *more, status=1)
        assert files(tmp_path / folder) == before
    assert not new.exists()


def test_who_has_not_the_key_cannot_alter_an_encrypted_backup_unseen(
    past: Path, tmp_path: Path, key: Path
) -> None:
    folder, more = tmp_path / "backup", ("--key-file", str(key))
    back_up(past, folder, *more)
    manifest = backups.Folder(folder, Key.read(key)).manifest()
    assert manifest is not None
    forged = replace(manifest, taken=manifest.taken + timedelta(days=9))
    forged = replace(forged, check=backups._check(forged))
    (folder / "manifest.json").write_bytes(json.encode(forged))
    assert "altered by somebody without the key" in restore(folder, tmp_path / "new", *more, status=3)


@pytest.mark.parametrize("left", ["log.sqlite", "log.sqlite-wal", "log.sqlite.head"])
def test_a_directory_with_anything_of_a_log_is_not_restored_into(
    past: Path, tmp_path: Path, left: str
) -> None:
    back_up(past, tmp_path / "backup")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / left).write_bytes(b"")
    assert f"is not empty, it has {left}." in restore(tmp_path / "backup", tmp_path / "new", status=1)
    assert files(tmp_path / "new") == {left: b""}


def test_another_log_does_not_go_into_a_backup(tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    back_up(write(tmp_path / "one", facts(30)), folder)
    before = files(folder)
    other = write(tmp_path / "other", facts(60))
    assert "is the backup of another log" in told("backup", str(folder), "--data", str(other), status=1)
    assert files(folder) == before


def test_a_log_that_has_gone_another_way_does_not_go_on_in_its_old_backup(tmp_path: Path) -> None:
    data, folder = write(tmp_path / "var", facts(30)), tmp_path / "backup"
    back_up(data, folder)
    restore(folder, tmp_path / "new", "--until", "20")
    write(tmp_path / "new", facts(30, first=50))
    assert "another log" in told("backup", str(folder), "--data", str(tmp_path / "new"), status=1)


def test_two_backups_into_one_directory_do_not_mix(past: Path, tmp_path: Path) -> None:
    lease = Lease(tmp_path / "backup" / "lease")
    assert lease.try_take()
    assert "another backup into" in told("backup", str(tmp_path / "backup"), "--data", str(past), status=1)
    lease.release()
