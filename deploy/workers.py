"""The processes that serve together: workers on one socket, and the projector. Started, watched, stopped.

The supervisor binds the socket and never serves. Each worker is a fresh interpreter that inherits it, so
nothing is shared but the backlog: a caller whom the kernel accepted is served by whoever is left. The
projector inherits the lease of the read models' directory, so nobody else feeds them while it lives.

SIGTERM and SIGINT drain all workers, and then stop the projector; a second one ends all at once. SIGUSR2
replaces one after another without a request lost, which is how a new version is taken into service.
"""

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Mapping

import msgspec
import structlog

from deploy import projector, worker
from deploy.child import Start
from deploy.failing import Failed, Failure
from deploy.process import Process
from gateways.leases import Slot

STEADY = 30.0
"""Seconds after which a process counts as having run well."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds between a death and its replacement: doubled while replacements die early."""
HOPELESS = 5
"""So many early deaths in a row, with no worker serving, and the service ends with what they said."""
STOPPING = 25.0
"""Seconds that a process is given to drain before it is killed: longer than a drain can take."""

log = structlog.get_logger("admitone.workers")


class Place(msgspec.Struct, frozen=True):
    """What a process is started for. module: what it runs. handle: what it inherits."""

    name: str
    module: str
    handle: int


class Supervisor:
    """Keeps ``count`` workers and the projector at work. ``ready`` is called once, when all of them are.

    served: whether a worker has ever served.
    """

    def __init__(
        self,
        options: Mapping[str, str | None],
        listener: socket.socket,
        count: int,
        slot: Slot,
        ready: Callable[[], None],
    ) -> None:
        """options: as given on the command line. slot: of the read models, and ours."""
        self._options = dict(options)
        self._listener = listener
        self._slot = slot
        self._ready = ready
        self._projector = Place("the projector", projector.__name__, slot.handle)
        self._workers = [Place(f"worker {n}", worker.__name__, listener.fileno()) for n in range(count)]
        self._processes: dict[Place, Process] = {}
        self._serving = {place: asyncio.Event() for place in (self._projector, *self._workers)}
        self._stopping = asyncio.Event()
        self._drained = asyncio.Event()
        self._replacing: asyncio.Task[None] | None = None
        self.served = False
        self._announced = False
        self._unclean: Failure | None = None

    async def run(self) -> None:
        """Until a signal. Raises Failed when the processes cannot serve, or did not stop cleanly."""
        loop = asyncio.get_running_loop()
        for ending in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(ending, self._asked_to_stop, ending)
        loop.add_signal_handler(signal.SIGUSR2, self._asked_to_replace)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep(self._projector, self._drained))
                workers = [group.create_task(self._keep(each, self._stopping)) for each in self._workers]
                await asyncio.wait(workers)
                self._drained.set()
                self._stop(self._projector)
        except ExceptionGroup as failures:
            # All fail for the same reason: one line says it.
            raise failures.exceptions[0] from None
        finally:
            for process in self._processes.values():
                process.kill()
                await process.process.wait()
        if self._unclean is not None:
            raise Failed(self._unclean.line)

    # ── One place ─────────────────────────────────────────────────────────────────────────────────

    async def _keep(self, place: Place, over: asyncio.Event) -> None:
        """Have a process at work in this place until it is ``over``."""
        early_deaths = 0
        while not over.is_set():
            process = await self._start(place, over)
            failure = await self._watch(place, process)
            self._serving[place].clear()
            if process.told_to_stop:
                if process.served:
                    self._unclean = self._unclean or failure
                continue
            steady = asyncio.get_running_loop().time() - process.begun >= STEADY
            early_deaths = 1 if steady else early_deaths + 1
            nobody_serves = not any(self._serving[worker].is_set() for worker in self._workers)
            if failure and (not self._announced or (early_deaths >= HOPELESS and nobody_serves)):
                raise Failed(failure.line, failure.status)
            pause = min(FIRST_PAUSE * 2 ** (early_deaths - 1), LONGEST_PAUSE)
            log.error("a process died", process=place.name, pid=process.process.pid, restart_in=pause)
            await self._pause(pause, over)

    async def _start(self, place: Place, over: asyncio.Event) -> Process:
        start = Start(self._options, str(self._slot.path), place.handle)
        process = self._processes[place] = await Process.start(place.name, place.module, start)
        if over.is_set():
            process.stop()
        return process

    async def _watch(self, place: Place, process: Process) -> Failure | None:
        """Until it ends; what kept it from serving, if anything."""
        failure = (await process.report()).failure
        if failure is None:
            log.info("a process serves", process=place.name, pid=process.process.pid)
            process.served = True
            self.served = self.served or place in self._workers
            self._serving[place].set()
            self._announce()
        return await process.ended() if failure is None else failure

    def _announce(self) -> None:
        if not self._announced and all(event.is_set() for event in self._serving.values()):
            self._announced = True
            self._ready()

    async def _pause(self, seconds: float, over: asyncio.Event) -> None:
        try:
            await asyncio.wait_for(over.wait(), seconds)
        except TimeoutError:
            return

    # ── Signals ───────────────────────────────────────────────────────────────────────────────────

    def _asked_to_stop(self, number: int) -> None:
        if self._stopping.is_set():
            for process in self._processes.values():
                process.kill()
            os._exit(128 + number)
        self._stopping.set()
        # Only the workers hold the socket from here on, and the last of them serves who waits in it.
        self._listener.close()
        for place in self._workers:
            self._stop(place)

    def _stop(self, place: Place) -> None:
        if (process := self._processes.get(place)) is not None:
            process.stop()
            asyncio.get_running_loop().call_later(STOPPING, process.kill)

    def _asked_to_replace(self) -> None:
        if self._replacing is None or self._replacing.done():
            self._replacing = asyncio.create_task(self._replace_all())

    async def _replace_all(self) -> None:
        for place, serving in self._serving.items():
            serving.clear()
            self._processes[place].stop()
            await serving.wait()
        log.info("all processes are replaced")
