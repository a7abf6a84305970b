"""Files that appear whole or not at all, also after a power cut."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PART = ".part"
"""How the name of a file ends that is not complete."""


def write_whole(path: Path, *parts: bytes) -> None:
    """Write a file under another name, and give it its own when it is on the disk. Raises OSError."""
    part = path.with_name(path.name + PART)
    with _removed_on_failure(part):
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            for each in parts:
                file.write(each)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    sync_folder(path.parent)


@contextmanager
def _removed_on_failure(part: Path) -> Iterator[None]:
    """Raises the OSError of what follows, with the file's name in it."""
    try:
        yield
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(part)
        raise


def sync_folder(folder: Path) -> None:
    """Make durable which names are in a directory. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
