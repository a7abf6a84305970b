"""Events to bytes and back: JSON under bare type names, with upcasters for what older versions wrote.

A type is stored by its name alone (``TicketReserved``), never by a Python path, so code may move. Each
type has a schema version, kept in the metadata; the upcasters lead from any earlier one to the newest.
Whatever cannot be read becomes ``Unreadable`` and is handed on: the one who needs that event says so.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias
from uuid import NAMESPACE_OID, UUID, uuid5

from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import (
    Cipher,
    Compressor,
    JSONTranscoder,
    Mapper,
    MapperDeserialisationError,
    Notification,
    StoredEvent,
    Transcoder,
)
from msgspec import DecodeError, Struct, convert, json
from msgspec.structs import replace

from domain.decider import AnyDecider, AnyProposed, AnyRecorded, Metadata, Proposed, Recorded, Unreadable
from domain.deciders import DECIDERS
from gateways.chain import parted

Upcaster: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]
"""Turns an event's raw JSON object of one schema version into that of the next."""

UPCASTERS: Mapping[tuple[str, int], Upcaster] = {}
"""By type and the schema version that is read. Empty: every event type is still at its first schema."""

NOTHING_KNOWN = Metadata(correlation="", causation="", actor="", at=datetime(1970, 1, 1, tzinfo=UTC))
"""The metadata of an event that has none, or whose metadata cannot be read."""


class Encoded(Struct, frozen=True, gc=False):
    """An event as it is stored: its type's bare name, and its data and metadata as JSON."""

    type: str
    data: bytes
    metadata: bytes


class Written(Struct, frozen=True, gc=False):
    """What must be known of an event's metadata to read its data."""

    schema: int = 1


class _Shape(Struct, frozen=True):
    """How one event type is read. ``schema``: the newest version, the one that is written."""

    event: type
    schema: int
    decode: Callable[[bytes], Any]


class Codec:
    """Encodes every event type of some deciders, and decodes all that was ever written of them."""

    def __init__(
        self,
        deciders: Iterable[AnyDecider] = DECIDERS,
        upcasters: Mapping[tuple[str, int], Upcaster] = UPCASTERS,
    ) -> None:
        """Raises ValueError when two event types share a name."""
        self._upcasters = upcasters
        self._shapes: dict[str, _Shape] = {}
        for event in (event for decider in deciders for event in decider.events):
            if event.__name__ in self._shapes:
                raise ValueError(f"two event types are called {event.__name__}")
            self._shapes[event.__name__] = self._shape(event)
        self._encode = json.Encoder().encode
        self._metadata = json.Decoder(Metadata).decode
        self.written = json.Decoder(Written).decode
        """From metadata, and no more of it than that. Raises ValueError where it cannot be read."""

    def newest(self, event: type) -> tuple[int, Callable[[bytes], Any]]:
        """The newest schema of an event type, and what decodes it, or raises ValueError. Raises KeyError."""
        shape = self._shapes[event.__name__]
        return shape.schema, shape.decode

    def schemas(self) -> dict[str, int]:
        """The newest schema version of each event type, by the type's name."""
        return {name: shape.schema for name, shape in self._shapes.items()}

    def encode(self, proposed: AnyProposed) -> Encoded:
        """The stored form of an event. The metadata is stamped with the version that is written.

        Raises KeyError for a type of no decider, ValueError for text that UTF-8 cannot hold.
        """
        event = proposed.event
        name = type(event).__name__
        schema, metadata = self._shapes[name].schema, proposed.metadata
        if metadata.schema != schema:
            metadata = replace(metadata, schema=schema)
        return Encoded(name, self._encode(event), self._encode(metadata))

    def decode(self, type_: str, data: bytes, metadata: bytes) -> tuple[Any, Metadata]:
        """The event and its metadata; ``Unreadable`` in the event's place if either cannot be read.

        Never raises for what it is given. No metadata at all is legal: such an event has schema 1.
        """
        try:
            known = self._metadata(metadata) if metadata else NOTHING_KNOWN
        except Exception as error:
            bare, chain = parted(metadata)
            if bare or chain is None:
                return Unreadable(type_, data, f"its metadata is damaged: {error}"), NOTHING_KNOWN
            known = NOTHING_KNOWN  # a chain, and nothing else
        shape = self._shapes.get(type_)
        if shape is None:
            return Unreadable(type_, data, f"this version knows no event type {type_!r}"), known
        try:
            if known.schema == shape.schema:
                return shape.decode(data), known
            return self._upcast(type_, shape, data, known.schema), known
        except Exception as error:
            return Unreadable(type_, data, f"its data does not fit schema {known.schema}: {error}"), known

    def _upcast(self, name: str, shape: _Shape, data: bytes, schema: int) -> Any:
        if not 1 <= schema <= shape.schema:
            return Unreadable(
                name, data, f"written with schema {schema}; this version reads 1 to {shape.schema}"
            )
        raw = json.decode(data)
        if not isinstance(raw, dict):
            raise DecodeError("it is no JSON object")
        for version in range(schema, shape.schema):
            raw = self._upcasters[name, version](raw)
        return convert(raw, shape.event)

    def _shape(self, event: type) -> _Shape:
        schema = 1
        while (event.__name__, schema) in self._upcasters:
            schema += 1
        return _Shape(event, schema, json.Decoder(event).decode)


@dataclass(frozen=True)
class StoredFact(StoredEvent):
    """The library's stored event, together with what the library has no place for."""

    event_id: UUID
    metadata: bytes


@dataclass(frozen=True)
class NotifiedFact(StoredFact, Notification):
    """The same, in its place in the log."""


class EventMapper(Mapper[str]):
    """The codec as the eventsourcing library's own tools want it.

    Cipher and compressor, where the library is given them, go over the data and leave the metadata
    plain. An event that cannot be read comes back as ``Unreadable`` in its place.
    """

    def __init__(
        self,
        transcoder: Transcoder | None = None,
        compressor: Compressor | None = None,
        cipher: Cipher | None = None,
        codec: Codec | None = None,
    ) -> None:
        super().__init__(transcoder or JSONTranscoder(), compressor, cipher)
        self._codec = codec or Codec()

    def to_stored_event(self, domain_event: DomainEventProtocol[str]) -> StoredFact:
        """Raises TypeError for anything but a ``Recorded``: only that has an id and metadata."""
        if not isinstance(domain_event, Recorded):
            raise TypeError(f"{type(domain_event).__name__} is no recorded event")
        encoded = self._codec.encode(Proposed(domain_event.id, domain_event.event, domain_event.metadata))
        state = encoded.data
        if self.compressor:
            state = self.compressor.compress(state)
        if self.cipher:
            state = self.cipher.encrypt(state)
        return StoredFact(
            originator_id=domain_event.stream,
            originator_version=domain_event.revision,
            topic=encoded.type,
            state=state,
            event_id=domain_event.id,
            metadata=encoded.metadata,
        )

    def to_domain_event(self, stored_event: StoredEvent) -> AnyRecorded:
        """The position is 0 where the library does not tell it.

        Raises MapperDeserialisationError when cipher or compressor do not fit.
        """
        state, stream = stored_event.state, str(stored_event.originator_id)
        try:
            if self.cipher:
                state = self.cipher.decrypt(state)
            if self.compressor:
                state = self.compressor.decompress(state)
        except Exception as error:
            raise MapperDeserialisationError(f"cannot decrypt or decompress an event of {stream}") from error
        revision = stored_event.originator_version
        fact = stored_event if isinstance(stored_event, StoredFact) else None
        event, metadata = self._codec.decode(stored_event.topic, state, fact.metadata if fact else b"")
        position = stored_event.id if isinstance(stored_event, Notification) else 0
        return Recorded(
            stream,
            revision,
            position,
            fact.event_id if fact else derived_id(stream, revision),
            event,
            metadata,
        )


def derived_id(stream: str, revision: int) -> UUID:
    """The id of an event that was stored without one: always the same for its place."""
    return uuid5(NAMESPACE_OID, f"{stream}/{revision}")
