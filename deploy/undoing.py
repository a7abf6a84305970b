"""A command that fails leaves nothing behind, and takes away nothing that was there before."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from deploy.failing import Failed
from gateways.leases import Lease


@contextmanager
def directory(path: Path, undo: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Have a directory at ``path`` for what follows. If that fails, all is as it was before.

    undo: takes back what was written into it. Directories that were made here go again, with or without an
    error, unless something is in them. Raises OSError.
    """
    made = _missing(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        undo()
        raise
    finally:
        for each in made:
            with suppress(OSError):  # something is in it
                each.rmdir()


@contextmanager
def leased(path: Path, otherwise: str) -> Iterator[None]:
    """Have the lease in the file ``path`` for what follows. The file goes again if it was made here.

    otherwise: what is said, with Failed, when another process has it. Raises OSError.
    """
    there, lease = path.exists(), Lease(path)
    if not lease.try_take():
        raise Failed(otherwise)
    try:
        yield
    finally:
        with suppress(OSError):  # what was done is done, even if an empty file stays
            if not there:
                lease.discard()
        lease.release()


def _missing(path: Path) -> list[Path]:
    """``path`` and what it lies in, as far as it is not there; the innermost first."""
    return [each for each in (path, *path.parents) if not each.exists()]
