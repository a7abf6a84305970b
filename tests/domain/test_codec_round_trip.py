"""Whatever an aggregate writes is read again as it was, and its metadata with it."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import Struct, json, structs

from domain.decider import AnyDecider, Metadata, Proposed
from domain.deciders import DECIDERS
from domain.money import Money
from domain.ticket import TicketDelisted, TicketListed, TicketReserved
from gateways.codec import Codec
from tests.domain.strategies import END, GRACE, any_metadata, anything, histories

CODEC = Codec()
ANY_ID = UUID(int=1)
SOME_METADATA = Metadata("req-1", "cmd-1", "ann", GRACE)

every_decider = pytest.mark.parametrize("decider", DECIDERS, ids=[each.category for each in DECIDERS])


def read_again(event: Any, metadata: Metadata = SOME_METADATA) -> tuple[Any, Metadata]:
    encoded = CODEC.encode(Proposed(ANY_ID, event, metadata))
    return CODEC.decode(encoded.type, encoded.data, encoded.metadata)


@pytest.mark.parametrize("type_", [event for decider in DECIDERS for event in decider.events])
@settings(max_examples=50)
@given(data=st.data())
def test_every_event_is_read_as_it_was_written(type_: type[Struct], data: st.DataObject) -> None:
    event = data.draw(anything(type_))
    assert read_again(event)[0] == event


@given(st.text())
@example("\x00\x01\x1f\x7f")
@example('\\ " / \u2028 \u2029 \ufeff')
@example("🎟️ — Ünïcödé — אב — \U0010ffff")
@example("e\u0301 is not \u00e9")
def test_a_title_may_be_any_text(title: str) -> None:
    listed = TicketListed("sue", title, Money(1999, "usd"))
    assert read_again(listed)[0] == listed


@given(any_metadata())
def test_what_is_known_beside_an_event_is_read_as_it_was_written(metadata: Metadata) -> None:
    """But for the schema: that is the version in which the event was in fact written."""
    written = structs.replace(metadata, schema=CODEC.schemas()["TicketDelisted"])
    assert read_again(TicketDelisted(), metadata)[1] == written


@every_decider
@given(data=st.data())
def test_an_aggregate_is_the_same_from_memory_and_from_the_log(
    decider: AnyDecider, data: st.DataObject
) -> None:
    facts = data.draw(histories(decider))
    stored = [read_again(fact)[0] for fact in facts]
    assert decider.fold(decider.initial, stored) == decider.fold(decider.initial, facts)


def test_the_log_names_things_as_the_design_says() -> None:
    reserved = TicketReserved("o1", "ann", Money(1999, "usd"), END)
    encoded = CODEC.encode(Proposed(ANY_ID, reserved, SOME_METADATA))
    assert encoded.type == "TicketReserved"
    assert json.decode(encoded.data) == {
        "order": "o1",
        "buyer": "ann",
        "price": {"amount": 1999, "currency": "usd"},
        "expires_at": "2026-11-22T07:15:00Z",
    }
    assert json.decode(encoded.metadata) == {
        "$correlationId": "req-1",
        "$causationId": "cmd-1",
        "actor": "ann",
        "at": "2026-11-22T07:25:00Z",
        "schema": 1,
    }
