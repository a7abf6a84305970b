"""``admitone verify-log`` as it is started, beside a server and on data that was tampered with."""

import asyncio
import random
from pathlib import Path

import pytest

from domain.decider import NO_STREAM
from gateways.embedded import EmbeddedStore
from gateways.embedded_mark import HeadMark
from tests.deploy.running import admitone, running
from tests.store.contract import events
from tests.store.damages import rewrite, rewrite_and_seal
from tests.store.test_verify import older


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with a log of three events."""

    async def write() -> None:
        store = await EmbeddedStore.open(tmp_path / "var" / "log.sqlite")
        await store.append("parking-1", events(3), NO_STREAM)
        await store.close()

    asyncio.run(write())
    return tmp_path / "var"


def test_a_sound_log_is_said_to_be_one_while_it_is_served(data: Path) -> None:
    with running(data, "--no-demo"):
        told = admitone("verify-log", "--data", str(data))
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith("3 events in 1 stream: each is what was written")
    assert "sealed from position 1 on.\nHead mark: 3:" in told.stdout


def test_what_is_wrong_is_said_in_one_line_with_what_to_do(data: Path) -> None:
    rewrite(data / "log.sqlite", random.Random(1))
    told = admitone("verify-log", "--data", str(data))
    assert (told.returncode, told.stdout) == (3, "")
    (line,) = told.stderr.splitlines()
    assert "positions 1 to 3" in line or "at 1 to 3" in line
    assert "restore the log from a backup" in line


def test_a_mark_that_was_kept_elsewhere_tells_a_log_that_was_replaced(data: Path) -> None:
    mark = str(HeadMark.read(data / "log.sqlite"))
    assert admitone("verify-log", "--data", str(data), "--mark", mark).returncode == 0
    rewrite_and_seal(data / "log.sqlite", random.Random(1))
    HeadMark.of(data / "log.sqlite").unlink()
    assert admitone("verify-log", "--data", str(data)).returncode == 0
    told = admitone("verify-log", "--data", str(data), "--mark", mark)
    assert told.returncode == 3
    assert "is not the log that it was" in told.stderr


def test_a_mark_that_is_given_is_told_apart_from_the_one_beside_the_log(data: Path) -> None:
    beside = HeadMark.read(data / "log.sqlite")
    assert beside is not None
    for mark, says in (
        (
            f"{beside.position + 7}:{'0' * 64}",
            f"ends at position {beside.position}, and the mark that was given",
        ),
        (f"{beside.position}:{'0' * 64}", "is not what the mark that was given says"),
    ):
        told = admitone("verify-log", "--data", str(data), "--mark", mark)
        assert (told.returncode, told.stdout, told.stderr.count("\n")) == (3, "", 1)
        assert says in told.stderr
        assert "mark of another log" in told.stderr
        assert "delete" not in told.stderr, "what lies beside the log is not at fault"


@pytest.mark.parametrize("mark", ["3", "x:00", "3:xyz", f"-1:{'0' * 64}", "3:" + "0" * 63])
def test_what_is_no_mark_is_refused(data: Path, mark: str) -> None:
    told = admitone("verify-log", "--data", str(data), "--mark", mark)
    assert told.returncode == 2
    assert len(told.stderr.splitlines()) == 1


def test_a_log_of_before_is_proved_as_far_as_it_can_be(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    older(tmp_path / "var" / "log.sqlite")
    told = admitone("verify-log", "--data", str(tmp_path / "var"))
    assert told.returncode == 0
    assert "6 of them were written before events were chained" in told.stdout
    assert "not sealed yet" in told.stdout


def test_where_there_is_no_log_none_is_made(tmp_path: Path) -> None:
    told = admitone("verify-log", "--data", str(tmp_path / "var"))
    assert told.returncode == 1
    assert "there is no log" in told.stderr
    assert not (tmp_path / "var").exists()
