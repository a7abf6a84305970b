"""The embedded store on a file of the test's own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateways.embedded import EmbeddedStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.sqlite"


@pytest.fixture
async def embedded(path: Path) -> AsyncIterator[EmbeddedStore]:
    store = await EmbeddedStore.open(path)
    yield store
    await store.close()
