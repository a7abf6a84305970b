"""Backups and restores that are killed on their way."""

import os
import shutil
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import pytest

from gateways.backup import folder as backups
from gateways.embedded_raw import EmbeddedRawLog
from gateways.erasure import find
from gateways.identity import Account
from gateways.raw_log import RawEvent
from tests.analysis.asking import told
from tests.backup.shelves import back_up, facts, files, restore, rows, write
from tests.backup.steps import killed


@pytest.mark.usefixtures("small_segments")
@pytest.mark.parametrize("first", [True, False], ids=["the first backup", "a later one"])
def test_a_backup_killed_at_any_moment_is_the_one_before_or_the_one_after(
    tmp_path: Path, first: bool
) -> None:
    data, folder = tmp_path / "var", tmp_path / "backup"
    if not first:
        write(data, facts(30))
        back_up(data, folder)
    before = rows(data) if not first else []
    write(data, facts(1_200, first=100))
    after, moment = rows(data), 0
    while True:
        moment += 1
        if not killed(moment, lambda: back_up(data, folder)):
            break
        new = tmp_path / f"new-{moment}"
        manifest = backups.Folder(folder, None).manifest()
        if manifest is None or not manifest.segments:
            assert first
            assert "there is no backup in" in restore(folder, new, status=1)
        else:
            restore(folder, new)
            assert rows(new) in (before, after)
    assert moment > 8
    assert not [*folder.glob("*.part")]
    restore(folder, tmp_path / "last")
    assert rows(tmp_path / "last") == after


def test_a_restore_that_was_killed_leaves_no_log_and_the_next_one_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, new = write(tmp_path / "var", facts(1_500)), tmp_path / "new"
    back_up(data, tmp_path / "backup")
    whole = EmbeddedRawLog.append

    async def cut(self: EmbeddedRawLog, events: Sequence[RawEvent]) -> None:
        await whole(self, events)
        os._exit(9)

    child = os.fork()
    if child == 0:
        monkeypatch.setattr(EmbeddedRawLog, "append", cut)
        restore(tmp_path / "backup", new)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert (new / ".restoring" / "log.sqlite").exists()
    assert not (new / "log.sqlite").exists()
    restore(tmp_path / "backup", new)
    assert rows(new) == rows(data)
    assert sorted(files(new)) == ["log.sqlite", "log.sqlite.head"]


def test_a_restore_killed_at_any_moment_is_made_good_by_the_next_one(
    tmp_path: Path, people: list[Account]
) -> None:
    """Killed between its last steps it has brought the log and not the accounts: they come by themselves."""
    data, new = tmp_path / "var", tmp_path / "new"
    from_accounts = "--accounts", str(tmp_path / "people")
    back_up(data, tmp_path / "log", *from_accounts)
    for moment in count(1):
        if not killed(moment, lambda: restore(tmp_path / "log", new, *from_accounts)):
            break
        if not (new / "log.sqlite").exists():
            restore(tmp_path / "log", new, *from_accounts)
        elif not (new / "accounts.sqlite").exists():
            told("restore", *from_accounts, "--data", str(new))
        assert rows(new) == rows(data)
        assert find(new / "accounts.sqlite", people[1].email) == people[1].id
        assert not [path for path in new.rglob("*") if path.name.endswith(".part")]
        shutil.rmtree(new)
    assert moment > 8


def test_what_a_killed_backup_of_accounts_has_left_of_people_goes_with_the_next_one(
    tmp_path: Path, people: list[Account]
) -> None:
    folder, parts = tmp_path / "people", 0
    words = "backup", "--accounts", str(folder), "--data", str(tmp_path / "var")
    for moment in count(1):
        if not killed(moment, lambda: told(*words)):
            break
        parts += len([*folder.glob("*.part")])
        told(*words)
        assert not [*folder.glob("*.part")]
    assert parts > 0
    assert len(people) == 3
