"""A mark beside the log that says how far it had got, so that a log cut short is noticed.

SQLite drops the tail of a damaged write-ahead log without a word, and an older copy put in the log's
place looks whole. The mark is written after each commit and never synced: it may lag behind the log,
also after a power cut, but it is never ahead of a log that has lost nothing.
"""

import os
from contextlib import suppress
from pathlib import Path

from processmanager.ports import StoreUnavailable


class HeadMark:
    """The file ``<log>.head``: one decimal number, the last position that was made durable."""

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
    def read(cls, log: Path) -> int:
        """The position marked; 0 if there is no mark, or none that makes sense."""
        try:
            text = cls.of(log).read_bytes()
        except OSError:
            return 0
        return int(text) if text.strip().isdigit() else 0

    def set(self, position: int) -> None:
        """Two processes may overtake each other here. The lower number then stands, which does no harm.

        Nor does a disk that has no room for it: the log is what counts, and that has been written.
        """
        with suppress(OSError):
            os.pwrite(self._file, b"%020d\n" % position, 0)

    def close(self) -> None:
        os.close(self._file)
