"""Machines that share a shop: each a real projector process with a data directory of its own."""

import asyncio
import contextlib
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

from msgspec import Struct

from tests.deploy.running import PATIENCE, environment
from tests.eventstoredb.cluster import Cluster


class Machine(Struct, frozen=True):
    """name: what its connections to the double are called."""

    name: str
    process: Process
    double: Cluster
    log: Path

    def appends(self) -> int:
        """How often it has written into the log."""
        return self._calls("Streams/BatchAppend")

    def kill(self) -> None:
        self.process.kill()

    def _calls(self, method: str) -> int:
        return sum(call.metadata["connection-name"] == self.name for call in self.double.calls.of(method))


@contextlib.asynccontextmanager
async def machine(double: Cluster, place: Path, name: str, **variables: str) -> AsyncIterator[Machine]:
    """A projector at work on the double; the card ledger in ``place`` is the one provider of all."""
    slot, log = place / name / "read-models" / "0", place / f"{name}.log"
    slot.mkdir(parents=True, exist_ok=True)
    told = {"store": double.uri(ConnectionName=name), "cards": str(place / "cards.sqlite"), "demo": "0"}
    with log.open("ab") as stderr:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "deploy.projector"),
            stdin=PIPE,
            stdout=PIPE,
            stderr=stderr,
            env=environment(**told, **variables),
        )
    assert process.stdin is not None
    assert process.stdout is not None
    start = {"options": {"data": str(place / name)}, "slot": str(slot), "handle": 0}
    process.stdin.write(json.dumps(start).encode() + b"\n")
    try:
        async with asyncio.timeout(PATIENCE):
            said = await process.stdout.readline()
        assert json.loads(said or b"{}") == {"failure": None}, f"{said!r} {log.read_text()}"
        yield Machine(name, process, double, log)
    finally:
        if process.returncode is None:
            process.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await process.wait()
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
