"""``admitone rebuild`` and ``verify``: exactly what differs is shown, and nobody who reads notices more."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from deploy.comparing import Comparison
from deploy.parts import MODELS
from deploy.places import Places
from domain.decider import AnyRecorded
from domain.money import Money
from domain.ticket import TicketEdited, TicketListed
from projections.catalogue import CATALOGUE
from projections.file import actual
from projections.generations import before, refusal, wish, wished
from projections.outside import Outside, dump
from projections.projection import Statement
from projections.read_model import ReadModel
from projections.rebuild import Rebuild
from projections.turning import adopt, fulfil
from tests.deploy.running import Running, admitone, running
from tests.deploy.test_projector import BUYER, SELLER, TOLD, client, list_ticket
from tests.projections.memory_log import MemoryLog


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "var"


@pytest.fixture
def shop(data: Path) -> Path:
    """A data directory with five tickets, one of them held; nobody serves it any more."""
    with running(data, "--no-demo", **TOLD) as server:
        seller, buyer = client(server, SELLER), client(server, BUYER)
        tickets = [list_ticket(seller, f"Seat {number}") for number in range(5)]
        assert buyer.post("/api/orders", json={"ticketId": tickets[0]["id"]}).status_code == 201
    return data


def model(data: Path) -> Path:
    return Places(data).read_models / "0" / "catalogue.sqlite"


def spoil(data: Path, sql: str) -> None:
    with closing(sqlite3.connect(model(data), isolation_level=None)) as connection:
        connection.execute(sql)


def titles(data: Path) -> list[str]:
    outside = Outside(CATALOGUE, model(data))
    with closing(outside):
        return [title for (title,) in outside.rows("SELECT title FROM ticket ORDER BY listed")]


def told(*words: str, data: Path, status: int = 0) -> str:
    done = admitone(*words, "--data", str(data))
    assert done.returncode == status, done.stdout + done.stderr
    assert status == 0 or words[0] == "verify" or done.stderr.count("\n") == 1, done.stderr
    return done.stdout + done.stderr


# ── Shown, taken, and back ────────────────────────────────────────────────────────────────────────


def test_a_sound_read_model_differs_in_no_row(shop: Path) -> None:
    said = told("verify", data=shop)
    assert said.count("No row differs") == len(MODELS)
    assert "No row differs" in told("rebuild", "catalogue", data=shop)
    assert not list(model(shop).parent.glob("catalogue.sqlite.*"))


def test_exactly_the_rows_that_differ_are_shown_and_nothing_is_changed_unasked(shop: Path) -> None:
    spoil(shop, "UPDATE ticket SET title = 'forged', amount = 1 WHERE title = 'Seat 1'")
    spoil(shop, "DELETE FROM ticket WHERE title = 'Seat 3'")
    spoil(shop, "UPDATE ticket SET id = 'nobody', listed = 1000 WHERE title = 'Seat 4'")
    for said in (told("verify", data=shop, status=1), told("rebuild", "catalogue", data=shop)):
        assert "ticket: 1 changed, 1 gone, 2 new" in said
        assert "title: 'forged' → 'Seat 1', amount: 1 → 2000" in said
        assert said.count("\n  ~ ") == 1
        assert said.count("\n  - ") == 1
        assert said.count("\n  + ") == 2
        assert "Seat 0" not in said
        assert "Seat 2" not in said
    assert titles(shop) == ["Seat 0", "forged", "Seat 2", "Seat 4"]


def test_the_new_one_is_taken_when_told_so_and_given_back_when_told_so(shop: Path) -> None:
    spoil(shop, "UPDATE ticket SET title = 'forged' WHERE title = 'Seat 1'")
    spoilt, sound = titles(shop), [f"Seat {number}" for number in range(5)]
    assert "One step back" in told("rebuild", "catalogue", "--yes", data=shop)
    assert titles(shop) == sound
    told("verify", data=shop)
    told("rebuild", "catalogue", "--back", data=shop)
    assert titles(shop) == spoilt
    told("rebuild", "catalogue", "--back", data=shop)
    assert titles(shop) == sound
    told("rebuild", "catalogue", "--yes", data=shop)
    told("rebuild", "catalogue", "--yes", data=shop)
    generations = [path for path in model(shop).parent.glob("catalogue.sqlite.?") if path.is_file()]
    assert len(generations) == 2
    with running(shop, "--no-demo", **TOLD) as server:
        assert len(client(server, BUYER).get("/api/tickets").json()) == 4


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (("rebuild", "catalog"), 2, "there is no projection catalog; there are catalogue, orders"),
        (("rebuild", "orders", "--back"), 1, "nothing to go back to"),
    ],
)
def test_what_cannot_be_rebuilt_is_said_in_one_line(
    shop: Path, words: tuple[str, ...], status: int, says: str
) -> None:
    files = sorted(path.name for path in model(shop).parent.iterdir())
    assert says in told(*words, data=shop, status=status)
    assert sorted(path.name for path in model(shop).parent.iterdir()) == files


def test_where_nobody_has_served_there_is_nothing_to_rebuild(tmp_path: Path) -> None:
    assert "there is no log" in told("rebuild", "catalogue", data=tmp_path, status=1)


# ── A mistake in a projection ─────────────────────────────────────────────────────────────────────


def test_a_mistake_in_a_projection_shows_as_the_rows_that_it_touched_and_no_other(tmp_path: Path) -> None:
    book = MemoryLog()
    for number in range(60):
        book.append(f"ticket-{number}", TicketListed("s", f"Seat {number}", Money(100, "usd")))
    for number in range(0, 60, 2):
        book.append(f"ticket-{number}", TicketEdited(f"Seat {number}", Money(200 + number, "usd")))
    log = book.events
    mistaken: set[str] = set()

    def careless(recorded: AnyRecorded) -> tuple[Statement, ...]:
        if isinstance(recorded.event, TicketEdited) and recorded.event.price.amount % 3 == 0:
            mistaken.add(recorded.key)
            return ()
        return tuple(CATALOGUE.apply(recorded))

    live = ReadModel(replace(CATALOGUE, apply=careless), tmp_path / "live")
    live.feed(log)
    live.close()
    right = Rebuild(CATALOGUE, tmp_path / "right", "memory")
    right.take(log)
    right.finish()
    truth = {row[1]: row for row in Outside(CATALOGUE, tmp_path / "right").rows("SELECT * FROM ticket")}
    was = {row[1]: row for row in Outside(CATALOGUE, tmp_path / "live").rows("SELECT * FROM ticket")}
    with closing(Comparison(tmp_path / "live", tmp_path / "right")) as comparison:
        (table,) = comparison.tables()
        rows = list(comparison.rows("ticket", 100))
    wrong = {key for key in truth if truth[key] != was[key]}
    assert len(wrong) == 10
    assert wrong == mistaken
    assert {row.before["id"] for row in rows if row.before} == wrong
    assert (table.changed, table.gone, table.new) == (len(wrong), 0, 0)


def test_the_write_ahead_log_of_a_rebuild_stays_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.rebuild.CHECKPOINT_AT", 100_000)
    rebuild, log = Rebuild(CATALOGUE, tmp_path / "new", "memory"), tickets(2_000).events
    for begin in range(0, len(log), 100):
        rebuild.take(log[begin : begin + 100])
        rebuild.save()
        assert (tmp_path / "new-wal").stat().st_size < 200_000
    rebuild.finish()


# ── Another version ───────────────────────────────────────────────────────────────────────────────


def edited(path: Path, log: MemoryLog, version: int = CATALOGUE.version) -> Path:
    written = ReadModel(replace(CATALOGUE, version=version), path)
    written.feed(log.events)
    written.close()
    return path


def tickets(number: int) -> MemoryLog:
    log = MemoryLog()
    for each in range(number):
        log.append(f"ticket-{each}", TicketListed("s", f"Seat {each}", Money(100, "usd")))
    return log


def test_a_read_model_of_a_new_version_waits_for_the_server_that_can_read_it(tmp_path: Path) -> None:
    live, new = edited(tmp_path / "m.sqlite", tickets(2)), edited(tmp_path / "m.sqlite.1", tickets(3), 99)
    wish(live, new)
    adopt(CATALOGUE, live)
    assert (wished(live), actual(live)) == (new, live)
    adopt(replace(CATALOGUE, version=99), live)
    assert (wished(live), actual(live)) == (None, new)
    assert len(ReadModel(replace(CATALOGUE, version=99), live).rows("SELECT * FROM ticket")) == 3
    was = before(live)
    assert was is not None
    assert len(ReadModel(CATALOGUE, was).rows("SELECT * FROM ticket")) == 2


@pytest.mark.parametrize("what", ["other", "missing", "damaged"])
async def test_what_cannot_be_gone_on_with_is_refused_and_the_old_one_serves_on(
    tmp_path: Path, what: str
) -> None:
    live, new = edited(tmp_path / "m.sqlite", tickets(2)), tmp_path / "m.sqlite.1"
    if what == "other":
        edited(new, tickets(2), 99)
    elif what == "damaged":
        new.write_bytes(b"no read model at all" * 100)
    serving = ReadModel(CATALOGUE, live)
    wish(live, new)
    await fulfil(serving, tickets(2), in_thread)
    assert wished(live) is None
    assert refusal(live)
    assert len(serving.rows("SELECT * FROM ticket")) == 2
    assert not live.is_symlink()
    serving.close()


async def test_one_that_is_ahead_is_taken_when_the_serving_one_has_got_there(tmp_path: Path) -> None:
    live, new, log = edited(tmp_path / "m.sqlite", tickets(2)), tmp_path / "m.sqlite.1", tickets(5)
    edited(new, log)
    serving = ReadModel(CATALOGUE, live)
    wish(live, new)
    await fulfil(serving, log, in_thread)
    assert wished(live) == new
    serving.feed(log.events)
    rows = dump(serving)
    await fulfil(serving, log, in_thread)
    assert (wished(live), actual(live), serving.position) == (None, new, 5)
    assert dump(serving) == rows
    log.append("ticket-9", TicketListed("s", "Late", Money(100, "usd")))
    serving.feed(log.events)
    outside = Outside(CATALOGUE, live)
    assert (outside.position, len(outside.rows("SELECT * FROM ticket"))) == (6, 6)
    outside.close()
    serving.close()


async def in_thread(work: Callable[[], None]) -> None:
    await asyncio.to_thread(work)


# ── While it serves ───────────────────────────────────────────────────────────────────────────────


class Shopper(threading.Thread):
    """Lists tickets and looks for them at once, on connections of its own, until told to stop."""

    def __init__(self, server: Running, number: int) -> None:
        super().__init__()
        self.done = threading.Event()
        self.wrong: list[str] = []
        self.looks = 0
        self._client = client(server, f"{number:024x}")
        self._user = f"{number:024x}"

    def run(self) -> None:
        mine: list[str] = []
        while not self.done.is_set():
            try:
                self._look(mine)
            except Exception as error:
                self.wrong.append(f"{type(error).__name__}: {error}")

    def _look(self, mine: list[str]) -> None:
        mine.append(list_ticket(self._client, f"Seat {len(mine)}")["id"])
        path = f"/api/tickets?userId={self._user}&forProfilePage=true"
        answer = self._client.get(path)
        self.looks += 1
        if answer.status_code != 200 or "admitone-age" in answer.headers:
            self.wrong.append(f"{answer.status_code} {dict(answer.headers)}")
        elif [each["id"] for each in answer.json()] != mine:
            self.wrong.append(f"{len(answer.json())} of {len(mine)} tickets")


@pytest.fixture
def served(data: Path) -> Iterator[Running]:
    with running(data, "--no-demo", "--workers", "2", **TOLD) as server:
        yield server


@pytest.mark.timeout(240)
def test_who_reads_while_it_is_rebuilt_and_taken_back_reads_all_and_at_once(
    data: Path, served: Running
) -> None:
    shoppers = [Shopper(served, number) for number in range(3)]
    for shopper in shoppers:
        shopper.start()
    try:
        for words in (("--yes",), ("--yes",), ("--back",), ("--yes",)):
            told("rebuild", "catalogue", *words, data=data)
        told("rebuild", "past", "--yes", data=data)
    finally:
        for shopper in shoppers:
            shopper.done.set()
        for shopper in shoppers:
            shopper.join()
    assert [wrong for shopper in shoppers for wrong in shopper.wrong] == []
    assert min(shopper.looks for shopper in shoppers) > 5
    assert told("verify", data=data).count("No row differs") == len(MODELS)
    with closing(sqlite3.connect(data / "cards.sqlite")) as ledger:
        assert ledger.execute("SELECT count(*) FROM entries").fetchone() == (0,)
