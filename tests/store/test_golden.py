"""What any released version has written stays readable for ever. ``golden/`` holds one of each."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from msgspec import json
from msgspec.structs import fields

from domain.decider import Proposed, Unreadable
from domain.deciders import DECIDERS
from gateways.codec import Codec

GOLDEN = Path(__file__).with_name("golden")
FILES = sorted(GOLDEN.glob("*.json"))
CODEC = Codec()
NEWEST = {f"{type_}.{schema}" for type_, schema in CODEC.schemas().items()}


def shape(file: Path) -> str:
    """``PaymentRefunded.1`` of ``PaymentRefunded.1.whole.json``, which has a field that came later."""
    return ".".join(file.stem.split(".")[:2])


def stored(file: Path) -> tuple[str, dict[str, Any], dict[str, Any]]:
    content = json.decode(file.read_bytes())
    return content["type"], content["data"], content["metadata"]


every_file = pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
written_today = pytest.mark.parametrize(
    "file", [f for f in FILES if shape(f) in NEWEST], ids=[f.stem for f in FILES if shape(f) in NEWEST]
)


@every_file
def test_an_event_of_any_released_version_can_be_read(file: Path) -> None:
    type_, data, metadata = stored(file)
    event, known = CODEC.decode(type_, json.encode(data), json.encode(metadata))
    assert not isinstance(event, Unreadable), event.reason
    assert type(event).__name__ == type_
    assert known.schema == metadata["schema"]
    assert f"{type_}.{known.schema}" == shape(file)


@written_today
def test_an_event_of_the_newest_schema_is_written_as_it_was(file: Path) -> None:
    """A renamed or dropped field would show here, though a default lets it be read."""
    type_, data, metadata = stored(file)
    event, known = CODEC.decode(type_, json.encode(data), json.encode(metadata))
    encoded = CODEC.encode(Proposed(UUID(int=0), event, known))
    written = json.decode(encoded.data)
    assert {name: written[name] for name in data} == data
    assert json.decode(encoded.metadata) == metadata


def test_every_event_type_has_a_golden_file_for_each_of_its_schemas() -> None:
    owed = {f"{type_}.{n}" for type_, newest in CODEC.schemas().items() for n in range(1, newest + 1)}
    missing = owed - {shape(file) for file in FILES}
    assert not missing, f"write one as it is stored today, and never change it again: {sorted(missing)}"


def test_every_field_that_is_written_is_in_a_golden_file() -> None:
    """A field that came later stands in a file of its own, beside that of the events that do not have it."""
    kept: dict[str, set[str]] = {}
    for file in FILES:
        type_, data, _ = stored(file)
        kept.setdefault(type_, set()).update(data)
    for event in (event for decider in DECIDERS for event in decider.events):
        missing = {field.name for field in fields(event)} - kept[event.__name__]
        assert not missing, f"write {event.__name__}.<schema>.<what is new>.json with {sorted(missing)}"
