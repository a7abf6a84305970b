"""Where the workers find the till: a socket that only this user may open."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct

BACKLOG = 128
"""Workers that may wait for the till to take them up."""


class TillSocket(Struct, frozen=True):
    """path: of the socket. handle: of the one who listens."""

    path: str
    handle: int


@contextmanager
def till_socket() -> Iterator[TillSocket]:
    """A socket of its own, until the end. In a folder for temporary files, and not beside the data: the name
    of a socket may be no longer than a hundred letters. Nobody else may enter that folder."""
    with TemporaryDirectory(prefix="admitone-") as folder, socket.socket(socket.AF_UNIX) as listener:
        path = str(Path(folder) / "till")
        listener.bind(path)
        listener.listen(BACKLOG)
        yield TillSocket(path, listener.fileno())
