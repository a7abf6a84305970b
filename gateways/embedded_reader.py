"""Reading the log's file as facts, or as they are stored."""

import sqlite3
from pathlib import Path
from typing import Any
from uuid import UUID
from zlib import crc32

from msgspec import msgpack

from domain.decider import AnyRecorded, Recorded, Unreadable
from gateways.codec import NOTHING_KNOWN, Codec
from gateways.damage import StoreDamaged
from gateways.embedded_pages import PageReader
from gateways.raw_log import RawEvent

_uuid = msgpack.Decoder(UUID).decode  # several times as fast as UUID(bytes=...)
_UUID = b"\xc4\x10"
"""What stands before its bytes there."""

_OF_ANOTHER_TYPE = (TypeError, AttributeError, ValueError, OverflowError)
"""What Python says of values of types that no event has: a flipped bit may change a value's type."""


class LogReader(PageReader[AnyRecorded]):
    """Facts, as the codec reads them; ``Unreadable`` in the place of one that was altered."""

    def __init__(self, path: Path, connection: sqlite3.Connection, codec: Codec) -> None:
        super().__init__(path, connection)
        self._decode = codec.decode

    def raw(self) -> "RawReader":
        """The same connection, read as bytes."""
        return RawReader(self._path, self._connection)

    def made(self, row: tuple[Any, ...]) -> AnyRecorded:
        position, stream, revision, type_, data, id_, metadata, summed = row
        try:  # ``checksum`` of the recorder, written out: this line runs for every event that is read
            content = b"".join((stream.encode(), type_.encode(), data, id_, metadata))
            whole, known_id = crc32(content, revision) == summed, _uuid(_UUID + id_)
        except _OF_ANOTHER_TYPE:
            whole, known_id = False, UUID(int=0)
        if not whole:
            event: Any = Unreadable(type_, data, "it was altered: its checksum does not match")
            return Recorded(stream, revision, position, known_id, event, NOTHING_KNOWN)
        event, known = self._decode(type_, data, metadata)
        return Recorded(stream, revision, position, known_id, event, known)


class RawReader(PageReader[RawEvent]):
    """Events as they are stored."""

    def made(self, row: tuple[Any, ...]) -> RawEvent:
        position, stream, revision, type_, data, id_, metadata, summed = row
        try:  # written out as above
            content = b"".join((stream.encode(), type_.encode(), data, id_, metadata))
            if crc32(content, revision) == summed:
                return RawEvent(stream, revision, position, _uuid(_UUID + id_), type_, data, metadata)
        except _OF_ANOTHER_TYPE:
            pass
        raise StoreDamaged(
            f"{self._path} is damaged: the event at position {position} was altered, "
            "and nobody can say what it was. Copy from a sound copy of the log"
        )
