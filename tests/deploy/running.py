"""The product as a user starts it: ``admitone serve`` as a process of its own, on a free port."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

ADMITONE = str(Path(sys.executable).with_name("admitone"))
FOREIGN = ("ADMITONE_", "MAKE", "MFLAGS", "PYTEST_", "ARGS")
PATIENCE = 30.0
"""Seconds that anything may take here."""


class Running:
    """A server that says that it is ready. Its log lines are in ``log``."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path, ready_line: str) -> None:
        self.process = process
        self.log = log
        self.ready_line = ready_line
        found = re.search(r"http://\S+:(\d+)", ready_line)
        assert found, f"no address in {ready_line!r}"
        self.url, self.port = found[0], int(found[1])

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL to all of its processes, and to the supervisor first: it would start the others again."""
        for pid in (self.process.pid, *self.workers(), *self.projectors()):
            os.kill(pid, signal.SIGKILL)
        self.ended()

    def ended(self) -> int:
        """Its exit status, once it has ended."""
        return self.process.wait(PATIENCE)

    def workers(self) -> list[int]:
        """The process ids of its workers."""
        return self._running("deploy.worker")

    def projectors(self) -> list[int]:
        """The process id of its projector; none while there is none."""
        return self._running("deploy.projector")

    def _running(self, module: str) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        found = []
        for pid in children.read_text().split():
            with suppress(FileNotFoundError):
                if module in Path(f"/proc/{pid}/cmdline").read_text().split("\0"):
                    found.append(int(pid))
        return found


def environment(**variables: str) -> dict[str, str]:
    """This environment without what a make or pytest around it has set, and ``variables`` as settings.

    The drain is short, so that what is not about draining does not wait for it.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    told = {"drain": "0.1"} | variables
    return kept | {f"ADMITONE_{name.upper()}": value for name, value in told.items()}


@contextmanager
def running(data: Path, *options: str, **variables: str) -> Iterator[Running]:
    """``admitone serve`` on a free port with its data in ``data``; ended at the end."""
    log = data.with_suffix(".log")
    command = [ADMITONE, "serve", "--port", "0", "--data", str(data), *options]
    with log.open("a") as stderr:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment(**variables)
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"it ended with {process.wait(PATIENCE)}: {log.read_text()}"
        yield Running(process, log, line)
    finally:
        if process.poll() is None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE)
            process.kill()
        process.communicate()


def admitone(
    *words: str,
    cwd: Path | None = None,
    variables: Mapping[str, str] | None = None,
    stdin: str | None = None,
) -> "subprocess.CompletedProcess[str]":
    """Run one command to its end, with ``variables`` as its settings."""
    return subprocess.run(
        [ADMITONE, *words],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(**variables or {}),
        cwd=cwd,
        check=False,
    )


def eventually(holds: Callable[[], bool], what: str) -> None:
    """Wait until ``holds`` does. Fails, saying ``what`` did not come true."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"it never came true that {what}"
        time.sleep(0.02)
