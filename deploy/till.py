"""The process that speaks with the payment provider, for all workers: see gateways/till.py."""

import socket
from contextlib import AsyncExitStack

from deploy.child import Ready, Start, run, stop_signal
from deploy.memory import settle
from deploy.settings import Settings


async def work(settings: Settings, start: Start, ready: Ready) -> None:
    """Take payments until SIGTERM. Those that are under way then are finished first."""
    from deploy.parts import open_parts
    from gateways.till_counter import Counter
    from processmanager.hints import Names

    told_to_stop = stop_signal()
    async with AsyncExitStack() as closing:
        parts = await open_parts(settings, closing)
        assert isinstance(parts.payments, Names), "it is started for providers that know attempts by names"
        counter = Counter(parts.pump, parts.payments)
        closing.push_async_callback(counter.close)
        settle()
        await counter.open(socket.socket(fileno=start.handle))
        ready()
        await told_to_stop.wait()


if __name__ == "__main__":
    run(work)
