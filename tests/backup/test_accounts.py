"""Backups of accounts: apart, dated, and never the way back for who was erased."""

import asyncio
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateways.backup import accounts as backups
from gateways.erasure import Erasures, erase, find
from gateways.identity import Account, Accounts, BadCredentials
from tests.analysis.asking import told
from tests.backup.people import PEOPLE, Canary, found
from tests.backup.shelves import back_up, files, new_key, restore

DAY = datetime(2026, 11, 1, tzinfo=UTC)


async def _signs_in(path: Path, canary: Canary) -> bool:
    accounts = await Accounts.open(path)
    try:
        await accounts.sign_in(canary.email, canary.password)
    except BadCredentials:
        return False
    else:
        return True
    finally:
        await accounts.close()


def test_accounts_are_backed_up_apart_and_come_back(tmp_path: Path, people: list[Account]) -> None:
    said = told(
        "backup",
        str(tmp_path / "log"),
        "--accounts",
        str(tmp_path / "people"),
        "--data",
        str(tmp_path / "var"),
    )
    assert re.search(r"3 accounts are in \S+accounts-\d{8}T\d{6}Z\.backup", said)
    assert not found(PEOPLE, tmp_path / "log")
    restore(tmp_path / "log", tmp_path / "new", "--accounts", str(tmp_path / "people"))
    assert find(tmp_path / "new" / "accounts.sqlite", PEOPLE[1].email) == people[1].id
    assert asyncio.run(_signs_in(tmp_path / "new" / "accounts.sqlite", PEOPLE[1]))
    assert (tmp_path / "new" / "accounts.sqlite").stat().st_mode & 0o777 == 0o600


def test_whoever_was_erased_since_does_not_come_back_with_an_older_backup(
    tmp_path: Path, people: list[Account]
) -> None:
    path, folder = tmp_path / "var" / "accounts.sqlite", tmp_path / "people"
    folder.mkdir()
    older, _ = backups.back_up(path, folder, None, DAY)
    erase(path, [people[0].id], DAY + timedelta(hours=1))
    backups.back_up(path, folder, None, DAY + timedelta(days=1))
    said = told("restore", "--accounts", str(older), "--data", str(tmp_path / "new"))
    assert "Restored 2 accounts" in said
    assert "1 were left out" in said
    assert not found(PEOPLE[:1], tmp_path / "new")
    assert found(PEOPLE[1:], tmp_path / "new")
    erased = Erasures(tmp_path / "new" / "accounts.sqlite")
    assert people[0].id in erased
    erased.close()


def test_dated_backups_expire_and_others_stay(tmp_path: Path, people: list[Account]) -> None:
    path, folder = tmp_path / "var" / "accounts.sqlite", tmp_path / "people"
    folder.mkdir()
    for days in range(4):
        backups.back_up(path, folder, None, datetime.now(UTC) - timedelta(days=10 * days, hours=1))
    (folder / "accounts-of-others.backup").write_bytes(b"x")
    said = told("backup", "--accounts", str(folder), "--keep", "15", "--data", str(tmp_path / "var"))
    assert "Deleted 2 that were older than 15 days" in said
    assert len(list(backups.dated(folder))) == 3
    assert (folder / "accounts-of-others.backup").exists()
    assert len(people) == 3


def test_an_encrypted_backup_of_accounts_needs_its_key(tmp_path: Path, people: list[Account]) -> None:
    key, data = new_key(tmp_path / "key"), ("--data", str(tmp_path / "var"))
    told("backup", "--accounts", str(tmp_path / "people"), "--key-file", str(key), *data)
    from_there = ("restore", "--accounts", str(tmp_path / "people"), "--data", str(tmp_path / "new"))
    assert "say --key-file" in told(*from_there, status=1)
    assert "another key" in told(*from_there, "--key-file", str(new_key(tmp_path / "other")), status=1)
    assert not files(tmp_path / "new")
    told(*from_there, "--key-file", str(key))
    assert find(tmp_path / "new" / "accounts.sqlite", people[2].id) == people[2].id


def test_a_damaged_backup_of_accounts_is_refused(tmp_path: Path, people: list[Account]) -> None:
    (tmp_path / "people").mkdir()
    file, _ = backups.back_up(tmp_path / "var" / "accounts.sqlite", tmp_path / "people", None, DAY)
    sound, new = file.read_bytes(), tmp_path / "new"
    from_there = ("restore", "--accounts", str(file), "--data", str(new))
    for place in (3, 40, len(sound) // 2, len(sound) - 1):
        file.write_bytes(sound[:place] + bytes([sound[place] ^ 1]) + sound[place + 1 :])
        assert "is damaged" in told(*from_there, status=3)
    for size in (0, 20, len(sound) - 1):
        file.write_bytes(sound)
        os.truncate(file, size)
        assert "is damaged" in told(*from_there, status=3)
    file.write_bytes(sound.replace(b'"format":1', b'"format":2'))
    assert "newer version" in told(*from_there, status=3)
    assert not files(new)
    assert len(people) == 3


def test_accounts_are_not_restored_over_others(tmp_path: Path, people: list[Account]) -> None:
    data = tmp_path / "var"
    back_up(data, tmp_path / "log", "--accounts", str(tmp_path / "people"))
    before = files(data)
    line = restore(tmp_path / "log", data, "--accounts", str(tmp_path / "people"), status=1)
    assert "is not empty, it has accounts.sqlite." in line
    assert files(data) == before
    assert len(people) == 3


def test_log_and_accounts_do_not_go_into_one_directory(tmp_path: Path, people: list[Account]) -> None:
    place = str(tmp_path / "one")
    told("backup", place, "--accounts", place, "--data", str(tmp_path / "var"), status=2)
    told("backup", "--data", str(tmp_path / "var"), status=2)
    assert not (tmp_path / "one").exists()
    assert len(people) == 3
