"""Leases between processes on one machine: a lock on a file, which a dead holder loses.

The kernel drops a ``flock`` when its holder ends, however it ends. So there is no heartbeat, no clock
and no time-out in it, and a stopped process (SIGSTOP) keeps what it holds.
"""

import fcntl
import os
from pathlib import Path


class Lease:
    """A right that one process at a time has. Not for sharing between threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    @property
    def held(self) -> bool:
        return self._handle is not None

    @property
    def handle(self) -> int:
        """To be inherited by a process that then holds it too. Raises ValueError if it is not ours."""
        if self._handle is None:
            raise ValueError(f"{self._path} is not held")
        return self._handle

    def try_take(self) -> bool:
        """Take the lease if nobody has it; True if it is ours now. Never waits. Raises OSError."""
        if self._handle is not None:
            return True
        while (handle := self._locked()) is not None:
            if os.fstat(handle).st_nlink:
                self._handle = handle
                return True
            # Whoever had it has removed the file meanwhile, so the name may stand for another one.
            os.close(handle)
        return False

    def _locked(self) -> int | None:
        """The file, locked; None if another process has locked it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        except BaseException:
            os.close(handle)
            raise
        return handle

    def release(self) -> None:
        """Give it back; nothing happens if it is not ours."""
        if self._handle is not None:
            # Closing drops the lock. The file stays, for whoever is the next.
            os.close(self._handle)
            self._handle = None

    def discard(self) -> None:
        """Give it back and remove its file, if it is ours."""
        if self._handle is not None:
            try:
                self._path.unlink(missing_ok=True)
            finally:
                self.release()


class Slot(Lease):
    """A numbered directory that belongs to one process, or to its heirs, while they live."""

    def __init__(self, path: Path) -> None:
        super().__init__(path / "lease")
        self.path = path


def claim_slot(directory: Path) -> Slot:
    """The lowest numbered directory below ``directory`` that no living process has.

    So a restarted process finds the read models of the one that it replaces. Raises OSError.
    """
    number = 0
    while True:
        slot = Slot(directory / str(number))
        if slot.try_take():
            return slot
        number += 1
