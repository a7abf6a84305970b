"""A mark beside the log that says how far it had got, so that a log cut short is noticed.

SQLite drops the tail of a damaged write-ahead log without a word, and an older copy put in the log's
place looks whole. The mark is written after each commit and never synced: it may lag behind the log,
also after a power cut, but it is never ahead of a log that has lost nothing.
"""

import os
import re
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from gateways.damage import StoreDamaged
from gateways.embedded_seals import Seal
from processmanager.ports import StoreUnavailable

HASH = 32
_TEXT = re.compile(rb"([0-9]{20})(?: ([0-9a-f]{64}))?\n")


class Mark(Struct, frozen=True):
    """How far the log had got. hash: of the seal that it had there; None in a mark of before."""

    position: int
    hash: bytes | None = None

    def __str__(self) -> str:
        return f"{self.position}:{self.hash.hex() if self.hash else ''}"

    @classmethod
    def from_text(cls, text: str) -> "Mark":
        """What ``str`` gave. Raises ValueError."""
        position, _, hash_ = text.partition(":")
        found = bytes.fromhex(hash_)
        if not position.isdecimal() or len(found) != HASH:
            raise ValueError(f"{text} is no head mark")
        return cls(int(position), found)


class HeadMark:
    """The file ``<log>.head``: the last position that was made durable, and the hash of its seal."""

    def __init__(self, log: Path) -> None:
        """Raises StoreUnavailable when the file cannot be made."""
        try:
            self._file = os.open(self.of(log), os.O_WRONLY | os.O_CREAT, 0o644)
        except OSError as error:
            raise StoreUnavailable(f"{self.of(log)} cannot be written: {error.strerror}") from None

    @staticmethod
    def of(log: Path) -> Path:
        """Where the mark of a log stands."""
        return log.with_name(log.name + ".head")

    @classmethod
    def read(cls, log: Path) -> Mark | None:
        """What is marked; None if there is no mark, or an empty one, as a power cut may leave it.

        Raises StoreDamaged for what is no mark.
        """
        try:
            text = cls.of(log).read_bytes()
        except OSError:
            return None
        if not text.strip(b"\0"):
            return None
        found = _TEXT.fullmatch(text)
        if not found:
            raise StoreDamaged(
                f"{cls.of(log)} is damaged: it says no more how far the log had got "
                "(to go on without it, delete it)"
            )
        position, hash_ = found.groups()
        return Mark(int(position), bytes.fromhex(hash_.decode()) if hash_ else None)

    def set(self, seal: Seal) -> None:
        """Two processes may overtake each other here. The earlier seal then stands, which does no harm.

        Nor does a disk that has no room for it: the log is what counts, and that has been written.
        """
        with suppress(OSError):
            os.pwrite(self._file, b"%020d %s\n" % (seal.position, seal.hash.hex().encode()), 0)

    def close(self) -> None:
        os.close(self._file)
