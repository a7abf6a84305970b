"""What is typed wrong is answered with one line that says what was wrong, and with nothing done."""

import json
from pathlib import Path

import pytest

from deploy.failing import DAMAGED
from tests.analysis.season import lay, season
from tests.deploy.running import admitone


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lay(tmp_path_factory.mktemp("season") / "var", season())


def refused(*words: str, status: int = 2) -> str:
    """The one line that a command ends with."""
    done = admitone(*words)
    assert (done.returncode, done.stdout) == (status, ""), done.stdout + done.stderr
    assert done.stderr.startswith("admitone: ")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("bogus",), "No such command 'bogus'; see: admitone --help"),
        (
            ("show", "seat", "t1"),
            "'seat' is not one of 'ticket', 'order', 'payment'; see: admitone show --help",
        ),
        (("events", "--limit", "0"), "'--limit': 0 is not in the range x>=1; see: admitone events --help"),
        (("rebuild",), "Missing argument 'PROJECTION'; see: admitone rebuild --help"),
        (("parked", "skip", "o1"), "Missing option '--reason'; see: admitone parked skip --help"),
        (("verify-receipt", "/nowhere"), "'/nowhere': No such file or directory"),
    ],
)
def test_a_command_line_that_cannot_be_read_is_answered_in_one_line(words: tuple[str, ...], why: str) -> None:
    assert why in refused(*words)


def test_a_stream_or_a_position_that_does_not_exist_is_said_to_be_none(past: Path) -> None:
    there = "--data", str(past)
    assert "there is no stream ticket-nope" in refused("events", "ticket-nope", *there, status=1)
    assert "there are no streams of 'bogus'" in refused("events", "bogus", *there)
    assert "the log ends at position 62" in refused("events", "--after", "999", *there)
    for words in (("events", "--after", "62"), ("events", "parking"), ("events", "--request", "nobody's")):
        done = admitone(*words, *there)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), "there is just nothing in it"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ((), "the question holder needs --param ticket=… (the ticket's id)"),
        (("ticket=t1",), "the question holder needs --param at=… (a time with its zone)"),
        (("ticket=t1", "at=garbage"), "--param at=garbage: it must be a time with its zone"),
        (("ticket=nope", "at=2026-11-01T10:00"), "it must be a time with its zone"),
        (("ticket=t1", "at=5"), "it must be a time with its zone"),
        (("ticket=t1", "at=2026-02-30T00:00:00Z"), "there is no such time"),
        (("ticket=t1", "at=2999-01-01T00:00:00Z"), "has not come yet"),
        (
            ("ticket=t1", "at=2026-11-02T00:00:00Z", "colour=red"),
            "the question holder has no parameter 'colour'",
        ),
    ],
)
def test_a_ready_question_says_which_parameter_is_missing_or_wrong(
    past: Path, given: tuple[str, ...], why: str
) -> None:
    params = [word for each in given for word in ("--param", each)]
    assert why in refused("sql", "--name", "holder", *params, "--data", str(past))


def test_a_ready_question_takes_a_time_in_any_zone(past: Path) -> None:
    told = []
    for at in ("2026-11-01T10:31:00Z", "2026-11-01T12:31:00+02:00", "2026-11-01t04:31:00-06:00"):
        asked = "--param", "ticket=t1", "--param", f"at={at}", "--data", str(past)
        done = admitone("sql", "--name", "holder", *asked)
        told.append(json.loads(done.stdout))
    assert told[0]["holder"] == "b2"
    assert told == [told[0]] * 3


def test_an_answer_that_no_machine_could_hold_is_refused_and_not_tried(past: Path) -> None:
    sql = "SELECT repeat('x', 2000000000) FROM range(100)"
    assert "more memory" in refused("sql", sql, "--timeout", "60", "--data", str(past), status=1)


def test_a_part_of_the_log_that_ends_before_it_begins_is_no_part(past: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.csv"
    line = refused("export", "--out", str(out), "--since", "5", "--until", "2", "--data", str(past))
    assert "--since 5 is behind --until 2" in line
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_a_directory_that_is_not_there_is_refused_by_its_name(past: Path, tmp_path: Path) -> None:
    out = tmp_path / "nowhere" / "x.csv"
    for command in ("export", "report"):
        line = refused(command, "--out", str(out), "--data", str(past))
        assert f"there is no directory {out.parent} for {out}" in line


def test_what_is_shown_may_be_called_by_its_stream(past: Path) -> None:
    shown = [admitone("show", "ticket", name, "--data", str(past)).stdout for name in ("t1", "ticket-t1")]
    assert shown[0] == shown[1] != ""


@pytest.mark.parametrize("name", ["jwt.key", "receipts.key"])
def test_a_key_file_that_was_cut_short_stops_the_start_and_says_what_to_do(tmp_path: Path, name: str) -> None:
    data = tmp_path / "var"
    data.mkdir()
    (data / name).write_text("cut")
    done = admitone("serve", "--port", "0", "--data", str(data))
    last = done.stderr.splitlines()[-1]
    assert f"{data / name} holds no key; delete it to have one made" in last
    assert "should not have happened" not in last
    assert done.returncode == DAMAGED


def test_a_data_directory_that_is_a_file_is_refused_as_one(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("")
    line = refused("serve", "--data", str(tmp_path / "var"))
    assert f"--data must be a directory, and {tmp_path / 'var'} is a file" in line
