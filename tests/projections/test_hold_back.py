"""An event that cannot be applied holds back its own stream, in one read model, and nothing else."""

import sqlite3
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.decider import AnyRecorded, Unreadable
from domain.money import Money
from domain.ticket import TicketEdited, TicketListed
from projections.agenda import AGENDA
from projections.catalogue import CATALOGUE
from projections.held import Held, held_back, retry_held, skip_held
from projections.ledger import LEDGER
from projections.orders import ORDERS
from projections.outside import dump
from projections.projection import Projection, Statement
from projections.read_model import ReadModel
from tests.projections.histories import Choice, Marketplace, histories
from tests.projections.memory_log import NOON, MemoryLog

PRICE = Money(100, "usd")


class Handicapped:
    """A projection that fails at some positions: in its function, or in the database."""

    def __init__(self, projection: Projection, *poison: int, in_database: bool = False) -> None:
        self.poison = set(poison)
        self.in_database = in_database
        self._apply = projection.apply
        self.projection = replace(projection, apply=self.apply)

    def apply(self, recorded: AnyRecorded) -> Iterable[Statement]:
        yield from self._apply(recorded)
        if recorded.position in self.poison:
            if self.in_database:
                yield "INSERT INTO feed VALUES (NULL, NULL, NULL)", ()
            else:
                raise ValueError("poison")


def two_tickets() -> MemoryLog:
    """Positions 1, 3, 5 are of ticket a, 2, 4, 6 of ticket b."""
    log = MemoryLog()
    for event in (TicketListed("s", "One", PRICE), TicketEdited("Two", PRICE), TicketEdited("Three", PRICE)):
        log.append("ticket-a", event)
        log.append("ticket-b", event)
    return log


def titles(model: ReadModel) -> list[tuple[str, str, int]]:
    return [
        (key, title, version) for key, title, version in model.rows("SELECT id, title, version FROM ticket")
    ]


@pytest.mark.parametrize("in_database", [False, True], ids=["in apply", "in the database"])
def test_a_poison_event_blocks_only_its_own_stream(in_database: bool) -> None:
    log = two_tickets()
    model = ReadModel(Handicapped(CATALOGUE, 3, in_database=in_database).projection, ":memory:")
    model.feed(log.events)
    assert titles(model) == [("a", "One", 0), ("b", "Three", 2)]
    assert model.position == 6
    [held] = model.held
    assert (held.stream, held.revision, held.position, held.tries, held.parked) == (
        "ticket-a",
        1,
        3,
        0,
        False,
    )
    assert ("poison" in held.error) != in_database
    model.close()


def test_a_statement_that_fails_late_in_a_transaction_costs_nobody_else_his_rows() -> None:
    log = two_tickets()
    model = ReadModel(Handicapped(CATALOGUE, 5, in_database=True).projection, ":memory:")
    for recorded in log.events:
        model.stage([recorded])
    model.save()
    assert titles(model) == [("a", "Two", 1), ("b", "Three", 2)]
    assert [held.revision for held in model.held] == [2]
    model.close()


def test_an_event_that_cannot_be_read_holds_back_its_stream_where_it_matters() -> None:
    log = two_tickets()
    log.append("ticket-b", Unreadable("TicketBlessed", b"{}", "unknown type"))
    log.append("ticket-a", Unreadable("TicketSold", b"{", "damaged"))
    catalogue, ledger = ReadModel(CATALOGUE, ":memory:"), ReadModel(LEDGER, ":memory:")
    for model in (catalogue, ledger):
        model.feed(log.events)
    assert [held.stream for held in catalogue.held] == ["ticket-b"]
    assert ledger.held == ()
    catalogue.close()
    ledger.close()


def test_a_held_stream_is_tried_five_times_and_then_parked() -> None:
    log, time = two_tickets(), NOON
    model = ReadModel(Handicapped(CATALOGUE, 3).projection, ":memory:", now=lambda: time)
    model.feed(log.events)
    delays = []
    while (at := model.held[0].retry_at) is not None:
        delays.append((at - time).total_seconds())
        time = at
        model.retry(model.held[0], log.events[2::2])
    assert delays == [5, 10, 20, 40, 80]
    assert model.held[0].parked
    assert model.held[0].tries == 5
    assert model.position == 6
    model.close()


def test_a_stream_that_fails_later_again_is_held_there_with_all_its_tries_ahead() -> None:
    log = two_tickets()
    handicapped = Handicapped(CATALOGUE, 3, 5)
    model = ReadModel(handicapped.projection, ":memory:")
    model.feed(log.events)
    handicapped.poison = {3, 5}
    model.retry(model.held[0], log.events[2::2])
    assert model.held[0].tries == 1
    handicapped.poison = {5}
    model.retry(model.held[0], log.events[2::2])
    assert [(held.revision, held.tries) for held in model.held] == [(2, 0)]
    assert titles(model)[0] == ("a", "Two", 1)
    model.close()


def test_what_is_held_survives_a_restart(tmp_path: Path) -> None:
    log = two_tickets()
    path = tmp_path / "model"
    handicapped = Handicapped(CATALOGUE, 3)
    model = ReadModel(handicapped.projection, path)
    model.feed(log.events[:4])
    held = model.held
    model.close()
    model = ReadModel(handicapped.projection, path)
    assert model.held == held
    model.feed(log.events)
    assert titles(model) == [("a", "One", 0), ("b", "Three", 2)]
    model.close()


def test_an_operator_in_another_process_has_a_parked_stream_tried_again(tmp_path: Path) -> None:
    model, log, handicapped = parked(tmp_path)
    handicapped.poison = set()
    assert retry_held(tmp_path / "model", "ticket-a")
    assert not retry_held(tmp_path / "model", "ticket-b")
    model.heed_operators()
    [held] = model.held
    assert held.retry_at is not None
    assert held.retry_at < NOON
    model.retry(held, log.events[2::2])
    assert titles(model)[0] == ("a", "Three", 2)
    assert held_back(tmp_path / "model") == []
    model.close()


def test_an_operator_leaves_an_event_out_and_answers_for_it(tmp_path: Path) -> None:
    model, log, _ = parked(tmp_path)
    path = tmp_path / "model"
    with pytest.raises(ValueError, match="reason"):
        skip_held(path, "ticket-a", "olga", " ")
    assert skip_held(path, "ticket-a", "olga", "a test listing")
    model.heed_operators()
    [held] = model.held
    assert held.resume_after == 1
    model.retry(held, log.events[4::2])
    assert titles(model)[0] == ("a", "Three", 1)
    assert model.held == ()
    with sqlite3.connect(path) as connection:
        record = connection.execute("SELECT stream, revision, skipped_by, reason FROM held_back").fetchall()
    assert record == [("ticket-a", 1, "olga", "a test listing")]
    assert not skip_held(path, "ticket-a", "olga", "again")
    model.close()


def parked(place: Path) -> tuple[ReadModel, MemoryLog, Handicapped]:
    """A model in a file that has given up on ticket a."""
    log, handicapped = two_tickets(), Handicapped(CATALOGUE, 3)
    model = ReadModel(handicapped.projection, place / "model")
    model.feed(log.events)
    while not model.held[0].parked:
        model.retry(model.held[0], log.events[2::2])
    return model, log, handicapped


@pytest.mark.parametrize("projection", [CATALOGUE, ORDERS, LEDGER, AGENDA], ids=lambda each: each.name)
@given(choices=histories, poison=st.sets(st.integers(1, 60), max_size=4), data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_retry_after_the_cause_is_gone_equals_never_having_failed(
    projection: Projection, choices: list[Choice], poison: set[int], data: st.DataObject
) -> None:
    log = Marketplace()
    events = log.play(choices)
    handicapped = Handicapped(projection, *poison, in_database=data.draw(st.booleans()))
    model, sound = ReadModel(handicapped.projection, ":memory:"), ReadModel(projection, ":memory:")
    mended = data.draw(st.integers(0, len(events)))
    model.feed(events[:mended])
    handicapped.poison = set()
    for held in model.held:
        model.retry(held, behind(events, held))
    model.feed(events)
    sound.feed(events)
    assert model.held == ()
    assert dump(model) == dump(sound)
    model.close()
    sound.close()


def behind(events: list[AnyRecorded], held: Held) -> list[AnyRecorded]:
    return [each for each in events if each.stream == held.stream and each.revision > held.resume_after]


def test_a_full_disk_is_not_the_events_fault() -> None:
    log = two_tickets()
    model = ReadModel(CATALOGUE, ":memory:")
    model.feed(log.events[:1])
    [(pages,)] = model.rows("PRAGMA page_count")
    model.rows(f"PRAGMA max_page_count = {pages}")
    long = TicketEdited("x" * 100_000, PRICE)
    log.append("ticket-a", long)
    with pytest.raises(sqlite3.OperationalError, match="full"):
        model.feed(log.events)
    assert model.held == ()
    assert model.position == 1
    model.rows("PRAGMA max_page_count = 100000")
    model.feed(log.events)
    assert model.position == 7
    model.close()


def test_retry_times_are_kept_to_the_microsecond() -> None:
    at = NOON + timedelta(microseconds=123_457)
    model = ReadModel(Handicapped(CATALOGUE, 3).projection, ":memory:", now=lambda: at)
    model.feed(two_tickets().events)
    model.heed_operators()
    assert model.held[0].retry_at == at + timedelta(seconds=5)
    model.close()
