"""A file that a command writes: it gets its name when it is complete, and leaves nothing when that fails."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from deploy.failing import WRONG_SETTINGS, Failed


@contextmanager
def written(out: Path | None, *, force: bool, beside: tuple[str, bytes] | None = None) -> Iterator[IO[bytes]]:
    """The file to write to; stdout for None. Raises Failed when it is there and not to be replaced.

    beside: the suffix and the content of another file that goes with it.
    """
    if out is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if out.exists() and not force:
        raise Failed(f"{out} is there already: take another name, or --force to replace it", WRONG_SETTINGS)
    if not out.parent.is_dir():
        raise Failed(f"there is no directory {out.parent} for {out}", WRONG_SETTINGS)
    part = out.with_name(f".{out.name}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(out)
        if beside is not None:
            suffix, content = beside
            out.with_name(out.name + suffix).write_bytes(content)
    finally:
        part.unlink(missing_ok=True)
