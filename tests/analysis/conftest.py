"""What the analysts' tests share."""

from pathlib import Path

import pytest

from tests.analysis.season import lay, season


@pytest.fixture(scope="session")
def past(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with the season; to be read only."""
    return lay(tmp_path_factory.mktemp("season") / "var", season())
