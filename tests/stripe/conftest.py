"""The double, started anew for each test, and the official SDK's client on it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import stripe

from tests.stripe.running import RunningStripe, running_stripe


@pytest.fixture
async def double(tmp_path: Path) -> AsyncIterator[RunningStripe]:
    async with running_stripe(tmp_path) as running:
        yield running


@pytest.fixture
def client(double: RunningStripe) -> stripe.StripeClient:
    return double.client()
