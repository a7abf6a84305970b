"""A process that the supervisor has started."""

import asyncio
import sys
from contextlib import suppress

import msgspec

from deploy.child import Report, Start
from deploy.failing import Failure


class Process:
    """told_to_stop: its end is no accident. served: it has said that it does its work."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.begun = asyncio.get_running_loop().time()
        self.told_to_stop = False
        self.served = False
        self._name = name

    @classmethod
    async def start(cls, name: str, module: str, start: Start) -> "Process":
        """A fresh interpreter that runs ``module`` and inherits ``start.handle``. Raises OSError."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # the working directory's packages are not ours
            "-m",
            module,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=[start.handle],
            start_new_session=True,  # a terminal's Ctrl-C reaches the supervisor only
        )
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(start) + b"\n")
        return cls(name, process)

    async def report(self) -> Report:
        """Its word on whether it serves; without a word, that it died."""
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        if line:
            return msgspec.json.decode(line, type=Report)
        status = await self.process.wait()
        return Report(Failure(f"{self._name} ended with status {status} before it served"))

    async def ended(self) -> Failure | None:
        """Its end; a failure if it ended badly."""
        status = await self.process.wait()
        return Failure(f"{self._name} ended with status {status}") if status else None

    def stop(self) -> None:
        """Ask it to end."""
        self.told_to_stop = True
        with suppress(ProcessLookupError):  # it has just ended by itself
            self.process.terminate()

    def kill(self) -> None:
        """End it."""
        with suppress(ProcessLookupError):
            self.process.kill()
