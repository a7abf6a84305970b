"""The catalogue of events, and that what any version has published can be read for ever."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct, convert, json
from msgspec.structs import fields

from domain import ticket
from domain.decider import AnyDecider, Decider
from domain.deciders import DECIDERS
from domain.money import Money
from gateways.analysis.anonymise import HARMLESS
from gateways.analysis.catalogue import as_json, as_page, entries, example
from gateways.codec import Codec
from tests.analysis.asking import told
from tests.store.compatibility import broken
from tests.store.test_golden import FILES, stored

DOCS = Path(__file__).resolve().parents[2] / "docs"
RELEASED = sorted(Path(__file__).with_name("released").glob("*.json"))
EVENTS = {event.__name__: event for decider in DECIDERS for event in decider.events}


# ── The catalogue ─────────────────────────────────────────────────────────────────────────────────


def test_the_published_page_is_what_the_code_says() -> None:
    again = "make it anew: admitone catalogue > docs/events.md"
    assert (DOCS / "events.md").read_text() == as_page() == told("catalogue"), again


def test_the_catalogue_for_programs_has_a_schema_for_every_type() -> None:
    whole = json.decode(told("catalogue", "--format", "json"))
    assert [entry["type"] for entry in whole["events"]] == list(EVENTS)
    assert "$correlationId" in str(whole["metadata"])
    reserved = json.decode(told("catalogue", "TicketReserved"))
    shape = reserved["json_schema"]["$defs"]["TicketReserved"]
    assert shape["required"] == ["order", "buyer", "price", "expires_at"]
    assert "did you mean TicketSold?" in told("catalogue", "TicketSoled", status=2)


@pytest.mark.parametrize("entry", entries(), ids=list(EVENTS))
def test_every_type_has_a_meaning_for_itself_and_each_field_and_an_example_that_can_be_read(
    entry: Any,
) -> None:
    assert entry.meaning, "say in catalogue_words.py what it means"
    assert not [field.name for field in entry.fields if not field.meaning], "say in catalogue_words.py"
    assert convert(entry.example, EVENTS[entry.type]) == example(EVENTS[entry.type])


def test_every_golden_file_fits_the_schema_that_is_published() -> None:
    by_type = {entry.type: entry for entry in entries()}
    for file in FILES:
        type_, data, metadata = stored(file)
        entry = by_type[type_]
        if metadata["schema"] == entry.schema:
            shape = entry.json_schema["$defs"][type_]
            assert set(shape.get("required", [])) <= set(data) <= set(shape["properties"]), file.name


def test_every_time_in_an_event_stays_a_time_when_it_is_made_anonymous() -> None:
    times = {f.name for event in EVENTS.values() for f in fields(event) if "datetime" in str(f.type)}
    assert times <= HARMLESS
    assert datetime.__name__ == "datetime"


# ── For ever ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("file", RELEASED, ids=[file.stem for file in RELEASED])
def test_whatever_a_version_could_write_is_read_today_and_loses_nothing(file: Path) -> None:
    assert not list(broken(json.decode(file.read_bytes()), Codec()))


def test_there_is_a_catalogue_of_what_was_published() -> None:
    assert RELEASED, "admitone catalogue --format json > tests/store/released/<version>.json"


class Renamed(Struct):
    order: str
    purchaser: str
    price: Money
    expires_at: datetime


class Dropped(Struct):
    order: str
    buyer: str
    price: Money


class Retyped(Struct):
    order: int
    buyer: str
    price: Money
    expires_at: datetime


class Demanding(Struct):
    order: str
    buyer: str
    price: Money
    expires_at: datetime
    seat: str


class Grown(Struct):
    order: str
    buyer: str
    price: Money
    expires_at: datetime
    seat: str = ""


def changed(shape: type[Struct] | None, upcasters: Any = None) -> Codec:
    """The codec of a version in which TicketReserved has another shape, or is not there at all."""
    events: list[type] = [event for event in ticket.ticket.events if event is not ticket.TicketReserved]
    if shape is not None:
        events.append(type("TicketReserved", (shape,), {}))
    other: AnyDecider = Decider("ticket", ticket.ticket.initial, ticket.decide, ticket.evolve, tuple(events))
    return Codec([other, *[each for each in DECIDERS if each is not ticket.ticket]], upcasters or {})


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        (None, "this version knows no event type 'TicketReserved'"),
        (Renamed, "Object missing required field `purchaser`"),
        (Dropped, "expires_at would be lost"),
        (Retyped, "Expected `int`, got `str`"),
        (Demanding, "Object missing required field `seat`"),
    ],
)
def test_a_change_that_breaks_an_old_event_is_found(shape: type[Struct] | None, why: str) -> None:
    published = json.decode(as_json())
    (line,) = broken(published, changed(shape))
    assert line.startswith("TicketReserved of schema 1: ")
    assert why in line


def test_a_field_that_may_be_left_out_breaks_nothing() -> None:
    assert not list(broken(json.decode(as_json()), changed(Grown)))


def test_a_new_shape_with_an_upcaster_breaks_nothing() -> None:
    def rename(raw: dict[str, Any]) -> dict[str, Any]:
        raw["purchaser"] = raw.pop("buyer")
        return raw

    wrong: Callable[[dict[str, Any]], dict[str, Any]] = dict
    published = json.decode(as_json())
    assert not list(broken(published, changed(Renamed, {("TicketReserved", 1): rename})))
    assert list(broken(published, changed(Renamed, {("TicketReserved", 1): wrong})))
