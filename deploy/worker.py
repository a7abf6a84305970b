"""A process that answers requests, on a socket that it shares with others of its kind."""

import socket
from functools import partial
from pathlib import Path

from deploy.child import Ready, Start, run
from deploy.settings import Settings


async def work(settings: Settings, start: Start, ready: Ready) -> None:
    """Serve until a signal. Raises what keeps the process from it."""
    from deploy.app import build_web
    from deploy.server import serve

    till = None if start.till is None else Path(start.till)
    build = partial(build_web, slot=Path(start.slot), till=till)
    await serve(build, settings, socket.socket(fileno=start.handle), ready)


if __name__ == "__main__":
    run(work)
