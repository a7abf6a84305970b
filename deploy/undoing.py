"""A command that fails leaves nothing behind, and takes away nothing that was there before."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def directory(path: Path, undo: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Have a directory at ``path`` for what follows. If that fails, all is as it was before.

    undo: removes what was written into it; called only if there was nothing in it before. Directories that
    were made here go too, unless something is in them. Raises OSError.
    """
    made = _missing(path)
    empty = bool(made) or not any(path.iterdir())
    try:
        path.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        if empty:
            undo()
        with suppress(OSError):  # somebody else has put something there
            for each in made:
                each.rmdir()
        raise


def _missing(path: Path) -> list[Path]:
    """``path`` and what it lies in, as far as it is not there; the innermost first."""
    return [each for each in (path, *path.parents) if not each.exists()]
