"""``admitone`` with small buffers: what it keeps at once then shows in its memory even with a short log.

``hold`` in a command's place keeps the whole log, as a measure of what that takes.
"""

import asyncio
import resource
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

from deploy import backing_up
from deploy.cli import admitone
from gateways.embedded import EmbeddedStore
from gateways.spill import Spill
from tests.deploy.running import environment

REMEMBERED = 500
SEGMENT = 256 * 1024
PAGES = 2 * 2**20
"""Bytes of SQLite's in all connections together, about."""


def peak(*words: str) -> int:
    """Bytes that a process which does this needs at most."""
    command = [sys.executable, "-m", "tests.analysis.frugal", *words]
    done = subprocess.run(command, env=environment(), check=True, capture_output=True, text=True, timeout=60)
    return int(done.stderr.splitlines()[-1])


def _begin_small() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(f"PRAGMA soft_heap_limit={PAGES}")
    Spill.__init__.__defaults__ = (REMEMBERED,)
    backing_up.SEGMENT = SEGMENT


def _peak() -> int:
    """Linux counts what a parent had needed before as the child's in ``ru_maxrss``, but not here."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


async def _hold(path: Path) -> None:
    store = await EmbeddedStore.open(path)
    held = [page async for page in _whole(store)]
    assert held
    await store.close()


async def _whole(store: EmbeddedStore) -> AsyncIterator[object]:
    head = store.head()
    async for page in store.follow():
        yield page
        if page[-1].position >= head:
            return


if __name__ == "__main__":
    _begin_small()
    if sys.argv[1] == "hold":
        asyncio.run(_hold(Path(sys.argv[2]) / "log.sqlite"))
    else:
        admitone(sys.argv[1:], standalone_mode=False)
    print(_peak(), file=sys.stderr)
