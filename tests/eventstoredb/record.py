"""One record of the log: an event, a link to one, a stream's metadata, or a tombstone."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

TOMBSTONE = 2**63 - 1
"""The revision of the record that ends a stream for good; as ``$tb`` it hides all there ever was."""

NONE = -1
"""The revision of a stream that has no events."""

METADATA, DELETED, LINK = "$metadata", "$streamDeleted", "$>"

_HEADER = 96
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class New(Struct, frozen=True):
    """An event that a client proposes. ``json``: its content type is application/json."""

    id: UUID
    type: str
    data: bytes = b""
    metadata: bytes = b""
    json: bool = False

    @property
    def size(self) -> int:
        """What counts towards the limit of an append, in bytes."""
        return len(self.data) + len(self.metadata) + 2 * len(self.type)


class Record(Struct, frozen=True):
    """An event in its place. ``created``: 100-ns ticks since 1970. ``position``: a byte offset."""

    stream: str
    revision: int
    position: int
    created: int
    event: New

    @property
    def id(self) -> UUID:
        return self.event.id

    @property
    def type(self) -> str:
        return self.event.type

    @property
    def length(self) -> int:
        """The bytes that the record takes in the log: positions rise by this, never by one."""
        return _HEADER + len(self.stream.encode()) + self.event.size

    @property
    def target(self) -> tuple[str, int]:
        """Where a link points: stream and revision."""
        revision, _, stream = self.event.data.decode().partition("@")
        return stream, int(revision)


def ticks(moment: datetime) -> int:
    """A time as EventStoreDB writes it: 100-ns ticks since 1970."""
    span = moment - _EPOCH
    return (span.days * 86_400 + span.seconds) * 10_000_000 + span.microseconds * 10


def metadata_stream(stream: str) -> str:
    return f"$${stream}"


class StreamMetadata(Struct, frozen=True):
    """What a stream's metadata says that has an effect. ``max_age`` is in seconds."""

    truncate_before: int = 0
    max_count: int | None = None
    max_age: int | None = None

    @property
    def soft_deleted(self) -> bool:
        return self.truncate_before == TOMBSTONE

    @classmethod
    def read(cls, data: bytes) -> "StreamMetadata":
        """Malformed JSON counts as no metadata at all."""
        try:
            raw: Any = json.loads(data)
        except ValueError:
            return cls()
        if not isinstance(raw, dict):
            return cls()
        return cls(_whole(raw, "$tb") or 0, _whole(raw, "$maxCount"), _whole(raw, "$maxAge"))


def _whole(raw: dict[str, Any], key: str) -> int | None:
    value = raw.get(key)
    return value if isinstance(value, int) and value >= 0 else None
