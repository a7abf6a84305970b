"""Stripe for a test: a double of its API in a process of its own, and the adapter on the real SDK."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateways.clock import SystemClock
from gateways.stripe_api import StripeAccess
from gateways.stripe_payments import StripePayments
from tests.stripe.running import RunningStripe, running_stripe


@pytest.fixture
async def double(tmp_path: Path) -> AsyncIterator[RunningStripe]:
    async with running_stripe(tmp_path) as running:
        yield running


@pytest.fixture
async def provider(double: RunningStripe) -> AsyncIterator[StripePayments]:
    opened = StripePayments(StripeAccess(double.key, url=double.url, timeout=5), SystemClock())
    yield opened
    await opened.close()
