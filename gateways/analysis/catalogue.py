"""The catalogue of events: every type with its stream, its meaning, its schema, an example and its upcasters.

It is made from the classes that are written and read, so it cannot say anything else than they do.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from msgspec import NODEFAULT, Struct, json
from msgspec.structs import fields

from domain.decider import Metadata
from domain.deciders import DECIDERS
from domain.money import Money
from gateways.analysis.catalogue_words import EVENTS, FIELDS, SAMPLES
from gateways.codec import UPCASTERS, Codec, Upcaster

_AT = datetime(2026, 11, 22, 20, 15, tzinfo=UTC)
_BY_TYPE: dict[Any, Any] = {str: "text", int: 1, datetime: _AT, Money: Money(4950, "usd")}
_KINDS = {str: "text", int: "whole number", datetime: "time in UTC", Money: "money"}


class Field(Struct, frozen=True):
    """kind: in words. optional: it may be left out; what was written before it was introduced has none."""

    name: str
    kind: str
    optional: bool
    meaning: str


class Entry(Struct, frozen=True):
    """One type of event. ``schema``: the version that is written. ``example``: its data as it is stored.

    upcasters: how older versions are read, in words; empty while there is only one version.
    """

    type: str
    stream: str
    schema: int
    meaning: str
    fields: Sequence[Field]
    example: dict[str, Any]
    upcasters: Sequence[str]
    json_schema: dict[str, Any]


def entries(upcasters: Mapping[tuple[str, int], Upcaster] = UPCASTERS) -> list[Entry]:
    """The whole catalogue, in the order of the deciders."""
    schemas = Codec(DECIDERS, upcasters).schemas()
    return [
        Entry(
            type=event.__name__,
            stream=f"{decider.category}-<id>",
            schema=schemas[event.__name__],
            meaning=EVENTS.get(event.__name__, ""),
            fields=list(_fields(event)),
            example=json.decode(json.encode(example(event))),
            upcasters=list(_upcasters(event.__name__, upcasters)),
            json_schema=schema(event),
        )
        for decider in DECIDERS
        for event in decider.events
    ]


def example(event: type) -> Any:
    """An event of this type that could have happened."""
    return event(**{field.name: _sample(field.name, _plain(field.type)) for field in fields(event)})


def schema(event: type) -> dict[str, Any]:
    """The JSON schema of an event's data. msgspec does not say of a text that it is a time."""
    found = json.schema(event)
    properties = found["$defs"][event.__name__]["properties"]
    for field in fields(event):
        if _plain(field.type) is datetime:
            kind = properties[field.name]
            (text,) = (each for each in kind.get("anyOf", [kind]) if each["type"] == "string")
            text["format"] = "date-time"
    return found


def _fields(event: type) -> Iterator[Field]:
    for field in fields(event):
        optional = field.default is not NODEFAULT or field.default_factory is not NODEFAULT
        yield Field(field.name, _KINDS[_plain(field.type)], optional, FIELDS.get(field.name, ""))


def _sample(name: str, type_: Any) -> Any:
    return SAMPLES.get(name, _BY_TYPE[type_]) if type_ is str else _BY_TYPE[type_]


def _plain(type_: Any) -> Any:
    """The type without its None."""
    if get_origin(type_) in (Union, UnionType):
        (type_,) = (each for each in get_args(type_) if each is not NoneType)
    return type_


def _upcasters(name: str, upcasters: Mapping[tuple[str, int], Callable[..., Any]]) -> Iterator[str]:
    for (of, version), upcaster in sorted(upcasters.items(), key=lambda each: each[0]):
        if of == name:
            yield f"{version} to {version + 1}: {' '.join((upcaster.__doc__ or 'no word on it').split())}"


# ── As a page, and for programs ───────────────────────────────────────────────────────────────────

INTRODUCTION = (
    """\
Every type of event that can be in the log, made by `admitone catalogue` and held to the code by a test.
`admitone catalogue --format json` has the same with JSON schemas, and a running shop serves both at
`/api/v1/events/catalogue`.""",
    """\
Names and fields may grow, their meaning may not change: what any released version has written stays
readable for ever. A field that may be left out is one that older events do not have. Where a shape had to
change, it has a new version, and an upcaster turns what is stored into the newest one when it is read;
nothing in the log is ever rewritten. Money is `amount` in minor units and `currency`; ids are opaque.""",
    """\
Beside its data every event has metadata: `$correlationId` (the request or order that began it all),
`$causationId` (the command or event that led to it), `actor`, `at` (when it was decided, in UTC), `schema`
(the version of the type's shape), and `traceparent` where there was one.""",
)
"""What holds for all of them, paragraph by paragraph; names are in backquotes."""


class Whole(Struct, frozen=True):
    """metadata: the JSON schema of what every event has beside its data."""

    metadata: dict[str, Any]
    events: list[Entry]


def as_page() -> str:
    """The catalogue in Markdown."""
    head = "\n\n".join(("# The events", *INTRODUCTION))
    return head + "\n" + "".join(map(_section, entries()))


def whole() -> Whole:
    """The catalogue with the schema of the metadata."""
    return Whole(json.schema(Metadata), entries())


def as_json() -> bytes:
    """The same for programs."""
    return json.format(json.encode(whole()), indent=2) + b"\n"


def _section(entry: Entry) -> str:
    lines = [f"\n## {entry.type}\n", f"{entry.meaning} In `{entry.stream}`, schema {entry.schema}.\n"]
    if entry.fields:
        lines += ["| Field | Kind | | Meaning |", "|---|---|---|---|"]
        for field in entry.fields:
            optional = "may be left out" if field.optional else ""
            lines.append(f"| `{field.name}` | {field.kind} | {optional} | {field.meaning} |")
        lines.append("")
    lines += ["```json", json.encode(entry.example).decode(), "```", ""]
    lines += [f"Read from schema {upcaster}." for upcaster in entry.upcasters]
    return "\n".join(lines)
