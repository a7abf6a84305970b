"""Serving: uvicorn on a socket that was bound before, and a stop that cuts nobody off.

SIGTERM begins a drain. For a while everything is still accepted and answered, but with "Connection:
close" and a readiness that says no, so that clients and load balancers move on by themselves. Then no
more is accepted, what is under way is finished, and only then are the parts behind it stopped.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any, Protocol

import structlog
import uvicorn

from deploy.memory import settle
from deploy.protocol import BoundedProtocol
from deploy.settings import Settings

BACKLOG = 2048
KEEP_ALIVE = 75
"""Seconds that a quiet connection is kept: longer than the common load balancers keep theirs, because
whoever closes first must be the one who sends."""
FINISH = 10
"""Seconds that requests under way are given to finish."""
LINGER = 0.5
"""Seconds that a connection accepted in the last moment is given to send its request."""

log = structlog.get_logger("admitone.server")


class Application(Protocol):
    """What is served: see deploy/app.py."""

    @property
    def asgi(self) -> Any: ...
    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    def drain(self) -> None:
        """From now on: not ready, and "Connection: close" on every answer."""


Build = Callable[[Settings], Awaitable[Application]]


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises OSError, when the address is taken for instance."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        # Listening at once makes a second server fail here and not later.
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def address(listener: socket.socket) -> str:
    """The URL of ``listener``."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def serve(build: Build, settings: Settings, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Build the application, serve it until a signal, drain, stop. ``ready`` is called when it serves.

    Raises whatever kept it from starting.
    """
    application = await build(settings)
    try:
        await application.start()
        settle()
        server = DrainingServer(application, settings.drain.total_seconds(), ready)
        await server.serve(sockets=[listener])
    finally:
        await application.stop()


class DrainingServer(uvicorn.Server):
    def __init__(self, application: Application, window: float, ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                application.asgi,
                http=BoundedProtocol,
                interface="asgi3",
                ws="none",
                lifespan="off",
                loop="uvloop",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # the edge decides whom to believe
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE,
                timeout_graceful_shutdown=FINISH,
            )
        )
        self._application = application
        self._window = window
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Not uvicorn's: it would raise the signal again after a clean stop, and exit as if killed.
        if self.should_exit:
            os._exit(128 + sig)
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        log.info("draining", connections=len(self.server_state.connections))
        spares = [listener.dup() for listener in sockets or []]
        self._application.drain()
        await self._keep_time(self._window)
        for server in self.servers:
            server.close()
        for spare in spares:
            await self._take_the_last(spare)
        await self._keep_time(LINGER, or_until=lambda: not self.server_state.connections)
        await super().shutdown(sockets)
        log.info("drained")

    async def _take_the_last(self, listener: socket.socket) -> None:
        """Serve whom the kernel accepted for us before we stopped: they would be reset otherwise."""
        loop = asyncio.get_running_loop()
        listener.setblocking(False)
        with listener:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:  # nobody is left, or he has gone
                    return
                connection.setblocking(False)
                await loop.connect_accepted_socket(self._protocol, connection)

    def _protocol(self) -> asyncio.Protocol:
        return BoundedProtocol(config=self.config, server_state=self.server_state, app_state={})

    async def _keep_time(self, seconds: float, or_until: Callable[[], bool] = lambda: False) -> None:
        """Wait while answers go on being dated."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end and not or_until():
            await self.on_tick(0)
            await asyncio.sleep(min(0.1, max(0.0, end - loop.time())))
