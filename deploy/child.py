"""One of the processes that ``deploy.workers`` starts: told what to do, and telling whether it does.

It gets the options as one JSON line on stdin and reports on stdout in one JSON line whether it serves.
Stdin stays open while the supervisor lives: its end means "stop", as SIGTERM does.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from deploy.failing import Failure, explain, trace
from deploy.settings import Settings
from gateways import logs


class Start(msgspec.Struct, frozen=True):
    """``options``: as given on the command line. ``slot``: the directory of the read models.

    handle: what is inherited: the listening socket, or the slot's lease.
    """

    options: dict[str, str | None]
    slot: str
    handle: int


class Report(msgspec.Struct, frozen=True):
    """``failure``: what kept the process from serving; none when it serves."""

    failure: Failure | None = None


Ready = Callable[[], None]
Work = Callable[[Settings, Path, int, Ready], Coroutine[Any, Any, None]]
"""From the settings, the slot and the inherited handle; calls what it is given when it serves."""


def run(work: Work, loop: Callable[[], uvloop.Loop] = uvloop.new_event_loop) -> None:
    """Do ``work`` as the supervisor says, on such a loop, and exit as it ended."""
    start = msgspec.json.decode(sys.stdin.buffer.readline(), type=Start)
    # Ctrl-C at a terminal is for the supervisor to hear: a child that hears it too would hear it twice.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        settings = Settings.load(start.options, os.environ)
        logs.configure(settings.log_level)
        working = work(settings, Path(start.slot), start.handle, lambda: _tell(Report()))
        uvloop.run(_watched(working), loop_factory=loop)
    except Exception as error:
        trace(error)
        failure = explain(error)
        _tell(Report(failure))
        sys.exit(failure.status)


async def _watched(work: Coroutine[Any, Any, None]) -> None:
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), _orphaned, loop)
    await work


def _orphaned(loop: asyncio.AbstractEventLoop) -> None:
    if not os.read(sys.stdin.fileno(), 1024):
        loop.remove_reader(sys.stdin.fileno())
        os.kill(os.getpid(), signal.SIGTERM)


def _tell(report: Report) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
    sys.stdout.buffer.flush()
