"""The module for notebooks, and the page that describes it."""

import asyncio
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deploy.notebook import CannotTell, Past
from domain.ticket import Reserved, ticket
from tests.analysis.season import season

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "analysis.md").read_text()


def test_every_example_of_the_page_does_what_it_says(past: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(past.parent)
    assert past.name == "var"
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 4
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "docs/analysis.md", "exec"), names)  # our own page


def test_a_state_is_what_the_fold_of_its_events_was_at_any_position(past: Path) -> None:
    told, states = Past(past), dict[int, Any]()
    for fact in season().facts:
        if fact.stream == "ticket-t1":
            states[fact.position] = state = ticket.evolve(
                states[max(states)] if states else ticket.initial, fact.event
            )
            assert told.state("ticket-t1", at=fact.position) == state
    assert told.fold(ticket)["t1"] == states[max(states)]
    at = datetime(2026, 11, 1, 10, 31, tzinfo=UTC)
    assert isinstance(told.fold(ticket, at=at)["t1"], Reserved)


def test_it_works_where_an_event_loop_is_running_already_as_in_a_notebook(past: Path) -> None:
    async def cell() -> int:
        return int(Past(past).events().num_rows)

    assert asyncio.run(cell()) == len(season().facts)


def test_what_cannot_be_told_is_one_clear_line(past: Path, tmp_path: Path) -> None:
    told = Past(past)
    with pytest.raises(CannotTell, match="there is no log in"):
        Past(tmp_path / "nowhere").events()
    with pytest.raises(CannotTell, match="has not come yet"):
        told.events(until="2999-01-01T00:00:00Z")
    with pytest.raises(CannotTell, match="a time with its zone"):
        told.state("ticket-t1", at=datetime(2026, 11, 1, 10, 31))  # noqa: DTZ001 - that is the mistake
    with pytest.raises(CannotTell, match="the log ends at position"):
        told.fold(ticket, at=10_000)
    with pytest.raises(CannotTell, match="no event type 'TicketSoled'"):
        told.events(types=["TicketSoled"])
    with pytest.raises(CannotTell, match="no stream of tickets"):
        told.state("invoice-1")
    with pytest.raises(CannotTell, match="there is no table 'nosuch'"):
        told.table("nosuch")
    with pytest.raises(CannotTell, match="the log is only read here"):
        told.sql("DROP TABLE events")
    assert not (tmp_path / "nowhere").exists()


def test_without_the_packages_it_says_what_to_install(past: Path) -> None:
    code = (
        "import sys; sys.modules['pyarrow'] = sys.modules['duckdb'] = None\n"
        "import importlib.util as u; found = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name in ('pyarrow', 'duckdb') else found(name, *a)\n"
        "from deploy.notebook import CannotTell, Past\n"
        "try: Past('var')\nexcept CannotTell as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    assert done.stdout.endswith("pip install 'duckdb>=2.0,<3' 'pyarrow>=21'\n")
