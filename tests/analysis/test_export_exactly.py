"""A Parquet file of events says of each event just what the codec reads in the log, in every column."""

import json
import random
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import json as fast
from msgspec import to_builtins

from domain.decider import Proposed, Unreadable
from domain.deciders import DECIDERS
from gateways.analysis.columns import EVENTS
from gateways.codec import NOTHING_KNOWN, Codec
from gateways.embedded_verbatim import VerbatimWriter
from gateways.raw_log import RawEvent
from tests.analysis.asking import told
from tests.analysis.test_export import of_parquet
from tests.domain.strategies import any_metadata, anything
from tests.store.test_golden import FILES, stored

CODEC = Codec()
STREAMS = ("ticket-1", "ticket-1-2", "order-ünïcode", "payment-", "parking-🎟", "nameless", "")

Stored: TypeAlias = tuple[str, bytes, bytes]
"""Type, data, metadata."""

ODD: list[Stored] = [
    ("TicketTeleported", b'{"where": "later"}', b'{"schema":99,"unknown":[1]}'),
    ("TicketListed", b"\x00\xff no JSON", b""),
    ("TicketListed", b'{"seller":1}', b'{"actor":"an actor and nothing else"}'),
    ("OrderCancelled", b"[]", b"{}"),
    ("OrderCancelled", b'{"reason":"expired"}', b""),
]
"""What this version does not know or cannot read, or what is not there."""

RELEASED: list[Stored] = [
    (type_, fast.encode(data), fast.encode(metadata)) for type_, data, metadata in map(stored, FILES)
]


@st.composite
def logs(draw: st.DrawFn) -> list[RawEvent]:
    """One event of every type with whatever it can hold, those that released versions wrote, and odd ones."""
    written = [*ODD, *RELEASED]
    for type_ in (event for decider in DECIDERS for event in decider.events):
        encoded = CODEC.encode(Proposed(UUID(int=0), draw(anything(type_)), draw(any_metadata())))
        written.append((encoded.type, encoded.data, encoded.metadata))
    chance, revisions, events = random.Random(draw(st.integers())), Counter[str](), list[RawEvent]()
    chance.shuffle(written)
    for position, (name, data, metadata) in enumerate(written, 1):
        stream, id_ = chance.choice(STREAMS), UUID(int=chance.getrandbits(128))
        events.append(RawEvent(stream, revisions[stream], position, id_, name, data, metadata))
        revisions[stream] += 1
    return events


def expected(event: RawEvent) -> dict[str, Any]:
    """The row of an event, by what the codec reads."""
    read, known = CODEC.decode(event.type, event.data, event.metadata)
    category, _, key = event.stream.partition("-")
    return {
        "position": event.position,
        "stream": event.stream,
        "category": category,
        "key": key,
        "revision": event.revision,
        "type": event.type,
        "decided_at": None if known is NOTHING_KNOWN else known.at,
        "actor": known.actor,
        "correlation": known.correlation,
        "causation": known.causation,
        "id": str(event.id),
        "schema": known.schema,
        "data": _if_json(event.data) if isinstance(read, Unreadable) else to_builtins(read),
        "unreadable": read.reason if isinstance(read, Unreadable) else None,
    }


def _if_json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None


def parquet_of(events: Sequence[RawEvent]) -> list[dict[str, Any]]:
    """The rows of an export, with what is JSON in them decoded."""
    with tempfile.TemporaryDirectory() as place:
        with closing(VerbatimWriter(Path(place) / "log.sqlite")) as writer:
            writer.write(events)
        out = Path(place) / "events.parquet"
        told("export", "--out", str(out), "--data", place)
        rows = of_parquet(out)
    return [row | {"data": row["data"] and json.loads(row["data"])} for row in rows]


@settings(max_examples=20, deadline=None)
@given(events=logs())
def test_every_column_of_every_row_is_what_the_codec_reads(events: list[RawEvent]) -> None:
    rows = parquet_of(events)
    assert len(rows) == len(events)
    assert list(rows[0]) == EVENTS.names
    for row, event in zip(rows, events, strict=True):
        assert row == expected(event)
