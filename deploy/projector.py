"""The process beside the workers that feeds the read models and drives purchases on: deploy/projecting.py."""

from contextlib import AsyncExitStack
from pathlib import Path

from deploy.child import Ready, Start, run, stop_signal
from deploy.memory import settle
from deploy.settings import Settings


async def work(settings: Settings, start: Start, ready: Ready) -> None:
    """Project until SIGTERM. The lease that is handed over is ours by merely being open."""
    from deploy.projecting import build_projector

    told_to_stop = stop_signal()
    async with AsyncExitStack() as closing:
        projector = await build_projector(settings, Path(start.slot), closing)
        closing.push_async_callback(projector.stop)
        settle()
        await projector.start()
        ready()
        await told_to_stop.wait()


if __name__ == "__main__":
    run(work)
