"""What the tests of backups share."""

from pathlib import Path

import pytest

from deploy import backing_up
from tests.analysis.season import lay, season
from tests.backup.shelves import new_key


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few pages make several segments."""
    monkeypatch.setattr(backing_up, "SEGMENT", 1)


@pytest.fixture
def past(tmp_path: Path) -> Path:
    return lay(tmp_path / "season", season())


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return new_key(tmp_path / "key")
