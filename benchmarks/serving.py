"""Servers to measure: the platform as `admitone serve` starts it, and the no-op on the very same server."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

KEY = "a-key-for-measurements-only-32-bytes"
READY = 1_800.0
"""Seconds that a server may take to become ready: six read models of two million events take a while."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def platform(
    data: Path,
    *,
    hold: int = 900,
    workers: int = 1,
    store: str = "embedded",
    more: Mapping[str, str] | None = None,
) -> AsyncIterator[int]:
    """The platform on the data directory ``data``; gives its port. Fsync is on, as ever.

    more: further settings, by their names.
    """
    async with platform_process(data, hold=hold, workers=workers, store=store, more=more) as (port, _):
        yield port


@asynccontextmanager
async def platform_process(
    data: Path,
    *,
    hold: int = 900,
    workers: int = 1,
    store: str = "embedded",
    more: Mapping[str, str] | None = None,
) -> AsyncIterator[tuple[int, asyncio.subprocess.Process]]:
    """The same, with the process to be killed."""
    port = free_port()
    told = {
        "ADMITONE_JWT_KEY": KEY,
        "ADMITONE_RATE_LIMIT": "off",
        "ADMITONE_DRAIN": "0",
        "ADMITONE_LOG_LEVEL": "info",
        **{f"ADMITONE_{name.upper()}": value for name, value in (more or {}).items()},
    }
    command = [
        str(Path(sys.executable).with_name("admitone")),
        "serve",
        "--port",
        str(port),
        "--data",
        str(data),
    ]
    command += ["--no-demo", "--hold", str(hold), "--workers", str(workers), "--store", store]
    async with _running(command, told, data / "server.log", port) as process:
        yield port, process


def kill(process: asyncio.subprocess.Process) -> None:
    """SIGKILL to a server and all that it has started, as if the power had gone."""
    os.killpg(process.pid, signal.SIGKILL)


@asynccontextmanager
async def noop(log: Path) -> AsyncIterator[int]:
    """The floor, on the platform's server; gives its port."""
    port = free_port()
    async with _running([sys.executable, "-m", "benchmarks.noop", str(port)], {}, log, port):
        yield port


@asynccontextmanager
async def _running(
    command: list[str], told: dict[str, str], log: Path, port: int
) -> AsyncIterator[asyncio.subprocess.Process]:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as lines:
        process = await asyncio.create_subprocess_exec(
            *command,
            env={**os.environ, **told},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=lines,
            start_new_session=True,
        )
    try:
        await _answering(process, port, log)
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 30)
        except TimeoutError:
            process.kill()


async def _answering(process: asyncio.subprocess.Process, port: int, log: Path) -> None:
    """Wait until the server answers that it is ready (the no-op knows no readiness: any answer will do)."""
    async with asyncio.timeout(READY):
        while not await _answers(port):
            if process.returncode is not None:
                raise RuntimeError(f"the server ended with {process.returncode}; see {log}")
            await asyncio.sleep(0.01)


async def _answers(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.write(b"GET /readyz HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
    head = await reader.read(12)
    writer.close()
    return head[9:12] in {b"200", b"404"}
