"""Several serving processes on one socket: started, watched, restarted, stopped.

The supervisor binds the socket and never serves. Each worker is a fresh interpreter that inherits it, so
nothing is shared but the backlog: a caller whom the kernel accepted is served by whoever is left.

SIGTERM and SIGINT drain all workers; a second one ends them at once. SIGUSR2 replaces the workers one
after another without a request lost, which is how a new version is taken into service.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress

import msgspec
import structlog

from deploy.failing import Failed, Failure
from deploy.worker import Report, Start

STEADY = 30.0
"""Seconds after which a worker counts as having run well."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds between a worker's death and its replacement: doubled while replacements die early."""
HOPELESS = 5
"""So many early deaths in a row, with no worker serving, and the service ends with what they said."""
STOPPING = 25.0
"""Seconds that a worker is given to drain before it is killed: longer than a drain can take."""

log = structlog.get_logger("admitone.workers")


class _Worker:
    """One running process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.begun = asyncio.get_running_loop().time()
        self.told_to_stop = False
        self.served = False

    async def report(self) -> Report:
        """Its word on whether it serves; without a word, that it died."""
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        if line:
            return msgspec.json.decode(line, type=Report)
        status = await self.process.wait()
        return Report(Failure(f"a worker ended with status {status} before it served"))

    def stop(self) -> None:
        self.told_to_stop = True
        with suppress(ProcessLookupError):  # it has just ended by itself
            self.process.terminate()

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            self.process.kill()


class Supervisor:
    """Keeps ``count`` workers serving on ``listener``. ``ready`` is called once, when all of them do."""

    def __init__(
        self,
        options: Mapping[str, str | None],
        listener: socket.socket,
        count: int,
        ready: Callable[[], None],
    ) -> None:
        self._options = dict(options)
        self._listener = listener
        self._count = count
        self._ready = ready
        self._workers: dict[int, _Worker] = {}
        self._serving: dict[int, asyncio.Event] = {n: asyncio.Event() for n in range(count)}
        self._stopping = asyncio.Event()
        self._replacing: asyncio.Task[None] | None = None
        self._announced = False
        self._unclean: Failure | None = None

    async def run(self) -> None:
        """Until a signal. Raises Failed when the workers cannot serve, or did not stop cleanly."""
        loop = asyncio.get_running_loop()
        for ending in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(ending, self._asked_to_stop, ending)
        loop.add_signal_handler(signal.SIGUSR2, self._asked_to_replace)
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(self._count):
                    group.create_task(self._keep(number))
        except ExceptionGroup as failures:
            # All workers fail for the same reason: one line says it.
            raise failures.exceptions[0] from None
        finally:
            for worker in self._workers.values():
                worker.kill()
                await worker.process.wait()
        if self._unclean is not None:
            raise Failed(self._unclean.line)

    # ── One worker's place ────────────────────────────────────────────────────────────────────────

    async def _keep(self, number: int) -> None:
        """Have one worker serve in this place until all stop."""
        early_deaths = 0
        while not self._stopping.is_set():
            worker = await self._start(number)
            failure = await self._watch(number, worker)
            self._serving[number].clear()
            if worker.told_to_stop:
                if worker.served:
                    self._unclean = self._unclean or failure
                continue
            steady = asyncio.get_running_loop().time() - worker.begun >= STEADY
            early_deaths = 1 if steady else early_deaths + 1
            nobody_serves = not any(event.is_set() for event in self._serving.values())
            if failure and (not self._announced or (early_deaths >= HOPELESS and nobody_serves)):
                raise Failed(failure.line, failure.status)
            pause = min(FIRST_PAUSE * 2 ** (early_deaths - 1), LONGEST_PAUSE)
            log.error("a worker died", worker=number, pid=worker.process.pid, restart_in=pause)
            await self._pause(pause)

    async def _start(self, number: int) -> _Worker:
        socket_number = self._listener.fileno()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # the working directory's packages are not ours
            "-m",
            "deploy.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=[socket_number],
            start_new_session=True,  # a terminal's Ctrl-C reaches the supervisor only
        )
        worker = self._workers[number] = _Worker(process)
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(Start(self._options, socket_number)) + b"\n")
        if self._stopping.is_set():
            worker.stop()
        return worker

    async def _watch(self, number: int, worker: _Worker) -> Failure | None:
        """Until this worker ends; what kept it from serving, if anything."""
        failure = (await worker.report()).failure
        if failure is None:
            log.info("a worker serves", worker=number, pid=worker.process.pid)
            worker.served = True
            self._serving[number].set()
            self._announce()
        status = await worker.process.wait()
        if failure is None and status != 0:
            failure = Failure(f"a worker ended with status {status}")
        return failure

    def _announce(self) -> None:
        if not self._announced and all(event.is_set() for event in self._serving.values()):
            self._announced = True
            self._ready()

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    # ── Signals ───────────────────────────────────────────────────────────────────────────────────

    def _asked_to_stop(self, number: int) -> None:
        if self._stopping.is_set():
            for worker in self._workers.values():
                worker.kill()
            os._exit(128 + number)
        self._stopping.set()
        # Only the workers hold the socket from here on, and the last of them serves who waits in it.
        self._listener.close()
        for worker in self._workers.values():
            worker.stop()
            asyncio.get_running_loop().call_later(STOPPING, worker.kill)

    def _asked_to_replace(self) -> None:
        if self._replacing is None or self._replacing.done():
            self._replacing = asyncio.create_task(self._replace_all())

    async def _replace_all(self) -> None:
        for number, serving in self._serving.items():
            worker = self._workers[number]
            serving.clear()
            worker.stop()
            await serving.wait()
        log.info("all workers are replaced")
