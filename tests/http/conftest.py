"""The whole product in process: the real store, desk, marketplace, card simulator and read models."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import structlog

from tests.http.shop import Shop, opened

Open = Callable[..., Awaitable[Shop]]


@pytest.fixture(autouse=True)
def _quiet() -> None:
    """Log lines go through the default chain, from warnings up."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))


@pytest.fixture
async def open_shop(tmp_path: Path) -> AsyncIterator[Open]:
    """Opens shops that tests set up for themselves, several on one data directory if they like."""
    async with AsyncExitStack() as closing:

        async def open_one(**changed: Any) -> Shop:
            return await closing.enter_async_context(opened(tmp_path, **changed))

        yield open_one


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    """An empty shop that accepts classic sessions, as the classic test suites forge them."""
    async with opened(tmp_path) as shop:
        yield shop
