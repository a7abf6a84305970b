"""A read model's file is disposable, and no accident to it goes unnoticed."""

import contextlib
import logging
import multiprocessing
import os
import random
import signal
import sqlite3
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from domain.money import Money
from domain.ticket import TicketEdited, TicketListed
from projections.catalogue import CATALOGUE, Catalogue
from projections.outside import Outside, Unusable, dump
from projections.read_model import FedTwice, ReadModel
from tests.projections.memory_log import MemoryLog

PRICE = Money(100, "usd")


def ten_tickets(edits: int = 1) -> MemoryLog:
    log = MemoryLog()
    for number in range(10):
        log.append(f"ticket-{number}", TicketListed("s", f"Show {number}", PRICE))
    for number in range(edits):
        log.append(f"ticket-{number % 10}", TicketEdited(f"Edit {number}", PRICE))
    return log


def fed(path: Path, log: MemoryLog) -> ReadModel:
    model = ReadModel(CATALOGUE, path)
    model.feed(log.events)
    return model


def test_a_model_goes_on_where_it_stood(tmp_path: Path) -> None:
    log = ten_tickets()
    model = fed(tmp_path / "model", log)
    rows = dump(model)
    model.close()
    model = ReadModel(CATALOGUE, tmp_path / "model")
    assert model.position == 11
    assert dump(model) == rows
    model.close()


def test_a_position_that_only_passed_events_of_no_interest_is_kept_too(tmp_path: Path) -> None:
    log = ten_tickets()
    model = fed(tmp_path / "model", log)
    log.append("order-o", object())
    model.feed(log.events)
    assert model.position == 12
    model.close()
    model = ReadModel(CATALOGUE, tmp_path / "model")
    assert model.position == 12
    model.close()


def test_a_deleted_file_is_made_again(tmp_path: Path) -> None:
    log = ten_tickets()
    model = fed(tmp_path / "model", log)
    rows = dump(model)
    model.close()
    (tmp_path / "model").unlink()
    model = ReadModel(CATALOGUE, tmp_path / "model")
    assert model.position == 0
    model.feed(log.events)
    assert dump(model) == rows
    model.close()


def other_version(path: Path) -> None:
    ReadModel(replace(CATALOGUE, version=0), path).close()


def other_tables(path: Path) -> None:
    ReadModel(replace(CATALOGUE, tables=CATALOGUE.tables + "CREATE TABLE more(a);"), path).close()


def no_database(path: Path) -> None:
    path.write_bytes(b"this is not a database, whatever its name says" * 100)


def somebody_elses_database(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE feed(whatever)")


def nothing_in_it(path: Path) -> None:
    path.write_bytes(b"")


def torn_header(path: Path) -> None:
    fed(path, ten_tickets()).close()
    content = path.read_bytes()
    path.write_bytes(b"\xff" * 64 + content[64:])


@pytest.mark.parametrize(
    "make", [other_version, other_tables, no_database, somebody_elses_database, nothing_in_it, torn_header]
)
def test_a_file_of_no_use_is_replaced_and_fed_from_the_start(
    make: object, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "model"
    assert callable(make)
    make(path)
    log = ten_tickets()
    with caplog.at_level(logging.WARNING):
        model = ReadModel(CATALOGUE, path)
    assert model.position == 0
    assert ("catalogue is rebuilt" in caplog.text) == (make is not nothing_in_it)
    model.feed(log.events)
    assert Catalogue(model).for_sale().total == 10
    model.close()


def test_a_place_that_cannot_be_used_says_so(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        ReadModel(CATALOGUE, tmp_path / "missing" / "model")


def test_two_that_feed_one_file_do_not_apply_an_event_twice(tmp_path: Path) -> None:
    log = ten_tickets()
    one, other = ReadModel(CATALOGUE, tmp_path / "model"), ReadModel(CATALOGUE, tmp_path / "model")
    one.feed(log.events)
    with pytest.raises((FedTwice, sqlite3.IntegrityError)):
        other.feed(log.events[10:])
    other.reopen()
    other.feed(log.events)
    assert dump(other) == dump(one)
    one.close()
    other.close()


def test_a_tool_looks_at_a_model_that_is_being_fed_and_changes_nothing(tmp_path: Path) -> None:
    log = ten_tickets()
    model = fed(tmp_path / "model", log)
    outside = Outside(CATALOGUE, tmp_path / "model")
    assert outside.position == 11
    assert dump(outside) == dump(model)
    assert Catalogue(outside).for_sale().total == 10
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        outside.rows("DELETE FROM ticket")
    outside.close()
    with pytest.raises(Unusable):
        Outside(replace(CATALOGUE, version=2), tmp_path / "model")
    model.close()


def test_a_checkpoint_moves_what_was_committed_into_the_file(tmp_path: Path) -> None:
    model = fed(tmp_path / "model", ten_tickets())
    assert model.unchecked_bytes() > 0
    model.checkpoint()
    model.begin_log_anew()
    assert model.unchecked_bytes() == 0
    assert Catalogue(model).for_sale().total == 10
    model.close()


def feed_until_killed(path: Path, log: MemoryLog, seed: int) -> None:
    rng = random.Random(seed)
    model = ReadModel(CATALOGUE, path)
    while model.position < log.head():
        model.feed(log.events[model.position : model.position + rng.randint(1, 40)])
    model.close()


def test_a_feeder_killed_a_hundred_times_applies_every_event_once(tmp_path: Path) -> None:
    log = ten_tickets(edits=10_000)
    whole = fed(tmp_path / "whole", log)
    path = tmp_path / "killed"
    forked = multiprocessing.get_context("fork")
    kills = 0
    for seed in range(100):
        process = forked.Process(target=feed_until_killed, args=(path, log, seed))
        process.start()
        time.sleep(random.Random(seed).random() * 0.012)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        kills += process.exitcode == -signal.SIGKILL
    assert kills > 10, "the feeder was not killed while it worked"
    feed_until_killed(path, log, seed=100)
    model = ReadModel(CATALOGUE, path)
    assert dump(model) == dump(whole)
    model.close()
    whole.close()
