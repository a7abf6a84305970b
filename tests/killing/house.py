"""A shop on Stripe's double that is killed and begins anew on the same data, behind one address."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from deploy.app import Application, build
from deploy.places import Places
from deploy.settings import Settings
from gateways.clock import SystemClock
from gateways.embedded import EmbeddedStore
from gateways.stripe_api import StripeAccess
from gateways.stripe_payments import StripePayments
from tests.http.shop import KEY, Shop
from tests.killing.mortal import Fate, MortalPayments, MortalStore
from tests.stripe.running import SECRET, RunningStripe

SOON = tuple(timedelta(seconds=min(0.2 * 2**number, 2.0)) for number in range(100))
"""What fails is tried again at once, and as long as a test may last."""


STRIPE_TIMEOUT = 1.5
"""Seconds that the shop waits for Stripe."""


class Killed(Exception):
    """The process died before it answered."""


class LateClock:
    """The time, which a test can put forward."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return self._clock.now() + self.ahead


class House:
    """One process after another. ``application`` is the living one's."""

    def __init__(self, data: Path, double: RunningStripe, adapter: type[StripePayments]) -> None:
        self.application: Application
        self.clock = LateClock()
        self.places = Places(data)
        self._double = double
        self._adapter = adapter
        self._fate: Fate | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._alive = asyncio.Event()

    async def begin(self, fate: Fate) -> None:
        self._fate = fate
        self._store = await EmbeddedStore.open(self.places.log)
        access = StripeAccess(self._double.key, url=self._double.url, timeout=STRIPE_TIMEOUT)
        self._payments = self._adapter(access, self.clock)
        settings = Settings(
            data=self.places.root,
            demo=False,
            jwt_key=(KEY,),
            classic_sessions=True,
            rate_limit=None,
            retry_delays=SOON,
            stripe_secret_key=self._double.key,
            stripe_webhook_secrets=(SECRET,),
        )
        self.application = await build(
            settings,
            store=MortalStore(self._store, fate),
            payments=MortalPayments(self._payments, fate),
            clock=self.clock,
        )
        self.shop = Shop(self.application)
        await self.application.start()
        self._alive.set()

    async def kill(self) -> None:
        """From here on nothing of the living process gets out; what it held is then let go of."""
        assert self._fate is not None
        self._alive.clear()
        self._fate.end()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.shop.close()
        await self.application.stop()
        await self._payments.close()
        await self._store.close()

    async def again(self) -> None:
        """Wait for the next process."""
        await self._alive.wait()

    async def ask(self, request: Callable[[Shop], Awaitable[httpx.Response]]) -> httpx.Response:
        """The answer to a request. Raises Killed if the process died before it."""
        await self.again()
        answer: httpx.Response = await self._dying(request(self.shop))
        return answer

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """As a server that is reached from another process; not at all while there is none."""
        if self._alive.is_set():
            with suppress(Killed):
                await self._dying(self.application.asgi(scope, receive, send))

    async def _dying(self, work: Awaitable[Any]) -> Any:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled() and not self._alive.is_set():
                raise Killed from None
            task.cancel()
            raise
        finally:
            self._tasks.discard(task)


class Gate:
    """An address that is known before there is a house behind it."""

    def __init__(self) -> None:
        self.house: House | None = None
        self.url = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self.house is not None:
            await self.house(scope, receive, send)


@asynccontextmanager
async def gate() -> AsyncIterator[Gate]:
    """It stands open, on a port of its own."""
    opened = Gate()
    listening = socket.create_server(("127.0.0.1", 0))
    opened.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    config = uvicorn.Config(opened, lifespan="off", log_config=None, timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve([listening]))
    try:
        yield opened
    finally:
        server.should_exit = True
        await task
        listening.close()
