"""A process that answers requests, on a socket that it shares with others of its kind."""

import socket
from functools import partial
from pathlib import Path

from deploy.child import Ready, run
from deploy.lanes import LanedLoop
from deploy.settings import Settings


async def work(settings: Settings, slot: Path, listener: int, ready: Ready) -> None:
    """Serve until a signal. Raises what keeps the process from it."""
    from deploy.app import build_web
    from deploy.server import serve

    await serve(partial(build_web, slot=slot), settings, socket.socket(fileno=listener), ready)


if __name__ == "__main__":
    run(work, LanedLoop)
