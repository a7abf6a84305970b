"""Taking something up again, however it ended, for as long as it is wanted."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress
from logging import getLogger
from random import uniform
from typing import TypeVar

from gateways.damage import StoreDamaged
from gateways.eventstoredb_address import Address
from gateways.eventstoredb_trouble import trouble

log = getLogger("admitone.eventstoredb")

T = TypeVar("T")

BACKOFF = (0.1, 5.0)
"""Seconds to wait before the first and before any later attempt to subscribe again."""


class Resuming:
    """What a subscription of any kind has: an end that we decide, and words for why it is not there now."""

    def __init__(self, address: Address, what: str) -> None:
        """what: what is being followed, in words."""
        self._address = address
        self._what = what
        self._closed = asyncio.Event()
        self.problem: str | None = f"{what} is not followed yet"
        """Why it is not being read now; None if it is."""

    def close(self) -> None:
        """End it, wherever it is waiting."""
        self._closed.set()

    async def _resumed(self, subscribed: Callable[[Address], AsyncIterator[T]]) -> AsyncIterator[T]:
        """What each subscription gives, one after the other, until closed.

        subscribed: subscribes at an address and gives what comes until it ends; an end without an error is
        the end of all. Raises StoreDamaged when it says so; that is not taken up again.
        """
        wait, address = BACKOFF[0], self._address
        while not self._closed.is_set():
            try:
                async with aclosing(subscribed(address)) as items:  # type: ignore[type-var]  # a generator
                    async for item in items:
                        wait = BACKOFF[0]
                        yield item
            except StoreDamaged as error:
                self.problem = str(error)
                raise
            except Exception as error:
                found = trouble(error)
                leads = found.leader if found and self._address.is_one_node else None
                address = self._address.at(leads) if leads else self._address
                await self._rest(found.reason if found else f"{type(error).__name__}: {error}", wait)
                wait = min(2 * wait, BACKOFF[1])

    async def _rest(self, reason: str, seconds: float) -> None:
        if self._closed.is_set():
            return
        self.problem = f"{self._what} is not followed: {reason}"
        log.warning("%s; trying again in %.1f s", self.problem, seconds)
        with suppress(TimeoutError):
            async with asyncio.timeout(uniform(0.5 * seconds, seconds)):  # noqa: S311 - only spreads load
                await self._closed.wait()
