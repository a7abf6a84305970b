"""``admitone sql``: ten questions whose answers are known, and no way to do anything but ask."""

import json
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from domain.deciders import DECIDERS
from gateways.analysis.event_views import ENVELOPE, view_columns, view_name
from gateways.analysis.questions import QUESTIONS
from tests.analysis.asking import told
from tests.analysis.season import lay
from tests.deploy.logbook import Logbook
from tests.deploy.running import ADMITONE, environment
from tests.store.test_golden import FILES


def asked(past: Path, *words: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in told("sql", *words, "--data", str(past)).splitlines()]


def refused(past: Path, *words: str, status: int = 1) -> str:
    line = told("sql", *words, "--data", str(past), status=status)
    assert len(line.splitlines()) == 1
    return line


# ── The ten questions ─────────────────────────────────────────────────────────────────────────────


def wait(ticket: str, offered: str, taken: str | None = None, minutes: int = 0) -> dict[str, Any]:
    return {
        "ticket_id": ticket,
        "offered_at": f"2026-11-01T{offered}:00Z",
        "taken_at": taken and f"2026-11-01T{taken}:00Z",
        "waited_seconds": 60.0 * minutes if taken else None,
    }


ANSWERS: dict[str, tuple[list[str], list[dict[str, Any]]]] = {
    "holder": (
        ["--param", "ticket=t1", "--param", "at=2026-11-01T10:31:00Z"],
        [{"state": "held", "holder": "b2", "order_id": "o2", "since": "2026-11-01T10:30:00Z"}],
    ),
    "holds-per-sale": ([], [{"holds": 8, "sales": 3, "holds_per_sale": 8 / 3}]),
    "hold-to-payment": (
        [],
        [{"orders": 3, "median_seconds": 360.0, "least_seconds": 120.0, "most_seconds": 1020.0}],
    ),
    "expired-holds": (
        [],
        [
            {"currency": "usd", "price_band": "  0 to  25", "holds": 3, "expired": 2, "share": 2 / 3},
            {"currency": "usd", "price_band": " 25 to  50", "holds": 2, "expired": 1, "share": 0.5},
            {"currency": "usd", "price_band": " 50 to 100", "holds": 2, "expired": 1, "share": 0.5},
            {"currency": "usd", "price_band": "100 and more", "holds": 1, "expired": 0, "share": 0.0},
        ],
    ),
    "late-payments": (
        [],
        [
            {
                "payment_id": "p8", "order_id": "o8", "captured_at": "2026-11-02T14:26:00Z",
                "expires_at": "2026-11-02T14:15:00Z", "seconds_late": 660.0, "outcome": "refunded",
            },
            {
                "payment_id": "p9", "order_id": "o9", "captured_at": "2026-11-02T15:17:00Z",
                "expires_at": "2026-11-02T15:15:00Z", "seconds_late": 120.0, "outcome": "sold",
            },
        ],
    ),
    "refunds": (
        [],
        [
            {"reason": "the show was moved", "currency": "usd", "refunds": 1, "amount": 20000},
            {"reason": "the order is over", "currency": "usd", "refunds": 1, "amount": 3000},
        ],
    ),
    "hoarders": ([], [{"buyer": "b1", "holds": 4, "paid": 0, "minutes_for_nothing": 50.0}]),
    "price-changes": (
        [],
        [
            {"ticket_id": "t1", "listed_at": 4000, "sold_at": 5000, "currency": "usd", "changes": 1},
            {"ticket_id": "t3", "listed_at": 20000, "sold_at": 20000, "currency": "usd", "changes": 0},
            {"ticket_id": "t5", "listed_at": 3000, "sold_at": 3000, "currency": "usd", "changes": 0},
        ],
    ),
    "revenue": (
        [],
        [
            {"day": "2026-11-01", "currency": "usd", "taken": 5000, "given_back": 0, "kept": 5000},
            {"day": "2026-11-02", "currency": "usd", "taken": 26000, "given_back": 23000, "kept": 3000},
        ],
    ),
    "waits": (
        ["--as-of", "2026-11-01T10:45:00Z"],
        [
            wait("t1", "09:00", "10:10", 70), wait("t2", "09:00", "10:00", 60), wait("t3", "09:00"),
            wait("t4", "09:00"), wait("t5", "09:00"), wait("t2", "10:15", "10:40", 25),
            wait("t1", "10:25", "10:30", 5), wait("t2", "10:45"),
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("question", QUESTIONS, ids=[question.name for question in QUESTIONS])
def test_a_ready_question_has_the_answer_that_the_season_has(past: Path, question: Any) -> None:
    words, answer = ANSWERS[question.name]
    assert asked(past, "--name", question.name, *words) == answer


def test_the_ready_questions_are_the_ten_and_are_listed() -> None:
    listed = told("sql", "--list")
    assert len(QUESTIONS) == 10
    for question in QUESTIONS:
        assert f"{question.name} " in listed
        assert question.asks in listed


def test_who_held_a_ticket_follows_its_whole_life(past: Path) -> None:
    def holder(ticket: str, at: str) -> tuple[str, str | None]:
        words = ("--name", "holder", "--param", f"ticket={ticket}", "--param", f"at={at}")
        (row,) = asked(past, *words)
        return row["state"], row["holder"]

    assert holder("t1", "2026-11-01T10:26:00Z") == ("on sale", None)
    assert holder("t1", "2026-11-05T12:00:00+02:00") == ("owned", "b2")
    assert holder("t3", "2026-11-02T12:30:00Z") == ("owned", "b3")
    assert holder("t3", "2026-11-02T14:00:00Z") == ("on sale", None), "it was returned"


def test_last_months_close_says_the_same_whatever_came_after(past: Path) -> None:
    close = ("--name", "revenue", "--as-of", "2026-11-01T23:59:59Z")
    (day,) = asked(past, *close)
    assert (day["day"], day["kept"]) == ("2026-11-01", 5000)


# ── What can be asked ─────────────────────────────────────────────────────────────────────────────


def test_every_event_type_is_a_view_with_a_column_for_each_field(tmp_path: Path) -> None:
    """Held against the golden files, one of each type."""
    log = Logbook()
    for file in FILES:
        stored = msgspec.json.decode(file.read_bytes())
        (event,) = (e for d in DECIDERS for e in d.events if e.__name__ == stored["type"])
        (decider,) = (d for d in DECIDERS if event in d.events)
        log.write(f"{decider.category}-{file.stem}", msgspec.convert(stored["data"], event))
    data = lay(tmp_path / "var", log)
    events = [event for decider in DECIDERS for event in decider.events]
    counted = " UNION ALL ".join(
        f"SELECT '{view_name(e)}' AS v, count(*) AS n FROM {view_name(e)}" for e in events
    )
    assert {row["v"]: row["n"] for row in asked(data, counted)} == {
        view_name(event): sum(file.stem.startswith(f"{event.__name__}.") for file in FILES)
        for event in events
    }
    (row,) = asked(data, "SELECT * FROM ticket_reserved")
    assert list(row) == [
        *ENVELOPE, "ticket_id", "order_id", "buyer", "price_amount", "price_currency", "expires_at",
    ]  # fmt: skip
    assert (row["price_amount"], row["expires_at"]) == (1999, "2026-11-22T12:15:00Z")
    for event in events:
        some = ", ".join(view_columns(event)) or "1"
        asked(data, f"SELECT {some} FROM {view_name(event)}")


def test_a_question_of_ones_own_joins_events_and_read_models(past: Path) -> None:
    rows = asked(
        past,
        """SELECT o.status, count(*) AS orders, sum(f.price_amount) AS amount
        FROM orders.placed_order o JOIN order_placed f ON f.order_id = o.id
        WHERE o.buyer = $buyer GROUP BY ALL ORDER BY ALL""",
        "--param", "buyer=b2",
    )  # fmt: skip
    assert rows == [
        {"status": "cancelled", "orders": 1, "amount": 3000},
        {"status": "complete", "orders": 1, "amount": 5000},
    ]
    assert (
        told("sql", "SELECT 1 AS n, NULL AS nothing", "--format", "csv", "--data", str(past))
        == "n,nothing\n1,\n"
    )
    assert "│ 8 " in told(
        "sql", "SELECT count(*) FROM ticket_reserved", "--format", "table", "--data", str(past)
    )


# ── What cannot ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE x (i INTEGER)", "CREATE TEMP TABLE x AS SELECT 1", "DELETE FROM events",
        "INSERT INTO events SELECT * FROM events", "UPDATE events SET position = 0", "DROP TABLE events",
        "COPY events TO 'out.csv'", "EXPORT DATABASE 'out'", "ATTACH 'other.duckdb'", "INSTALL httpfs",
        "LOAD httpfs", "SET enable_external_access = true", "PRAGMA database_list", "BEGIN", "VACUUM",
        "CALL pragma_version()", "PREPARE q AS SELECT 1", "CREATE MACRO f(x) AS x",
    ],
)  # fmt: skip
def test_sql_that_does_anything_but_read_is_refused_in_one_line(past: Path, sql: str) -> None:
    assert "the log is only read here" in refused(past, sql)


@pytest.mark.parametrize(
    "table",
    ["read_csv('/etc/hostname')", "read_text('/etc/hostname')", "read_blob('log.sqlite')", "glob('/*')",
     "'/etc/hostname'", "read_parquet('http://127.0.0.1:9/x.parquet')", "past", "sqlite_scan('x', 'y')"],
)  # fmt: skip
def test_files_networks_and_our_own_variables_are_out_of_reach(past: Path, table: str) -> None:
    line = refused(past, f"SELECT * FROM {table}")
    assert "Permission Error" in line or "Catalog Error" in line


def test_an_explanation_writes_no_file_either(past: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    refused(past, f"EXPLAIN ANALYZE COPY (SELECT 1) TO '{out}'")
    assert not out.exists()


@pytest.mark.parametrize(
    "sql",
    [
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
        "SELECT count(*) FROM range(10000000000) a, range(10000000000) b",
        "SELECT i FROM range(1000000000000) n(i) WHERE i < 0",
    ],
    ids=["recursive", "cross", "scan"],
)
def test_sql_that_never_ends_is_ended(past: Path, sql: str) -> None:
    assert "was ended after 0.5 seconds" in refused(past, sql, "--timeout", "0.5")


def test_an_answer_that_never_ends_is_ended_too(past: Path) -> None:
    done = subprocess.run(
        [ADMITONE, "sql", "SELECT i FROM range(1000000000000) n(i)", "--timeout", "1", "--data", str(past)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=100, env=environment(),
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (
        1, "admitone: the question was ended after 1 seconds: see --timeout\n",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["SELEC 1"], 1, "syntax error"),
        (["SELECT * FROM nosuch"], 1, "Table with name nosuch does not exist"),
        (["SELECT 1; SELECT 2"], 1, "one statement at a time"),
        ([""], 1, "one statement at a time"),
        (["SELECT $x"], 1, "Values were not provided for the following parameters: x"),
        (["SELECT 1", "--param", "x"], 2, "--param must be name=value"),
        ([], 2, "ask one question"),
        (["SELECT 1", "--name", "holds-per-sale"], 2, "ask one question"),
        (["--name", "nosuch"], 2, "there is no question 'nosuch'"),
        (["--name", "holder", "--param", "ticket=t1"], 2, "needs --param at=… (a time with its zone)"),
        (["SELECT 1", "--as-of", "2999-01-01T00:00:00Z"], 2, "has not come yet"),
        (["SELECT 1", "--as-of", "2020-01-01T00:00:00Z"], 2, "nothing had been recorded"),
        (["SELECT 1", "--as-of", "999999"], 2, "the log ends at position"),
    ],
)
def test_a_bad_question_is_one_clear_line(past: Path, words: list[str], status: int, said: str) -> None:
    assert said in refused(past, *words, status=status)
