"""Tables as analysts see them: named columns, each with its kind and its meaning.

``at`` is a word of SQL's own in DuckDB, so the time of an event is called ``decided_at`` in every table.
"""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from msgspec import Struct, json

from domain.decider import AnyRecorded, Unreadable
from gateways.codec import NOTHING_KNOWN

Kind: TypeAlias = Literal["integer", "text", "time", "json"]
"""A whole number; words; a moment in UTC, to the microsecond; a JSON object as text."""

Row: TypeAlias = tuple[Any, ...]
"""One value for each column: int, str, datetime, JSON as str, or None."""

Columns: TypeAlias = Sequence[Sequence[Any]]
"""Some rows of a table by its columns: as many sequences as it has, all of one length."""


class Column(Struct, frozen=True):
    """``meaning`` is what the schema says of it."""

    name: str
    kind: Kind
    meaning: str


class Table(Struct, frozen=True):
    """A table and its columns, in order."""

    name: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    def schema(self) -> bytes:
        """The columns as a Table Schema (the Frictionless standard), for files that carry no types."""
        types = {"integer": "integer", "text": "string", "time": "datetime", "json": "object"}
        fields = [
            {"name": each.name, "type": types[each.kind], "description": each.meaning}
            for each in self.columns
        ]
        return json.format(json.encode({"name": self.name, "fields": fields}), indent=2) + b"\n"


EVENTS = Table(
    "events",
    (
        Column("position", "integer", "the place in the whole log; later is greater"),
        Column("stream", "text", "the stream: a category, a dash, the id of one ticket, order or payment"),
        Column("category", "text", "the kind of stream: ticket, order, payment or parking"),
        Column("key", "text", "the id: the stream's name without its category"),
        Column("revision", "integer", "the place in the stream, from 0 without gaps"),
        Column("type", "text", "the event's type, as in the catalogue of events"),
        Column("decided_at", "time", "when it was decided, in UTC, by the deciding clock"),
        Column("actor", "text", "the account that asked for it, or the part of the system that did"),
        Column("correlation", "text", "the request or order that began it all"),
        Column("causation", "text", "the command or event that led to this one"),
        Column("id", "text", "the event's own id"),
        Column("schema", "integer", "the version of the type's shape that was written"),
        Column("data", "json", "what happened, in the newest shape of its type"),
        Column("unreadable", "text", "why this version cannot read it; empty for what it can read"),
    ),
)

_encode = json.Encoder().encode
_texts = json.Decoder(list[str]).decode


def event_columns(page: Sequence[AnyRecorded]) -> Columns:
    """A page of the log as the columns of EVENTS."""
    streams, known = [fact.stream for fact in page], [fact.metadata for fact in page]
    names = [stream.partition("-") for stream in streams]
    types, data, unreadable = list[str](), list[str | None](), list[str | None]()
    for event in [fact.event for fact in page]:
        if isinstance(event, Unreadable):
            types.append(event.type)
            data.append(_if_json(event.data))
            unreadable.append(event.reason)
        else:
            types.append(type(event).__name__)
            data.append(_encode(event).decode())
            unreadable.append(None)
    return (
        [fact.position for fact in page],
        streams,
        [category for category, _, _ in names],
        [key for _, _, key in names],
        [fact.revision for fact in page],
        types,
        [None if each is NOTHING_KNOWN else each.at for each in known],
        [each.actor for each in known],
        [each.correlation for each in known],
        [each.causation for each in known],
        # msgspec writes a page of ids in a fifth of the time that str() takes.
        _texts(_encode([fact.id for fact in page])),
        [each.schema for each in known],
        data,
        unreadable,
    )


def _if_json(data: bytes) -> str | None:
    """What cannot be read may still be JSON, which tables can hold."""
    try:
        json.decode(data)
        return data.decode()
    except ValueError:
        return None
