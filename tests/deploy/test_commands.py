"""The other commands, beside a server that runs and on data that was damaged."""

import asyncio
import json
import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.commands.doctor import entries, read_books
from deploy.doctor import Case, ledger
from deploy.models_check import ModelChecks
from deploy.places import Places
from deploy.settings import Settings
from domain.parking import ParkPurchase, parking
from gateways.clock import SystemClock
from gateways.embedded import EmbeddedStore
from processmanager.desk import Cause, Desk
from tests.deploy.running import ADMITONE, admitone, environment, eventually, running


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "var"


@pytest.fixture
def sold(data: Path) -> Path:
    """A data directory in which one ticket was sold; nobody serves it any more."""
    with running(data) as server:
        done = admitone("demo", "--port", str(server.port), "--data", str(data))
        assert done.returncode == 0, done.stderr
    return data


def facts(output: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.splitlines()]


# ── demo ──────────────────────────────────────────────────────────────────────────────────────────


def test_the_demonstration_tells_each_step_and_what_it_led_to(data: Path) -> None:
    with running(data) as server:
        told = admitone("demo", "--port", str(server.port), "--data", str(data))
    assert told.returncode == 0, told.stderr
    steps = [line for line in told.stdout.splitlines() if line[:2] in ("1.", "2.", "3.", "4.", "5.", "6.")]
    assert len(steps) == 6
    after_paying = told.stdout.split("5. ")[1]
    for event in ("PaymentStarted", "PaymentAuthorized", "TicketSold", "PaymentCaptured", "OrderCompleted"):
        assert f"→ {event} " in after_paying
    assert "status=complete" in after_paying


def test_without_the_log_at_hand_the_demonstration_says_so_and_works(data: Path, tmp_path: Path) -> None:
    with running(data) as server:
        told = admitone("demo", "--port", str(server.port), "--data", str(tmp_path / "elsewhere"))
    assert told.returncode == 0
    assert "→" not in told.stdout
    assert "Give --data" in told.stdout


def test_without_a_server_the_demonstration_says_what_to_do(data: Path) -> None:
    told = admitone("demo", "--port", "9", "--data", str(data))
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.startswith("admitone: no server answers at http://127.0.0.1:9")


# ── events ────────────────────────────────────────────────────────────────────────────────────────


def test_the_log_is_printed_as_json_lines_whole_in_part_and_from_its_end(sold: Path) -> None:
    def printed(*words: str) -> list[dict[str, object]]:
        done = admitone("events", *words, "--data", str(sold))
        assert done.returncode == 0, done.stderr
        return facts(done.stdout)

    whole = printed()
    assert [fact["position"] for fact in whole] == list(range(1, len(whole) + 1))
    order = str(next(fact["stream"] for fact in whole if fact["type"] == "OrderPlaced"))
    of_order = [fact for fact in whole if fact["stream"] == order]
    assert [fact["type"] for fact in of_order] == ["OrderPlaced", "PaymentStarted", "OrderCompleted"]
    assert printed(order) == printed("order") == of_order
    assert printed("--after=-2") == whole[-2:]
    assert printed("--after", "3", "--limit", "2") == whole[3:5]
    request = str(of_order[0]["correlation"])
    assert [fact["type"] for fact in printed("--request", request)] == ["TicketReserved", "OrderPlaced"]


def test_the_log_is_followed_live_while_a_server_writes_it(data: Path) -> None:
    with running(data) as server:
        command = [ADMITONE, "events", "--follow", "--data", str(data)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as follower:
            assert follower.stdout is not None
            admitone("demo", "--port", str(server.port), "--data", str(data))
            seen: list[str] = []
            while "OrderCompleted" not in seen:
                seen.append(json.loads(follower.stdout.readline())["type"])
            assert "TicketSold" in seen
            follower.send_signal(2)
            assert follower.wait(20) == 0, "Ctrl-C ends it quietly"


def test_a_reader_that_has_seen_enough_ends_it_quietly(sold: Path) -> None:
    done = subprocess.run(
        f"{ADMITONE} events --data {sold} --follow | head -n 1",
        shell=True, capture_output=True, text=True, timeout=30, env=environment(), check=False,
    )  # fmt: skip
    assert len(facts(done.stdout)) == 1
    assert done.stderr == ""


def test_without_a_log_every_command_says_so(data: Path) -> None:
    for command in ("events", "doctor", "parked"):
        done = admitone(command, "--data", str(data))
        assert done.returncode == 1
        assert "there is no log" in done.stderr
        assert "serve" in done.stderr
    assert not data.exists(), "looking makes nothing"


# ── doctor ────────────────────────────────────────────────────────────────────────────────────────


def test_the_doctor_finds_nothing_after_a_sale_nor_while_it_is_served(sold: Path) -> None:
    with running(sold):
        done = admitone("doctor", "--data", str(sold))
    assert (done.returncode, "✗" in done.stdout) == (0, False), done.stdout + done.stderr
    assert "all is well" in done.stdout


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ticket SET title = 'forged' WHERE rowid = 1",
        "DELETE FROM ticket WHERE rowid = 1",
    ],
)
def test_a_read_model_that_was_altered_is_found_and_its_repair_repairs_it(sold: Path, change: str) -> None:
    model = Places(sold).read_models / "0" / "catalogue.sqlite"
    with closing(sqlite3.connect(model, isolation_level=None)) as connection:
        connection.execute(change)
    done = admitone("doctor", "--data", str(sold))
    assert done.returncode == 1
    assert "admitone rebuild catalogue" in done.stdout
    assert admitone("rebuild", "catalogue", "--yes", "--data", str(sold)).returncode == 0
    assert admitone("doctor", "--data", str(sold)).returncode == 0


def test_a_provider_that_gave_money_back_behind_our_back_is_found(sold: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(Settings(data=sold).ledger, isolation_level=None)) as connection:
        connection.execute(
            """INSERT INTO entries (kind, attempt, "order", amount, currency)
            SELECT 'refund', attempt, "order", amount, currency FROM entries"""
        )
    places = Places(sold)
    books = asyncio.run(read_books(Settings(data=sold), ModelChecks(places, tmp_path)))
    an_hour_later = datetime.now(UTC) + timedelta(hours=1)
    (found,) = ledger(Case(books, entries(Settings(data=sold).ledger), an_hour_later))
    assert "the provider keeps 0.00 USD, and the log says 49.50 USD" in found.what


# ── parked ────────────────────────────────────────────────────────────────────────────────────────


def park(data: Path, order: str) -> None:
    async def write() -> None:
        store = await EmbeddedStore.open(Places(data).log)
        desk = Desk(store, SystemClock())
        await desk.execute(parking, order, ParkPurchase("capture", "no answer", 6), Cause("c", "c", "test"))
        await store.close()

    asyncio.run(write())


def test_what_is_parked_is_listed_retried_and_skipped_with_a_reason(sold: Path) -> None:
    def told(*words: str) -> "subprocess.CompletedProcess[str]":
        return admitone("parked", "--data", str(sold), *words)

    assert told().stdout == "Nothing is set aside.\n"
    park(sold, "o1")
    assert "order o1  parked since" in told("list").stdout
    assert "capture failed 6 times: no answer" in told().stdout
    repair = f"parked retry o1 --data {sold}"
    assert repair in told().stdout
    assert repair in admitone("doctor", "--data", str(sold)).stdout
    assert admitone(*repair.split()).returncode == 0
    assert told().stdout == "Nothing is set aside.\n"
    park(sold, "o1")
    assert told("skip", "o1").returncode == 2, "a reason must be given"
    assert told("skip", "o1", "--reason", " ").returncode == 1
    assert told("skip", "o1", "--reason", "agreed with the buyer").returncode == 0
    assert told().stdout == "Nothing is set aside.\n"
    unknown = told("retry", "o2")
    assert (unknown.returncode, "order o2 is not parked" in unknown.stderr) == (1, True)
    stream = told("retry", "ticket-x")
    assert (stream.returncode, "no read model holds ticket-x back" in stream.stderr) == (1, True)


def test_a_stream_that_a_read_model_holds_back_is_listed_and_taken_up_again(sold: Path) -> None:
    model = Places(sold).read_models / "0" / "catalogue.sqlite"
    stream = facts(admitone("events", "ticket", "--limit", "1", "--data", str(sold)).stdout)[0]["stream"]
    with closing(sqlite3.connect(model, isolation_level=None)) as connection:
        connection.execute(
            """INSERT INTO held_back (stream, revision, position, tries, error, parked)
            VALUES (?, 0, 1, 6, 'IntegrityError', 1)""",
            (stream,),
        )
    listed = admitone("parked", "--data", str(sold)).stdout
    assert f"stream {stream}  held back at revision 0 by {model}: IntegrityError" in listed
    assert f"holds back {stream}" in admitone("doctor", "--data", str(sold)).stdout
    for word in (["retry", str(stream)], ["skip", str(stream), "--reason", "it is there already"]):
        assert admitone("parked", *word, "--data", str(sold)).returncode == 0
    with running(sold):
        eventually(
            lambda: admitone("parked", "--data", str(sold)).stdout == "Nothing is set aside.\n",
            "the stream is taken up again",
        )
