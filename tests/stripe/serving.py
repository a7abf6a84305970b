"""The double as one process: its parts put together, on one port."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn
from msgspec import Struct

from tests.stripe.app import App
from tests.stripe.bank import Bank
from tests.stripe.clock import Clock
from tests.stripe.connection import Line
from tests.stripe.ledger import Ledger
from tests.stripe.service import Service
from tests.stripe.settling import settle_for_ever
from tests.stripe.webhooks import Target, Webhooks

HOST = "127.0.0.1"


class Settings(Struct, frozen=True):
    """``port`` 0: any free one. ``settle_after``: seconds after which refunds settle; None: when told."""

    ledger: Path
    port: int
    keys: frozenset[str]
    target: Target
    settle_after: float | None = None


class _Server(uvicorn.Server):
    """A server that takes a signal to end for what it is, and not for how the process is to die."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def end(self) -> None:
        self.should_exit = True


async def serve(settings: Settings, ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM. ``ready`` is told the address."""
    with contextlib.closing(Ledger(settings.ledger)) as ledger, _listening(settings.port) as listener:
        url = f"http://{HOST}:{listener.getsockname()[1]}"
        clock = Clock(float(ledger.fact("ahead") or 0))
        bank = Bank(ledger, clock, url, webhook=settings.target.url is not None)
        webhooks = Webhooks(bank, settings.target)
        webhooks.resume()
        app = App(bank, Service(bank, settings.keys), webhooks)
        config = uvicorn.Config(
            app,
            http=Line,
            loop="none",
            lifespan="off",
            access_log=False,
            proxy_headers=False,
            log_level="warning",
            timeout_graceful_shutdown=1,
        )
        tasks = [asyncio.create_task(webhooks.run())]
        if settings.settle_after is not None:
            settling = settle_for_ever(bank, settings.settle_after, webhooks.wake)
            tasks.append(asyncio.create_task(settling))
        try:
            server = _Server(config)
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, server.end)
            ready(url)
            await server.serve(sockets=[listener])
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _listening(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, port))
    listener.listen(512)
    return listener
