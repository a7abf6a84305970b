"""A full disk, by whatever it is noticed: recognised, and said in one line, in one place."""

import errno
import os
import sqlite3
from contextlib import suppress
from pathlib import Path

ROOM = 64 * 1024
"""Bytes. Beside its file SQLite takes 32 KiB at once, so to it a disk with less than this is full."""

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_FULL = sqlite3.SQLITE_FULL
_PERHAPS = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})
"""What SQLite says when there is no room for what it keeps beside a file: as of any other trouble."""


def full(place: Path | str | None = None) -> str:
    """What a person is told. place: what could not be written, if that is known."""
    what = f"{place} cannot be written: " if place else ""
    return f"the disk is full: {what}make room there, and try again"


def is_full(error: sqlite3.Error | OSError, place: Path | None) -> bool:
    """Whether this failed because there is no room for the file, or in the directory, at ``place``.

    place: None if that is not known, and then SQLite's word alone counts.
    """
    if isinstance(error, OSError):
        return error.errno in _NO_ROOM
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    return code == _FULL or (place is not None and code in _PERHAPS and not has_room(place))


def has_room(place: Path) -> bool:
    """Whether there is room on the disk that ``place`` is on, or would be. Yes where that cannot be told."""
    with suppress(OSError, StopIteration):
        disk = os.statvfs(next(each for each in (place, *place.parents) if each.exists()))
        # Some file systems count no files, and say that there are none.
        return disk.f_bavail * disk.f_frsize >= ROOM and (disk.f_favail > 0 or disk.f_files == 0)
    return True
