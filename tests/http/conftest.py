"""The whole product in process: the real store, desk, marketplace, card simulator and read models."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import structlog

from tests.http.shop import KINDS, Shop, empty_store, opened

Open = Callable[..., Awaitable[Shop]]


@pytest.fixture(autouse=True)
def _quiet() -> None:
    """Log lines go through the default chain, from warnings up."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))


@pytest.fixture(scope="session", params=KINDS)
def store_kind(request: pytest.FixtureRequest) -> str:
    """Which store the shop's log is in: every test of a shop runs once on each."""
    return str(request.param)


@pytest.fixture
async def store(store_kind: str) -> AsyncIterator[str]:
    """An empty store, as ``--store`` names it."""
    async with empty_store(store_kind) as store:
        yield store


@pytest.fixture
async def open_shop(tmp_path: Path, store: str) -> AsyncIterator[Open]:
    """Opens shops that tests set up for themselves, several on one data directory if they like."""
    async with AsyncExitStack() as closing:

        async def open_one(**changed: Any) -> Shop:
            return await closing.enter_async_context(opened(tmp_path, store=store, **changed))

        yield open_one


@pytest.fixture
async def shop(tmp_path: Path, store: str) -> AsyncIterator[Shop]:
    """An empty shop that accepts classic sessions, as the classic test suites forge them."""
    async with opened(tmp_path, store=store) as shop:
        yield shop
