"""The process beside the workers that feeds the read models and drives purchases on: deploy/projecting.py."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path

from deploy.child import Ready, run
from deploy.memory import settle
from deploy.settings import Settings


async def work(settings: Settings, slot: Path, lease: int, ready: Ready) -> None:
    """Project until SIGTERM; a second one ends it at once. ``lease`` is ours by merely being open."""
    from deploy.projecting import build_projector

    told_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, _stop, told_to_stop)
    async with AsyncExitStack() as closing:
        projector = await build_projector(settings, slot, closing)
        closing.push_async_callback(projector.stop)
        settle()
        await projector.start()
        ready()
        await told_to_stop.wait()


def _stop(told: asyncio.Event) -> None:
    if told.is_set():
        os._exit(128 + signal.SIGTERM)
    told.set()


if __name__ == "__main__":
    run(work)
