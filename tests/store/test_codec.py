"""Reading what older, newer and damaged logs hold, and what the library's own tools make of an event."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from eventsourcing.cipher import AESCipher
from eventsourcing.compressor import ZlibCompressor
from eventsourcing.persistence import MapperDeserialisationError, Notification, StoredEvent
from eventsourcing.utils import Environment
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct, json

from domain.decider import Decider, Metadata, Proposed, Recorded, Unreadable
from domain.ticket import TicketSold
from gateways.codec import NOTHING_KNOWN, Codec, EventMapper, StoredFact

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
METADATA = Metadata("correlation-1", "causation-1", "actor-1", AT)
SOLD = TicketSold("order-1")
RECORDED = Recorded("ticket-1", 4, 0, UUID(int=7), SOLD, METADATA)


class SeatMoved(Struct, frozen=True):
    """An event type at its third schema: ``place`` was ``seat`` first, and had no ``row`` until the last."""

    place: int
    row: str


def decider_of(*events: type) -> Decider[Any, Any, Any]:
    return Decider("seat", None, lambda _, __: (), lambda state, _: state, events)


UPCASTERS = {
    ("SeatMoved", 1): lambda raw: {"place": raw["seat"]},
    ("SeatMoved", 2): lambda raw: {**raw, "row": "unknown"},
}
NEWEST = Codec([decider_of(SeatMoved)], UPCASTERS)


def metadata(schema: int) -> bytes:
    return json.encode({"$correlationId": "a", "$causationId": "b", "actor": "c", "at": AT, "schema": schema})


# ── Schemas ───────────────────────────────────────────────────────────────────────────────────────


def test_an_event_is_stored_under_its_bare_name_with_its_schema() -> None:
    encoded = Codec().encode(Proposed(UUID(int=1), SOLD, METADATA))
    assert (encoded.type, encoded.data) == ("TicketSold", b'{"order":"order-1"}')
    assert json.decode(encoded.metadata) == {
        "$correlationId": "correlation-1",
        "$causationId": "causation-1",
        "actor": "actor-1",
        "at": "2026-11-22T12:00:00Z",
        "schema": 1,
    }


def test_an_event_is_stamped_with_the_newest_schema_of_its_type() -> None:
    encoded = NEWEST.encode(Proposed(UUID(int=1), SeatMoved(3, "B"), METADATA))
    assert json.decode(encoded.metadata)["schema"] == 3
    assert NEWEST.decode(encoded.type, encoded.data, encoded.metadata)[0] == SeatMoved(3, "B")


@pytest.mark.parametrize(
    ("schema", "data", "event"),
    [
        (1, b'{"seat":3}', SeatMoved(3, "unknown")),
        (2, b'{"place":3}', SeatMoved(3, "unknown")),
        (3, b'{"place":3,"row":"B"}', SeatMoved(3, "B")),
    ],
)
def test_an_older_schema_is_led_up_to_the_newest(schema: int, data: bytes, event: SeatMoved) -> None:
    assert NEWEST.decode("SeatMoved", data, metadata(schema))[0] == event


@pytest.mark.parametrize(
    ("type_", "data", "schema", "says"),
    [
        ("SeatSold", b"{}", 1, "no event type 'SeatSold'"),
        ("SeatMoved", b'{"place":3,"row":"B","side":"left"}', 4, "schema 4; this version reads 1 to 3"),
        ("SeatMoved", b'{"place":3}', 0, "schema 0"),
        ("SeatMoved", b'{"place":"three","row":"B"}', 3, "does not fit schema 3"),
        ("SeatMoved", b'{"place":3', 3, "does not fit schema 3"),
        ("SeatMoved", b"", 3, "does not fit schema 3"),
        ("SeatMoved", b"\xff\xfe", 2, "does not fit schema 2"),
        ("SeatMoved", b"[1]", 1, "no JSON object"),
        ("SeatMoved", b'{"place":3}', 1, "does not fit schema 1"),
        ("SeatMoved", b"[" * 100_000, 2, "does not fit schema 2"),
    ],
)
def test_what_cannot_be_read_stands_in_its_place_with_the_reason(
    type_: str, data: bytes, schema: int, says: str
) -> None:
    event, known = NEWEST.decode(type_, data, metadata(schema))
    assert isinstance(event, Unreadable)
    assert (event.type, event.data) == (type_, data)
    assert says in event.reason
    assert known.correlation == "a"


@pytest.mark.parametrize("damaged", [b"{", b"null", b"[]", b'{"actor":1}', b"\xff", metadata(1)[:-9]])
def test_an_event_with_damaged_metadata_cannot_be_read(damaged: bytes) -> None:
    event, known = NEWEST.decode("SeatMoved", b'{"place":3,"row":"B"}', damaged)
    assert isinstance(event, Unreadable)
    assert "metadata is damaged" in event.reason
    assert known == NOTHING_KNOWN


@given(st.text(), st.binary(), st.binary())
def test_no_bytes_make_the_codec_raise(type_: str, data: bytes, metadata: bytes) -> None:
    for name in (type_, "SeatMoved"):
        event, _ = NEWEST.decode(name, data, metadata)
        assert isinstance(event, Unreadable)


def test_two_events_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="SeatMoved"):
        Codec([decider_of(SeatMoved), decider_of(SeatMoved)])


# ── The eventsourcing library's mapper ────────────────────────────────────────────────────────────


def cipher() -> AESCipher:
    return AESCipher(Environment(env={AESCipher.CIPHER_KEY: AESCipher.create_key(16)}))


@pytest.mark.parametrize("ciphered", [False, True])
@pytest.mark.parametrize("compressed", [False, True])
def test_the_library_s_mapper_keeps_an_event_whole(ciphered: bool, compressed: bool) -> None:
    mapper = EventMapper(
        cipher=cipher() if ciphered else None, compressor=ZlibCompressor() if compressed else None
    )
    stored = mapper.to_stored_event(RECORDED)
    assert (stored.originator_id, stored.originator_version, stored.topic) == ("ticket-1", 4, "TicketSold")
    assert (b"order-1" in stored.state) is not (ciphered or compressed)
    assert mapper.to_domain_event(stored) == RECORDED


def test_a_notification_has_a_position() -> None:
    notification = Notification("ticket-1", 4, "TicketSold", b'{"order":"order-1"}', id=12)
    found = EventMapper().to_domain_event(notification)
    assert (found.position, found.event, found.metadata) == (12, SOLD, NOTHING_KNOWN)


def test_an_event_stored_without_an_id_always_gets_the_same() -> None:
    stored = StoredEvent("ticket-1", 4, "TicketSold", b'{"order":"order-1"}')
    first, second = EventMapper().to_domain_event(stored), EventMapper().to_domain_event(stored)
    other = EventMapper().to_domain_event(replace(stored, originator_version=5))
    assert first.id == second.id != other.id


def test_an_event_under_another_key_is_refused() -> None:
    stored = EventMapper(cipher=cipher()).to_stored_event(RECORDED)
    with pytest.raises(MapperDeserialisationError):
        EventMapper(cipher=cipher()).to_domain_event(stored)


def test_the_library_s_mapper_hands_on_what_it_cannot_read() -> None:
    stored = StoredFact("ticket-1", 4, "TicketEaten", b"{}", event_id=UUID(int=7), metadata=b"")
    assert isinstance(EventMapper().to_domain_event(stored).event, Unreadable)
