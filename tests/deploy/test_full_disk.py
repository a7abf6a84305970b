"""A full disk is called one by every command, in one line that says what to do; and no damage is claimed."""

import asyncio
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.failing import DAMAGED, FAILED, explain
from gateways.card_ledger import CardLedger
from gateways.identity import Accounts
from tests.analysis.season import lay, season
from tests.deploy.running import admitone, running
from tests.small_disk import SmallDisk, small_disk

EMAIL = "leaver@example.com"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory that was served, with an account and a card ledger, and without lists of tickets."""
    data = lay(tmp_path_factory.mktemp("served") / "var", season())
    with running(data):
        pass
    asyncio.run(_sign_up(data / "accounts.sqlite"))
    CardLedger(data / "cards.sqlite").close()
    return data


async def _sign_up(path: Path) -> None:
    accounts = await Accounts.open(path)
    await accounts.sign_up(EMAIL, "correct horse")
    await accounts.close()


@pytest.fixture
def disk(served: Path, tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path, "6m") as disk:
        disk.put(served, "var")
        yield disk


def told_full(disk: SmallDisk, *words: str) -> str:
    """The one line that a command ends with: that the disk is full, where, and what to do."""
    done = disk.admitone(*words, "--data", str(disk.root / "var"))
    assert done.returncode == FAILED, (words, done)
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"admitone: the disk is full: {disk.root}/"), line
    assert ": make room there, and try again" in line, line
    return line


COMMANDS = (
    ("doctor",),
    ("reconcile",),
    ("parked",),
    ("parked", "retry", "ticket-t1"),
    ("parked", "skip", "ticket-t1", "--reason", "why"),
    ("erase", EMAIL),
    ("refund", "o2", "--reason", "why"),
    ("settle", "p2"),
    ("events",),
    ("verify-log",),
    ("verify",),
    ("rebuild", "catalogue", "--yes"),
    ("show", "ticket", "t1"),
    ("serve", "--port", "0"),
)


def test_every_command_that_opens_a_file_of_a_full_disk_says_so(disk: SmallDisk) -> None:
    disk.fill()
    for words in COMMANDS:
        told_full(disk, *words)


def test_each_file_that_finds_no_more_room_is_named(disk: SmallDisk) -> None:
    """With 40 KiB left, whoever comes first gets what SQLite takes for a file, and nobody after that."""
    data = ("--data", str(disk.root / "var"))
    disk.fill(left=40 * 1024)
    assert "cards.sqlite" in told_full(disk, "refund", "o2", "--reason", "why")
    assert "accounts.sqlite" in told_full(disk, "erase", EMAIL)
    disk.empty()
    assert disk.admitone("doctor", *data).returncode == 1, "it finds that the simulator took no money"
    assert disk.admitone("erase", EMAIL, *data).returncode == 0
    assert disk.admitone("verify-log", *data).returncode == 0


def test_an_erasure_that_finds_no_room_half_way_is_finished_by_the_command_that_it_names(
    disk: SmallDisk,
) -> None:
    """The account is gone then, and not yet what may be left of it in the file: its address finds nobody."""
    data = ("--data", str(disk.root / "var"))
    shutil.copytree(disk.seen / "var", disk.seen / "kept")
    half_way = 0
    for left in range(40, 100, 8):
        disk.fill(left * 1024)
        done = disk.admitone("erase", EMAIL, *data)
        disk.empty()
        if done.returncode != 0:
            *_, named = done.stderr.split("admitone erase ")
            half_way += disk.admitone("erase", EMAIL, *data).returncode != 0
            again = disk.admitone("erase", named.strip(), *data)
            assert again.returncode == 0, again
        assert EMAIL.encode() not in b"".join(path.read_bytes() for path in disk.seen.glob("var/accounts*"))
        shutil.rmtree(disk.seen / "var")
        shutil.copytree(disk.seen / "kept", disk.seen / "var")
    assert half_way > 0


def test_what_is_full_may_be_where_commands_work(served: Path, tmp_path: Path) -> None:
    """The doctor makes read models anew to compare them, in the directory for temporary files."""
    with small_disk(tmp_path, "1m") as disk:
        disk.fill(left=8 * 1024)
        words = ["env", f"TMPDIR={disk.root}", *disk.command("doctor", "--data", str(served))]
        done = disk.run(words)
    assert (done.returncode, done.stderr.count("\n")) == (FAILED, 1), done
    assert f"the disk is full: {disk.root}" in done.stderr


def test_a_disk_with_room_is_not_blamed(served: Path, tmp_path: Path) -> None:
    data = tmp_path / "var"
    shutil.copytree(served, data)
    (data / "cards.sqlite-wal").mkdir()  # which SQLite cannot open, as when there is no room for it
    done = admitone("reconcile", "--data", str(data))
    assert (done.returncode, done.stderr.count("\n")) == (DAMAGED, 1), done
    assert "cannot be used" in done.stderr


def test_a_full_disk_is_said_in_the_same_words_whoever_finds_it() -> None:
    words = "the disk is full: {}make room there, and try again"
    assert explain(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))).line == words.format("")
    assert explain(OSError(errno.ENOSPC, "x", "a/b")).line == words.format("a/b cannot be written: ")
    assert explain(OSError(errno.EDQUOT, "x", "a/b")).line == words.format("a/b cannot be written: ")
