"""A disk of a few megabytes that can be filled to its last byte, and commands that are run on it.

It is a tmpfs in a mount namespace of its own: nothing outside sees it, no rights are needed where users may
make namespaces, and it is gone with the process that holds it.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.deploy.running import ADMITONE, environment

_HOLD = 'mount -t tmpfs -o size="$1" none "$2" && echo ready && exec cat'


class SmallDisk:
    """``root``: where it is for what runs on it. ``seen``: where this process finds the same directory."""

    def __init__(self, holder: int, root: Path) -> None:
        self._holder = holder
        self.root = root
        self.seen = Path(f"/proc/{holder}/root{root}")

    def put(self, source: Path, name: str) -> Path:
        """Copy a directory there; its name for what runs on it."""
        shutil.copytree(source, self.seen / name)
        return self.root / name

    def fill(self, left: int = 0) -> None:
        """Fill it, but for so many bytes."""
        free = os.statvfs(self.seen)
        size = free.f_bavail * free.f_frsize - left
        (self.seen / "fill").write_bytes(b"\0" * size)

    def empty(self) -> None:
        """Make room again."""
        (self.seen / "fill").unlink()

    def command(self, *words: str) -> list[str]:
        """What has ``admitone`` run on it."""
        inside = "nsenter", "-t", str(self._holder), "--user", "--mount", "--preserve-credentials"
        return [*inside, ADMITONE, *words]

    def admitone(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run one command to its end."""
        return self.run(self.command(*words))

    def run(self, words: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        """The same for what ``command`` gave, with what was put before it."""
        return subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
            env=environment(), check=False,
        )  # fmt: skip


@contextmanager
def small_disk(root: Path, size: str) -> Iterator[SmallDisk]:
    """A disk of ``size`` ("2m"), in the place of the empty directory ``root``. Skips where it may not be."""
    inside = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _HOLD, "sh", size, str(root)]
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        pytest.skip("there are no mount namespaces here")
    with subprocess.Popen(inside, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        if holder.stdout.readline() != "ready\n":
            pytest.skip("mounting is not allowed here")
        try:
            yield SmallDisk(holder.pid, root)
        finally:
            holder.kill()
