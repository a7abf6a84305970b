"""Whether what was once written can still be read: a published catalogue against the codec of today.

From the JSON schema that a version published, events are made as that version could have written them: with
nothing but what had to be there, and with all that could be. Each must be read today, and lose nothing.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from msgspec import json

from domain.decider import Proposed, Unreadable
from gateways.codec import NOTHING_KNOWN, Codec


def broken(published: Mapping[str, Any], codec: Codec) -> Iterator[str]:
    """What of a published catalogue cannot be read any more, one line each."""
    for entry in published["events"]:
        for data in written(entry["json_schema"]):
            if why := _trouble(entry["type"], entry["schema"], data, codec):
                yield f"{entry['type']} of schema {entry['schema']}: {why} in {json.encode(data).decode()}"
                break


def _trouble(type_: str, schema: int, data: dict[str, Any], codec: Codec) -> str | None:
    metadata = json.encode({**json.decode(json.encode(NOTHING_KNOWN)), "schema": schema})
    event, known = codec.decode(type_, json.encode(data), metadata)
    if isinstance(event, Unreadable):
        return event.reason
    if schema != codec.schemas()[type_]:
        return None  # an upcaster says what becomes of each field; the golden files hold it to that
    again = json.decode(codec.encode(Proposed(UUID(int=0), event, known)).data)
    lost = [name for name in data if again.get(name) != data[name]]
    return f"{', '.join(lost)} would be lost" if lost else None


def written(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The least and the most that a version with this schema could have written."""
    defs = schema["$defs"]
    shape = defs[schema["$ref"].rpartition("/")[2]]
    properties, required = shape["properties"], shape.get("required", [])
    return [
        {name: _value(properties[name], defs) for name in required},
        {name: _value(kind, defs) for name, kind in properties.items()},
    ]


def _value(kind: Mapping[str, Any], defs: Mapping[str, Any]) -> Any:
    if "anyOf" in kind:
        return _value(next(each for each in kind["anyOf"] if each.get("type") != "null"), defs)
    if "$ref" in kind:
        shape = defs[kind["$ref"].rpartition("/")[2]]
        return {name: _value(each, defs) for name, each in shape["properties"].items()}
    if kind.get("format") == "date-time":
        return "2026-11-22T20:15:00.123456Z"
    return {"string": "text", "integer": 7}[kind["type"]]
