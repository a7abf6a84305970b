"""What any released version has written stays readable for ever. ``golden/`` holds one of each."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from msgspec import json

from domain.decider import Proposed, Unreadable
from gateways.codec import Codec

GOLDEN = Path(__file__).with_name("golden")
FILES = sorted(GOLDEN.glob("*.json"))
CODEC = Codec()
NEWEST = {f"{type_}.{schema}" for type_, schema in CODEC.schemas().items()}


def stored(file: Path) -> tuple[str, dict[str, Any], dict[str, Any]]:
    content = json.decode(file.read_bytes())
    return content["type"], content["data"], content["metadata"]


every_file = pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
written_today = pytest.mark.parametrize(
    "file", [f for f in FILES if f.stem in NEWEST], ids=[f.stem for f in FILES if f.stem in NEWEST]
)


@every_file
def test_an_event_of_any_released_version_can_be_read(file: Path) -> None:
    type_, data, metadata = stored(file)
    event, known = CODEC.decode(type_, json.encode(data), json.encode(metadata))
    assert not isinstance(event, Unreadable), event.reason
    assert type(event).__name__ == type_
    assert known.schema == metadata["schema"]
    assert f"{type_}.{known.schema}" == file.stem


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
    missing = owed - {file.stem for file in FILES}
    assert not missing, f"write one as it is stored today, and never change it again: {sorted(missing)}"
