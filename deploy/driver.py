"""Driving the process manager: one process at a time, by a lease that a dead holder loses.

The lease only saves work. Two drivers at once would waste effort and change nothing else, so a holder
that is merely stopped (SIGSTOP) does no harm when it wakes beside its successor. Machines share no files:
where the log is on EventStoreDB, every process drives, and what they would do twice is shared by signals.
"""

import asyncio
from collections.abc import Callable
from logging import getLogger

from gateways.leases import Lease
from gateways.scheduler import Waker
from processmanager.watchdog import Watchdog

log = getLogger("admitone.driver")

TRY_AGAIN = 1.0
"""Seconds between two looks whether the lease has become free, or after a watch that broke off."""


class Driver:
    """Runs the watchdog while the lease is ours; without a lease, always."""

    def __init__(self, lease: Lease | None, watchdog: Watchdog, waker: Callable[[], Waker]) -> None:
        self._lease = lease
        self._watchdog = watchdog
        self._waker = waker

    async def run(self) -> None:
        """Until cancelled: wait for the lease, then watch."""
        try:
            while True:
                if self._lease is None or self._lease.try_take():
                    await self._watch()
                await asyncio.sleep(TRY_AGAIN)
        finally:
            if self._lease is not None:
                self._lease.release()

    async def _watch(self) -> None:
        waker = self._waker()
        waker.start()
        try:
            await self._watchdog.run()
        except Exception:
            # Whatever broke, deadlines go on falling due: say so, and watch again.
            log.exception("the watch over purchases broke off and is taken up again")
        finally:
            waker.stop()
