"""Whatever happened, and however it reaches a read model, the rows are the same."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from projections.agenda import AGENDA
from projections.catalogue import CATALOGUE
from projections.ledger import LEDGER
from projections.orders import ORDERS
from projections.outside import dump
from projections.projection import Projection
from projections.read_model import ReadModel
from tests.projections.histories import Choice, Marketplace, histories
from tests.projections.memory_log import MemoryLog

ALL = (CATALOGUE, ORDERS, LEDGER, AGENDA)
Rows = dict[str, list[tuple[object, ...]]]

each_projection = pytest.mark.parametrize("projection", ALL, ids=lambda each: each.name)


def fed_at_once(projection: Projection, log: MemoryLog) -> Rows:
    model = ReadModel(projection, ":memory:")
    model.feed(log.events)
    rows = dump(model)
    model.close()
    return rows


def played(choices: list[Choice]) -> MemoryLog:
    marketplace = Marketplace()
    marketplace.play(choices)
    return marketplace.log


@each_projection
@given(choices=histories)
@settings(max_examples=60, deadline=None)
def test_feeding_everything_twice_changes_nothing(projection: Projection, choices: list[Choice]) -> None:
    log = played(choices)
    model = ReadModel(projection, ":memory:")
    model.feed(log.events)
    once = dump(model)
    model.feed(log.events)
    model.feed(log.events[len(log.events) // 2 :])
    assert dump(model) == once
    assert model.position == log.head()
    model.close()


@each_projection
@given(choices=histories, sizes=st.lists(st.integers(1, 20), min_size=1, max_size=10))
@settings(max_examples=60, deadline=None)
def test_batches_of_any_size_lead_to_the_same_rows(
    projection: Projection, choices: list[Choice], sizes: list[int]
) -> None:
    log = played(choices)
    model = ReadModel(projection, ":memory:")
    begin = 0
    for size in sizes * len(log.events):
        if begin < len(log.events):
            model.feed(log.events[max(begin - 2, 0) : begin + size])  # and each overlaps the one before
            begin += size
    assert dump(model) == fed_at_once(projection, log)
    model.close()


@each_projection
@given(choices=histories, cuts=st.lists(st.integers(0, 90), max_size=4))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_crash_between_rows_and_commit_loses_nothing_and_doubles_nothing(
    projection: Projection, choices: list[Choice], cuts: list[int]
) -> None:
    log = played(choices)
    with TemporaryDirectory() as place:
        path = Path(place, "model")
        for cut in sorted(cuts):
            model = ReadModel(projection, path)
            model.feed(log.events[: cut // 2])
            model.stage(log.events[:cut])
            model.abandon()
            model.close()
        model = ReadModel(projection, path)
        assert model.position <= log.head()
        model.feed(log.events)
        assert dump(model) == fed_at_once(projection, log)
        model.close()


@each_projection
@given(choices=histories)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_upkeep_that_was_left_out_and_made_at_the_end_is_the_same(
    projection: Projection, choices: list[Choice]
) -> None:
    log = played(choices)
    model = ReadModel(projection, ":memory:")
    schema = "SELECT name, sql FROM sqlite_master ORDER BY name"
    whole = model.rows(schema)
    model.leave_upkeep()
    assert model.rows(schema) != whole
    model.feed(log.events[: len(log.events) // 2])
    model.resume_upkeep()
    model.feed(log.events)
    assert model.rows(schema) == whole
    assert dump(model) == fed_at_once(projection, log)
    model.close()
