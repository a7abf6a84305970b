"""``admitone project``: a new read model is one file and one command, as the page says."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.analysis.asking import told
from tests.analysis.test_notebook import PAGE


@pytest.fixture
def popular(tmp_path: Path) -> Path:
    """The file of the page."""
    (block,) = re.findall(r"^```python\n(# popular\.py\n.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    path = tmp_path / "popular.py"
    path.write_text(block)
    return path


def rows(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def test_the_example_of_the_page_answers_its_question(
    past: Path, popular: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(popular.parent)
    (command,) = re.findall(r"^    admitone (project .*)$", PAGE, re.MULTILINE)
    (question,) = re.findall(r"^    sqlite3 popular\.sqlite '(.*)'$", PAGE, re.MULTILINE)
    assert "popular as of position" in told(*command.split(), "--data", str(past))
    assert rows(popular.with_suffix(".sqlite"), question) == [
        ("Seat t2", 3, 0), ("Seat t1", 2, 1), ("Seat t3", 1, 1), ("Seat t4", 1, 0), ("Seat t5", 1, 1),
    ]  # fmt: skip


def test_it_is_as_of_any_time(past: Path, popular: Path, tmp_path: Path) -> None:
    out = tmp_path / "then.sqlite"
    words = (
        "project",
        str(popular),
        "--out",
        str(out),
        "--until",
        "2026-11-01T10:31:00Z",
        "--data",
        str(past),
    )
    told(*words)
    assert rows(out, "SELECT sum(holds), sum(sold) FROM ticket") == [(3, 0)]
    assert "is there already" in told(*words, status=2)
    told(*words, "--force")


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        (("POPULAR = ", "POPULAR = lambda: "), 2, "declares no Projection"),
        (("import TicketListed,", "import TicketLost,"), 2, "cannot be used: ImportError"),
        (("def held", "def def"), 2, "cannot be used: SyntaxError"),
        (("CREATE TABLE ticket(", "CREATE TABEL ticket("), 1, "the tables of popular cannot be made"),
        (("SET holds = holds + 1", "SET hold = 1"), 1, "cannot apply ticket-t2 revision 1"),
        (("recorded.event.title))]", "recorded.event.name))]"), 1, "cannot apply ticket-t1 revision 0"),
        (("POPULAR = ", 'ONE = Projection("one", 1, (), "", print)\nPOPULAR = '), 2, "one and popular: say"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_work_is_one_clear_line_and_makes_nothing(
    past: Path, popular: Path, change: tuple[str, str], status: int, said: str
) -> None:
    text = popular.read_text()
    assert change[0] in text
    popular.write_text(text.replace(*change))
    line = told("project", str(popular), "--data", str(past), status=status)
    assert said in line
    assert len(line.splitlines()) == 1
    assert not popular.with_suffix(".sqlite").exists()


def test_no_file_and_a_file_that_is_not_python_are_said_to_be_so(past: Path, tmp_path: Path) -> None:
    assert "there is no file" in told("project", str(tmp_path / "no.py"), "--data", str(past), status=2)
    (tmp_path / "x.txt").write_text("x")
    assert "is no Python file" in told("project", str(tmp_path / "x.txt"), "--data", str(past), status=2)
