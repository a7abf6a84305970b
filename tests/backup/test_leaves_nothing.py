"""A backup or restore that is refused, fails or is interrupted leaves all as it was before it."""

import errno
import itertools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from deploy.cli import admitone
from deploy.failing import FAILED
from gateways.identity import Account
from tests.analysis.asking import told
from tests.backup.shelves import back_up, facts, new_key, restore, rows, tree, write
from tests.backup.steps import Steps
from tests.deploy.running import PATIENCE, environment
from tests.small_disk import SmallDisk, small_disk

FOREIGN = {"notes.txt": b"mine"}


@pytest.fixture(params=["not there", "empty", "of others"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A directory to write into, deep enough that those around it have to be made too."""
    place = tmp_path / "deep" / "er" / "place"
    if request.param != "not there":
        place.mkdir(parents=True)
    if request.param == "of others":
        for name, content in FOREIGN.items():
            (place / name).write_bytes(content)
    return place


def test_a_backup_that_is_refused_leaves_nothing(place: Path, tmp_path: Path) -> None:
    data = write(tmp_path / "var", facts(30))
    bad, nowhere = new_key(tmp_path / "bad"), str(tmp_path / "nowhere")
    bad.write_text("no key")
    before = tree(tmp_path)
    assert "there is no log" in told("backup", str(place), "--data", nowhere, status=1)
    assert "holds no key" in told("backup", str(place), "--data", str(data), "--key-file", str(bad), status=1)
    assert "no accounts" in told(
        "backup", str(place), "--accounts", str(tmp_path / "b2"), "--data", str(data), status=1
    )
    assert tree(tmp_path) == before
    (data / "log.sqlite").write_bytes(b"damaged" * 1_000)
    before = tree(tmp_path)
    assert "is damaged" in told("backup", str(place), "--data", str(data), status=3)
    assert tree(tmp_path) == before


def test_a_backup_of_nothing_leaves_nothing(place: Path, tmp_path: Path) -> None:
    data = write(tmp_path / "var", [])
    before = tree(tmp_path)
    assert "empty" in back_up(data, place)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("to", ["log", "accounts"])
def test_a_restore_that_is_refused_leaves_nothing(
    place: Path, tmp_path: Path, to: str, people: list[Account]
) -> None:
    key, data = new_key(tmp_path / "key"), tmp_path / "var"
    back_up(data, tmp_path / "log", "--accounts", str(tmp_path / "people"), "--key-file", str(key))
    (tmp_path / "none").mkdir()
    words = [str(tmp_path / "log")] if to == "log" else ["--accounts", str(tmp_path / "people")]
    other = new_key(tmp_path / "other")
    before = tree(tmp_path)
    assert "is encrypted" in told("restore", *words, "--data", str(place), status=1)
    assert "another key" in told("restore", *words, "--data", str(place), "--key-file", str(other), status=1)
    words[-1] = str(tmp_path / "none")
    assert "there is no backup" in told("restore", *words, "--data", str(place), status=1)
    assert tree(tmp_path) == before
    assert len(people) == 3


def test_accounts_do_not_come_back_where_the_log_does_not(tmp_path: Path, people: list[Account]) -> None:
    folder, new = tmp_path / "log", tmp_path / "new"
    back_up(tmp_path / "var", folder, "--accounts", str(tmp_path / "people"))
    (folder / "00000001.segment").write_bytes(b"")
    before = tree(tmp_path)
    assert "damaged" in restore(folder, new, "--accounts", str(tmp_path / "people"), status=3)
    assert tree(tmp_path) == before
    assert len(people) == 3


# ── At every step ─────────────────────────────────────────────────────────────────────────────────


def _broken() -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


FAILURES: dict[str, Callable[[], None]] = {
    "a disk that fails": _broken,
    "SIGTERM": lambda: signal.raise_signal(signal.SIGTERM),
    "Ctrl-C": lambda: signal.raise_signal(signal.SIGINT),
}


def _ended(*words: str) -> bool:
    """Run a command; whether it says that all went well."""
    return CliRunner(env=environment()).invoke(admitone, words).exit_code == 0


def _at_every_step(then: Callable[[], None], folder: Path, *words: str) -> Iterator[bool]:
    """Run a command again and again on ``folder`` as it is now, each time with another step disturbed.

    Yields whether it says that all went well, and ends when it has no more steps.
    """
    kept = folder.with_name("kept")
    if folder.exists():
        shutil.copytree(folder, kept)
    for step in itertools.count(1):
        with pytest.MonkeyPatch.context() as patched:
            steps = Steps(patched, step, then)
            well = _ended(*words)
        if steps.left > 0:
            assert well
            assert step > 5
            return
        yield well
        shutil.rmtree(folder, ignore_errors=True)
        if kept.exists():
            shutil.copytree(kept, folder)


@pytest.mark.usefixtures("small_segments")
@pytest.mark.parametrize("how", FAILURES)
@pytest.mark.parametrize("first", [True, False], ids=["the first backup", "a later one"])
def test_a_backup_that_fails_at_any_step_leaves_the_one_before(tmp_path: Path, first: bool, how: str) -> None:
    data, folder = tmp_path / "var", tmp_path / "backup"
    if not first:
        back_up(write(data, facts(30)), folder)
    before = tree(folder)
    write(data, facts(700, first=100))
    unchanged = whole = 0
    for well in _at_every_step(FAILURES[how], folder, "backup", str(folder), "--data", str(data)):
        if not well and tree(folder) == before:
            unchanged += 1
            continue
        # Either it was too late, or the disk failed when only the directory was left to be synced.
        whole += 1
        new = tmp_path / f"new-{whole}"
        restore(folder, new)
        assert rows(new) == rows(data)
        assert well or how == "a disk that fails"
    assert unchanged > whole


@pytest.mark.parametrize("how", FAILURES)
def test_a_backup_of_accounts_that_fails_at_any_step_leaves_nothing(
    tmp_path: Path, people: list[Account], how: str
) -> None:
    folder = tmp_path / "people-2"
    words = "backup", "--accounts", str(folder), "--data", str(tmp_path / "var")
    for well in _at_every_step(FAILURES[how], folder, *words):
        if left := [name for name in tree(folder) if name != "lease"]:  # which could not be removed
            (name,) = left
            told("restore", "--accounts", str(folder / name), "--data", str(tmp_path / f"new-{name}"))
            assert well or how == "a disk that fails"
            shutil.rmtree(tmp_path / f"new-{name}")
        else:
            assert not well
            assert not folder.exists()
    assert len(people) == 3


@pytest.mark.parametrize("how", FAILURES)
@pytest.mark.parametrize("there", [True, False], ids=["into a directory", "into none"])
def test_a_restore_that_fails_at_any_step_leaves_nothing(
    tmp_path: Path, people: list[Account], how: str, there: bool
) -> None:
    data, new = tmp_path / "var", tmp_path / "new"
    back_up(data, tmp_path / "log", "--accounts", str(tmp_path / "people"))
    if there:
        (new / "read-models" / "0").mkdir(parents=True)
        (new / "notes.txt").write_bytes(b"mine")
    before = tree(new)
    words = "restore", str(tmp_path / "log"), "--accounts", str(tmp_path / "people"), "--data", str(new)
    for well in _at_every_step(FAILURES[how], new, *words):
        if not well and tree(new) == before:
            assert new.exists() is there
            continue
        assert {"log.sqlite", "log.sqlite.head", "accounts.sqlite"} <= tree(new).keys()
        assert rows(new) == rows(data)
        assert well
    assert len(people) == 3


# ── A full disk ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    root = tmp_path / "disk"
    root.mkdir()
    with small_disk(root, "1m") as disk:
        yield disk


def _full(disk: SmallDisk, *words: str) -> None:
    before = tree(disk.seen)
    done = disk.admitone(*words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (FAILED, "", 1), done
    assert f"the disk is full: {disk.root}/" in done.stderr
    assert done.stderr.endswith("make room there, and try again\n")
    assert tree(disk.seen) == before


def test_a_backup_that_fills_the_disk_leaves_the_one_before(tmp_path: Path, disk: SmallDisk) -> None:
    data, words = tmp_path / "var", ("backup", str(disk.root / "backup"), "--data", str(tmp_path / "var"))
    write(data, facts(6_000))
    disk.fill(left=100 * 1024)
    _full(disk, *words)
    disk.empty()
    assert disk.admitone(*words).returncode == 0
    write(data, facts(6_000, first=9_000))
    disk.fill(left=100 * 1024)
    _full(disk, *words)
    disk.empty()
    assert "6,000 new events" in disk.admitone(*words).stdout
    shutil.copytree(disk.seen / "backup", tmp_path / "backup")
    restore(tmp_path / "backup", tmp_path / "new")
    assert rows(tmp_path / "new") == rows(data)


def test_a_restore_that_fills_the_disk_leaves_nothing(tmp_path: Path, disk: SmallDisk) -> None:
    back_up(write(tmp_path / "var", facts(6_000)), tmp_path / "backup")
    for left in (0, 100 * 1024, 600 * 1024):
        disk.fill(left)
        _full(disk, "restore", str(tmp_path / "backup"), "--data", str(disk.root / "new"))
        disk.empty()


def test_accounts_that_fill_the_disk_leave_nothing(
    tmp_path: Path, disk: SmallDisk, people: list[Account]
) -> None:
    told("backup", "--accounts", str(tmp_path / "people"), "--data", str(tmp_path / "var"))
    disk.fill()
    _full(disk, "restore", "--accounts", str(tmp_path / "people"), "--data", str(disk.root / "new"))
    _full(disk, "backup", "--accounts", str(disk.root / "people"), "--data", str(tmp_path / "var"))
    assert len(people) == 3


# ── Signals to the process ────────────────────────────────────────────────────────────────────────

AT_WORK = """
import sys
from deploy import backing_up, cli
from gateways.backup.folder import Folder
from gateways.embedded_raw import EmbeddedRawLog

def stopping(work):
    def do(*arguments):
        done = work(*arguments)
        print("at work", flush=True)
        sys.stdin.readline()
        return done
    return do

backing_up.SEGMENT = 1
Folder.add = stopping(Folder.add)
EmbeddedRawLog._insert = stopping(EmbeddedRawLog._insert)
cli.main()
"""
"""The command, which waits for a word behind each piece that it has written, in the thread that writes it."""


BACKGROUND = ["sh", "-c", 'trap "" INT; exec "$0" "$@"']
"""As a script starts what it does not wait for: Ctrl-C is not for it."""


@pytest.mark.parametrize(
    ("number", "by"),
    [
        (signal.SIGTERM, []),
        (signal.SIGINT, []),
        (signal.SIGHUP, []),
        (signal.SIGTERM, BACKGROUND),
        (signal.SIGHUP, BACKGROUND),
    ],
    ids=["SIGTERM", "Ctrl-C", "SIGHUP", "SIGTERM in the background", "SIGHUP in the background"],
)
@pytest.mark.parametrize("what", ["backup", "restore"])
def test_a_command_that_is_told_to_end_takes_back_what_it_has_written(
    tmp_path: Path, what: str, number: signal.Signals, by: list[str]
) -> None:
    back_up(write(tmp_path / "var", facts(1_500)), tmp_path / "log")
    words = {"backup": [str(tmp_path / "b"), "--data", str(tmp_path / "var")],
             "restore": [str(tmp_path / "log"), "--data", str(tmp_path / "new")]}  # fmt: skip
    before = tree(tmp_path)
    with subprocess.Popen(
        [*by, sys.executable, "-c", AT_WORK, what, *words[what]], env=environment(), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        assert tree(tmp_path) != before
        process.send_signal(number)
        _, said = process.communicate("", PATIENCE)
    assert (process.returncode, said.lstrip()) == (FAILED, "admitone: nothing was done\n")
    assert tree(tmp_path) == before
