"""What the tests of backups share."""

import asyncio
from pathlib import Path

import pytest

from deploy import backing_up
from gateways.identity import Account, Accounts
from tests.analysis.season import lay, season
from tests.backup.people import PEOPLE
from tests.backup.shelves import facts, new_key, write


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


@pytest.fixture
def people(tmp_path: Path) -> list[Account]:
    """Who has accounts in the data directory ``var``, which has a short log."""
    write(tmp_path / "var", facts(3))
    return asyncio.run(_sign_up(tmp_path / "var" / "accounts.sqlite"))


async def _sign_up(path: Path) -> list[Account]:
    accounts = await Accounts.open(path)
    signed_up = [await accounts.sign_up(canary.email, canary.password) for canary in PEOPLE]
    await accounts.close()
    return signed_up
