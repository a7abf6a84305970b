"""Between the protocol's messages and our own: ids, expectations, events, recorded events."""

from typing import Any
from uuid import UUID

from esdbclient.protos.Grpc import persistent_pb2, shared_pb2, streams_pb2

from tests.eventstoredb.answers import metadata_missing
from tests.eventstoredb.links import Resolved
from tests.eventstoredb.record import New, Record
from tests.eventstoredb.writing import Expect, Expected

JSON, OCTETS = "application/json", "application/octet-stream"
EMPTY = shared_pb2.Empty()
_BITS = 64
_MASK = 2**_BITS - 1


class BadEvent(Exception):
    """A proposed event that the server refuses: without a type, or with an id of zeros."""


def stream_name(identifier: shared_pb2.StreamIdentifier) -> str:
    return identifier.stream_name.decode()


def identifier(stream: str) -> shared_pb2.StreamIdentifier:
    return shared_pb2.StreamIdentifier(stream_name=stream.encode())


def uuid(message: shared_pb2.UUID) -> UUID:
    """An id in either of the forms in which a client may send it."""
    if message.WhichOneof("value") == "string":
        return UUID(message.string)
    high, low = message.structured.most_significant_bits, message.structured.least_significant_bits
    return UUID(int=(high & _MASK) << _BITS | (low & _MASK))


def uuid_message(id_: UUID) -> shared_pb2.UUID:
    return shared_pb2.UUID(string=str(id_))


def expectation(options: Any, revision: str) -> Expected:
    """What a write expects. ``revision``: the name of the field that holds an exact one."""
    for name, expect in (
        ("no_stream", Expect.NO_STREAM),
        ("any", Expect.ANY),
        ("stream_exists", Expect.EXISTS),
    ):
        if options.HasField(name):
            return expect
    return int(getattr(options, revision))


def proposed(message: Any) -> New:
    """An event that a client proposes. Raises BadEvent, Failure."""
    if "type" not in message.metadata or "content-type" not in message.metadata:
        raise metadata_missing()
    id_, type_ = uuid(message.id), message.metadata["type"]
    if not type_ or not id_.int:
        raise BadEvent("an event needs a type and an id")
    is_json = message.metadata["content-type"] == JSON
    return New(id_, type_, message.data, message.custom_metadata, json=is_json)


def read_event(resolved: Resolved) -> streams_pb2.ReadResp:
    event = streams_pb2.ReadResp.ReadEvent(commit_position=resolved.original.position)
    _fill(event, resolved)
    return streams_pb2.ReadResp(event=event)


def delivered_event(resolved: Resolved, retries: int) -> persistent_pb2.ReadResp:
    event = persistent_pb2.ReadResp.ReadEvent(commit_position=resolved.original.position, retry_count=retries)
    _fill(event, resolved)
    return persistent_pb2.ReadResp(event=event)


def checkpoint(position: int) -> streams_pb2.ReadResp:
    content = streams_pb2.ReadResp.Checkpoint(commit_position=position, prepare_position=position)
    return streams_pb2.ReadResp(checkpoint=content)


def caught_up() -> streams_pb2.ReadResp:
    return streams_pb2.ReadResp(caught_up=streams_pb2.ReadResp.CaughtUp())


def _fill(event: Any, resolved: Resolved) -> None:
    if resolved.event is not None:
        _recorded(event.event, resolved.event)
    if resolved.link is not None:
        _recorded(event.link, resolved.link)


def _recorded(message: Any, record: Record) -> None:
    message.id.string = str(record.id)
    message.stream_identifier.stream_name = record.stream.encode()
    message.stream_revision = record.revision
    message.commit_position = message.prepare_position = record.position
    message.metadata["type"] = record.type
    message.metadata["created"] = str(record.created)
    message.metadata["content-type"] = JSON if record.event.json else OCTETS
    message.custom_metadata = record.event.metadata
    message.data = record.event.data
