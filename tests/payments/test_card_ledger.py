"""What the card simulator remembers, on disk and beside other processes."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from domain.money import Money
from gateways.card_file import VERSION, LedgerDamaged
from gateways.card_ledger import CardLedger, Entry, Told
from gateways.cards import Operation, UnknownAttempt
from processmanager.ports import (
    Attempt,
    IsAuthorized,
    IsCaptured,
    IsRefunded,
    IsUnknown,
    IsVoided,
    KeyReused,
    NeedsAction,
)
from tests.payments.attempts import PRICE, attempt


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cards.sqlite"


@pytest.fixture
def ledger(path: Path) -> Iterator[CardLedger]:
    opened = CardLedger(path)
    yield opened
    opened.close()


def test_a_key_has_one_answer_for_ever(ledger: CardLedger) -> None:
    first = ledger.call("authorize", attempt(), "k1")
    ledger.call("capture", attempt(), "k2")
    assert first == Told(IsAuthorized("pi_p1"), repeated=False)
    assert ledger.call("authorize", attempt(), "k1") == Told(IsAuthorized("pi_p1"), repeated=True)
    assert ledger.look("p1") == IsCaptured("pi_p1")


def test_a_second_key_for_the_same_attempt_takes_no_money_twice(ledger: CardLedger) -> None:
    ledger.call("authorize", attempt(), "k1")
    for key in ("k2", "k3"):
        assert ledger.call("capture", attempt(), key).answer == IsCaptured("pi_p1")
    for key in ("k4", "k5"):
        assert ledger.call("refund", attempt(), key).answer == IsRefunded("re_p1", "pi_p1")
    assert list(ledger.entries()) == [
        Entry(1, "capture", "p1", "o1", PRICE),
        Entry(2, "refund", "p1", "o1", PRICE),
    ]


def test_a_capture_that_came_before_the_owners_word_can_be_made_again(ledger: CardLedger) -> None:
    paying = attempt(token="tok_threeDSecure2Required")
    ledger.call("authorize", paying, "k1")
    assert isinstance(ledger.call("capture", paying, "k2").answer, NeedsAction)
    ledger.confirm("p1", ok=True)
    assert ledger.call("capture", paying, "k2").answer == IsCaptured("pi_p1")


def test_an_attempt_that_was_ended_before_it_arrived_can_never_take_money(ledger: CardLedger) -> None:
    assert ledger.call("void", attempt(), "k1").answer == IsVoided()
    assert ledger.call("authorize", attempt(), "k2").answer == IsVoided()
    assert ledger.call("capture", attempt(), "k3").answer == IsVoided()
    assert ledger.balance("o1") is None


def test_an_owner_who_confirms_what_was_ended_confirms_nothing(ledger: CardLedger) -> None:
    paying = attempt(token="tok_threeDSecure2Required")
    ledger.call("authorize", paying, "k1")
    ledger.call("void", paying, "k2")
    assert ledger.confirm("p1", ok=True) == IsVoided()


@pytest.mark.parametrize(
    ("operation", "again"),
    [
        ("capture", attempt()),
        ("authorize", attempt("p2")),
        ("authorize", attempt(token="tok_amex")),
        ("authorize", attempt(price=Money(2000, "usd"))),
        ("authorize", attempt(price=Money(1999, "eur"))),
        ("authorize", attempt(order="o2")),
    ],
)
def test_a_key_that_comes_again_with_other_facts_is_refused(
    ledger: CardLedger, operation: Operation, again: Attempt
) -> None:
    ledger.call("authorize", attempt(), "k1")
    with pytest.raises(KeyReused):
        ledger.call(operation, again, "k1")
    assert ledger.look("p1") == IsAuthorized("pi_p1")


def test_an_attempt_keeps_its_amount_whatever_the_key(ledger: CardLedger) -> None:
    ledger.call("authorize", attempt(), "k1")
    with pytest.raises(KeyReused):
        ledger.call("capture", attempt(price=Money(1, "usd")), "k2")
    assert ledger.balance("o1") is None


def test_what_was_never_seen_is_unknown_and_stays_so(ledger: CardLedger) -> None:
    assert ledger.look("p1") == IsUnknown()
    with pytest.raises(UnknownAttempt):
        ledger.call("capture", attempt(), "k1")
    with pytest.raises(UnknownAttempt):
        ledger.confirm("p1", ok=True)
    ledger.call("authorize", attempt(), "k2")
    assert ledger.call("capture", attempt(), "k1").answer == IsCaptured("pi_p1")


def test_the_balance_of_an_order_is_what_was_taken_less_what_was_given_back(ledger: CardLedger) -> None:
    for name in ("p1", "p2"):
        ledger.call("authorize", attempt(name), f"a-{name}")
        ledger.call("capture", attempt(name), f"c-{name}")
    ledger.call("refund", attempt("p1"), "r")
    assert ledger.balance("o1") == PRICE
    ledger.call("refund", attempt("p2"), "r2")
    assert ledger.balance("o1") == Money(0, "usd")
    assert ledger.balance("o2") is None


def test_the_file_itself_takes_money_once_even_if_the_rules_had_a_mistake(
    ledger: CardLedger, path: Path
) -> None:
    ledger.call("authorize", attempt(), "k1")
    ledger.call("capture", attempt(), "k2")
    with sqlite3.connect(path) as db:
        db.execute("UPDATE attempts SET state = 'authorized'")
    with pytest.raises(sqlite3.IntegrityError):
        ledger.call("capture", attempt(), "k3")


def test_only_one_process_writes_at_a_time_and_the_other_is_told_so(ledger: CardLedger, path: Path) -> None:
    other = CardLedger(path)
    assert ledger.begin()
    assert not other.begin()
    ledger.commit()
    assert other.begin()
    other.rollback()
    other.close()


def test_what_was_rolled_back_was_never_seen(ledger: CardLedger) -> None:
    ledger.begin()
    ledger.call("authorize", attempt(), "k1")
    ledger.rollback()
    assert ledger.look("p1") == IsUnknown()


def test_a_card_number_sent_in_place_of_a_token_is_kept_nowhere(ledger: CardLedger, path: Path) -> None:
    ledger.call("authorize", attempt(token="4242424242424242"), "k1")
    ledger.call("void", attempt("p2", token="5555555555554444"), "k2")
    ledger.call("authorize", attempt("p3", token="tok_visa"), "k3")
    ledger.close()
    kept = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"tok_visa" in kept
    assert b"4242" not in kept
    assert b"5555" not in kept


# ── The file ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "content",
    [b"this is no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 4080],
    ids=["text", "torn"],
)
def test_a_damaged_file_is_refused_with_one_clear_line(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(LedgerDamaged) as refusal:
        CardLedger(path)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert path.read_bytes() == content


def test_a_file_of_a_newer_version_is_refused(path: Path) -> None:
    CardLedger(path).close()
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(LedgerDamaged, match="newer version"):
        CardLedger(path)


def test_another_programs_database_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE recipes (name TEXT)")
    with pytest.raises(LedgerDamaged, match="another program"):
        CardLedger(path)


def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(LedgerDamaged, match="unable to open"):
        CardLedger(tmp_path / "missing" / "cards.sqlite")


def test_damage_in_the_middle_is_found_when_asked_for(ledger: CardLedger, path: Path) -> None:
    for number in range(200):
        ledger.call("authorize", attempt(f"p{number:03}"), f"k{number}")
    assert ledger.damage() is None
    ledger.close()
    content = bytearray(path.read_bytes())
    content[4096 * 5 : 4096 * 5 + 64] = b"\xff" * 64
    path.write_bytes(content)
    again = CardLedger(path)
    assert again.damage() is not None
    again.close()


# ── A file of the first version ───────────────────────────────────────────────────────────────────

_FIRST_VERSION = """
    CREATE TABLE attempts (
        id TEXT PRIMARY KEY, "order" TEXT NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL,
        method TEXT NOT NULL, state TEXT NOT NULL, facts TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE calls (
        key TEXT PRIMARY KEY, operation TEXT NOT NULL, attempt TEXT NOT NULL,
        state TEXT NOT NULL, facts TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE entries (
        number INTEGER PRIMARY KEY, kind TEXT NOT NULL, attempt TEXT NOT NULL,
        "order" TEXT NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL, UNIQUE (attempt, kind)
    );
    CREATE INDEX entries_of_order ON entries ("order");
    INSERT INTO attempts VALUES ('p1', 'o1', 1999, 'usd', 'tok_visa', 'captured', '{"reference":"pi_p1"}');
    INSERT INTO entries VALUES (1, 'capture', 'p1', 'o1', 1999, 'usd');
    PRAGMA user_version = 1;
"""


def test_a_ledger_of_the_first_version_is_taken_over_and_knows_parts_from_then_on(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    with sqlite3.connect(path) as old:
        old.executescript(_FIRST_VERSION)
    old.close()
    ledger = CardLedger(path)
    for key in ("k1", "k2"):
        ledger.call("refund", replace(attempt(), back=Money(500, "usd")), key)
    assert [(entry.kind, entry.amount.amount) for entry in ledger.entries()] == [
        ("capture", 1999),
        ("refund", 500),
        ("refund", 500),
    ]
    assert ledger.balance("o1") == Money(999, "usd")
    ledger.close()
