"""Backups and restores that are killed on their way."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from gateways.backup import folder as backups
from gateways.embedded_raw import EmbeddedRawLog
from gateways.raw_log import RawEvent
from tests.backup.shelves import back_up, facts, files, restore, rows, write


class Killed(BaseException):
    """Ends a run as a kill would: nobody catches it."""


@pytest.mark.usefixtures("small_segments")
@pytest.mark.parametrize("first", [True, False], ids=["the first backup", "a later one"])
def test_a_backup_killed_at_any_moment_is_the_one_before_or_the_one_after(
    tmp_path: Path, first: bool, monkeypatch: pytest.MonkeyPatch
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
        with monkeypatch.context() as patched:
            _kill_at(moment, patched)
            try:
                back_up(data, folder)
            except Killed:
                pass
            else:
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


def _kill_at(moment: int, patched: pytest.MonkeyPatch) -> None:
    """Kill the run before its ``moment``-th step on files: opening, syncing, renaming, deleting."""
    left = [moment]

    def stepping(step: Callable[..., object]) -> Callable[..., object]:
        def do(*arguments: object, **more: object) -> object:
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            return step(*arguments, **more)

        return do

    for owner, name in ((os, "fsync"), (os, "open"), (Path, "replace"), (Path, "unlink")):
        patched.setattr(owner, name, stepping(getattr(owner, name)))


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
