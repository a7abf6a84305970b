"""Facts of the log, for eyes and for programs."""

import re
from datetime import datetime, timedelta
from typing import Any

import msgspec
from rich.text import Text

from domain.decider import AnyRecorded, Unreadable
from domain.money import Money

_COLOURS = {"ticket": "cyan", "order": "yellow", "payment": "green", "parking": "red", "delivery": "blue"}
_LONG_ID = re.compile(r"[0-9a-f]{24,}|[0-9a-f]{8}-[0-9a-f-]{27}")
_SHOWN_OF_ID = 7
_LONGEST_STREAM = len("payment-") + 24
_SHORT_STREAM = len("delivery-…") + _SHOWN_OF_ID
_LESS_TELLING = frozenset("seller buyer title ticket_version method reference grace_until".split())


def type_of(fact: AnyRecorded) -> str:
    """The event's name in the log."""
    return fact.event.type if isinstance(fact.event, Unreadable) else type(fact.event).__name__


def as_json(fact: AnyRecorded) -> bytes:
    """One line of JSON with everything that is known of a fact."""
    metadata = fact.metadata
    line: dict[str, Any] = {
        "position": fact.position,
        "stream": fact.stream,
        "revision": fact.revision,
        "type": type_of(fact),
        "at": metadata.at,
        "actor": metadata.actor,
        "correlation": metadata.correlation,
        "causation": metadata.causation,
        "id": fact.id,
        "schema": metadata.schema,
    }
    if isinstance(fact.event, Unreadable):
        line |= {"unreadable": fact.event.reason, "raw": fact.event.data.decode("utf-8", "backslashreplace")}
    else:
        line["data"] = fact.event
    return msgspec.json.encode(line)


def as_line(fact: AnyRecorded, *, narrow: bool = False) -> Text:
    """One line for a person: where, when, what, and the facts that matter. narrow: streams are cut short."""
    at = fact.metadata.at.astimezone()
    stream = short(fact.stream) if narrow else fact.stream
    width = _SHORT_STREAM if narrow else _LONGEST_STREAM
    if len(stream) > width:
        stream = f"{stream[: width - _SHOWN_OF_ID - 1]}…{stream[-_SHOWN_OF_ID:]}"
    return Text.assemble(
        (f"{fact.position:>7} ", "dim"),
        (f"{at:%H:%M:%S}.{at.microsecond // 1000:03d} ", "dim"),
        (f"{stream:<{width}} ", _COLOURS.get(fact.category, "")),
        (f"r{fact.revision:<3} ", "dim"),
        (f"{type_of(fact)} ", "bold red" if isinstance(fact.event, Unreadable) else "bold"),
        said(fact),
    )


def as_short_line(fact: AnyRecorded) -> Text:
    """The same beside something else, where there is less room."""
    return Text.assemble(
        (f"{type_of(fact)} ", "bold " + _COLOURS.get(fact.category, "")),
        (f"{short(fact.stream)} ", "dim"),
        said(fact, without=_LESS_TELLING),
    )


def said(fact: AnyRecorded, without: frozenset[str] = frozenset()) -> str:
    """The fields of an event as ``name=value``."""
    if isinstance(fact.event, Unreadable):
        return f"cannot be read: {clean(fact.event.reason)}"
    fields = msgspec.structs.asdict(fact.event).items()
    return " ".join(f"{name}={_value(value)}" for name, value in fields if name not in without)


def _value(value: Any) -> str:
    match value:
        case datetime():
            return f"{value.astimezone():%H:%M:%S}"
        case Money():
            return f'"{value}"'
        case str():
            text = short(clean(value))
            return f'"{text}"' if " " in text or not text else text
        case _:
            return str(value)


def colour_of(stream: str) -> str:
    """How the streams of its kind are coloured on a terminal."""
    return _COLOURS.get(stream.partition("-")[0], "")


def lasting(lasted: timedelta | None) -> float | None:
    """Seconds, for programs."""
    return None if lasted is None else lasted.total_seconds()


def short(text: str) -> str:
    """``text`` with its long ids cut short, to their ends: ids made at one moment begin alike."""
    return _LONG_ID.sub(lambda found: "…" + found[0][-_SHOWN_OF_ID:], text)


def clean(text: str) -> str:
    """``text`` without what a terminal would take for an order: titles come from strangers."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
