"""One of several serving processes: what ``deploy.workers`` starts.

It gets the options as one JSON line on stdin, the listening socket by inheritance, and reports on stdout
in one JSON line whether it serves. Stdin stays open while the supervisor lives: its end means "drain".
"""

import asyncio
import os
import signal
import socket
import sys

import msgspec
import uvloop

from deploy.failing import Failure, explain, trace
from deploy.server import serve
from deploy.settings import Settings
from gateways import logs


class Start(msgspec.Struct, frozen=True):
    """``options``: as given on the command line. ``listener``: the number of the inherited socket."""

    options: dict[str, str | None]
    listener: int


class Report(msgspec.Struct, frozen=True):
    """``failure``: what kept the worker from serving; none when it serves."""

    failure: Failure | None = None


def main() -> None:
    start = msgspec.json.decode(sys.stdin.buffer.readline(), type=Start)
    # Ctrl-C at a terminal is for the supervisor to hear: a worker that hears it too would hear it twice.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        settings = Settings.load(start.options, os.environ)
        logs.configure(settings.log_level)
        uvloop.run(_serve(settings, socket.socket(fileno=start.listener)))
    except Exception as error:
        trace(error)
        failure = explain(error)
        _tell(Report(failure))
        sys.exit(failure.status)


async def _serve(settings: Settings, listener: socket.socket) -> None:
    from deploy.app import build

    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), _orphaned, loop)
    await serve(build, settings, listener, ready=lambda: _tell(Report()))


def _orphaned(loop: asyncio.AbstractEventLoop) -> None:
    if not os.read(sys.stdin.fileno(), 1024):
        loop.remove_reader(sys.stdin.fileno())
        os.kill(os.getpid(), signal.SIGTERM)


def _tell(report: Report) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
