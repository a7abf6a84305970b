"""The card simulator behind the Payments port: slow banks, lost answers, full disks, other processes."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateways import cards, payments
from gateways.card_ledger import CardLedger
from gateways.cards import UnknownAttempt
from gateways.payments import CardSimulator
from processmanager.ports import (
    Answer,
    IsAuthorized,
    IsCaptured,
    IsDeclined,
    IsRefunded,
    IsUnknown,
    IsVoided,
    KeyReused,
    NeedsAction,
    Payments,
    PaymentsUnavailable,
)
from tests.payments.attempts import PRICE, attempt


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cards.sqlite"


@pytest.fixture
async def bank(path: Path) -> AsyncIterator[CardSimulator]:
    opened = CardSimulator.open(path)
    yield opened
    await opened.close()


async def test_money_is_set_aside_taken_and_given_back(bank: CardSimulator) -> None:
    provider: Payments = bank
    paying = attempt()
    assert await provider.authorize(paying, "k1") == IsAuthorized("pi_p1")
    assert bank.balance("o1") is None
    assert await provider.capture(paying, "k2") == IsCaptured("pi_p1")
    assert bank.balance("o1") == PRICE
    assert await provider.refund(paying, "k3") == IsRefunded("re_p1", "pi_p1")
    assert await provider.look(paying) == IsRefunded("re_p1", "pi_p1")
    assert [entry.kind for entry in bank.entries()] == ["capture", "refund"]


async def test_a_declined_card_takes_no_money(bank: CardSimulator) -> None:
    answer = await bank.authorize(attempt(token="tok_chargeDeclined"), "k1")
    assert answer == IsDeclined("generic_decline", "Your card was declined.")
    assert list(bank.entries()) == []


async def test_the_owner_confirms_at_the_bank_and_a_look_shows_it(bank: CardSimulator) -> None:
    paying = attempt(token="tok_threeDSecure2Required")
    asked = await bank.authorize(paying, "k1")
    assert isinstance(asked, NeedsAction)
    assert await bank.look(paying) == asked
    assert await bank.confirm("p1", ok=True) == IsAuthorized(asked.reference)
    assert await bank.look(paying) == IsAuthorized(asked.reference)


async def test_an_owner_who_fails_to_confirm_is_declined(bank: CardSimulator) -> None:
    paying = attempt(token="tok_threeDSecure2Required")
    await bank.authorize(paying, "k1")
    await bank.confirm("p1", ok=False)
    answer = await bank.look(paying)
    assert isinstance(answer, IsDeclined)
    assert answer.code == "payment_intent_authentication_failure"


async def test_a_lost_answer_is_found_again_by_a_repeat_and_by_a_look(bank: CardSimulator) -> None:
    paying = attempt(token="tok_lostAnswer")
    with pytest.raises(PaymentsUnavailable, match="lost"):
        await bank.authorize(paying, "k1")
    assert await bank.look(paying) == IsAuthorized("pi_p1")
    assert await bank.authorize(paying, "k1") == IsAuthorized("pi_p1")


async def test_what_the_provider_never_saw_is_unknown(bank: CardSimulator) -> None:
    assert await bank.look(attempt()) == IsUnknown()
    with pytest.raises(UnknownAttempt):
        await bank.capture(attempt(), "k1")


async def test_a_reused_key_is_a_fault_that_spoils_no_other_call(
    bank: CardSimulator, caplog: pytest.LogCaptureFixture
) -> None:
    await bank.authorize(attempt(), "k1")
    refused, fine = await asyncio.gather(
        bank.authorize(attempt("p2"), "k1"), bank.authorize(attempt("p3"), "k3"), return_exceptions=True
    )
    assert isinstance(refused, KeyReused)
    assert fine == IsAuthorized("pi_p3")
    assert "k1" in caplog.text


# ── A slow bank ───────────────────────────────────────────────────────────────────────────────────


async def test_a_slow_bank_takes_three_seconds_and_answers_repeats_with_the_same() -> None:
    # In memory nothing is shared, so both connections are one.
    ledger = CardLedger(":memory:")
    bank = CardSimulator(ledger, ledger)
    paying = attempt(token="tok_slow")

    async def ask() -> float:
        assert await bank.authorize(paying, "k1") == IsAuthorized("pi_p1")
        return time.monotonic()

    begun = time.monotonic()
    first = asyncio.create_task(ask())
    await asyncio.sleep(1)
    repeated = await ask()
    assert 2.9 < await first - begun < 6
    # The repeat joined the wait: one of its own would have ended a second later.
    assert repeated - await first < 0.8
    assert await asyncio.wait_for(bank.authorize(paying, "k1"), 0.5) == IsAuthorized("pi_p1")
    await bank.close()


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> str:
    """A card whose bank thinks for a fifth of a second."""
    monkeypatch.setitem(cards.CARDS, "tok_slowish", cards.Card(seconds=0.2))
    return "tok_slowish"


async def test_a_bank_goes_on_when_the_caller_hangs_up(bank: CardSimulator, slow: str) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(bank.authorize(attempt(token=slow), "k1"), 0.05)
    assert await bank.look(attempt(token=slow)) == IsUnknown()
    assert await until_known(bank) == IsAuthorized("pi_p1")


async def test_an_attempt_that_is_ended_while_the_bank_thinks_is_never_authorised(
    bank: CardSimulator, slow: str
) -> None:
    thinking = asyncio.create_task(bank.authorize(attempt(token=slow), "k1"))
    await asyncio.sleep(0.05)
    assert await bank.void(attempt(token=slow), "k2") == IsVoided()
    assert await thinking == IsVoided()
    assert await bank.capture(attempt(token=slow), "k3") == IsVoided()


async def until_known(bank: CardSimulator) -> Answer:
    deadline = time.monotonic() + 3
    while isinstance(answer := await bank.look(attempt()), IsUnknown):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    return answer


# ── Trouble ───────────────────────────────────────────────────────────────────────────────────────


async def test_a_call_waits_for_another_process_that_is_writing_without_holding_up_the_loop(
    bank: CardSimulator, path: Path
) -> None:
    other = CardLedger(path)
    assert other.begin()
    asked = asyncio.create_task(bank.authorize(attempt(), "k1"))
    turns = 0
    until = time.monotonic() + 0.2
    while time.monotonic() < until:
        await asyncio.sleep(0)
        turns += 1
    assert not asked.done()
    assert turns > 100
    other.rollback()
    assert await asked == IsAuthorized("pi_p1")
    other.close()


async def test_every_call_ends_within_its_deadline_and_can_be_repeated(
    bank: CardSimulator, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payments, "DEADLINE", 0.2)
    other = CardLedger(path)
    assert other.begin()
    with pytest.raises(PaymentsUnavailable):
        await bank.authorize(attempt(), "k1")
    other.rollback()
    monkeypatch.undo()
    assert await bank.authorize(attempt(), "k1") == IsAuthorized("pi_p1")
    other.close()


async def test_a_full_disk_is_unavailability_and_heals(bank: CardSimulator) -> None:
    db: sqlite3.Connection = bank._writer._db
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages}")
    answered: list[int] = []
    refused: list[int] = []
    for number in range(60):
        try:
            await bank.authorize(attempt(f"p{number}", order="o" * 500), f"k{number}")
            answered.append(number)
        except PaymentsUnavailable:
            refused.append(number)
    assert refused
    db.execute("PRAGMA max_page_count = 100000")
    for number in answered + refused:
        assert await bank.authorize(attempt(f"p{number}", order="o" * 500), f"k{number}") == IsAuthorized(
            f"pi_p{number}"
        )


async def test_closing_finishes_what_was_begun_and_refuses_what_comes_later(path: Path) -> None:
    bank = CardSimulator.open(path)
    begun = [asyncio.create_task(bank.authorize(attempt(f"p{n}"), f"k{n}")) for n in range(100)]
    await asyncio.sleep(0)
    await bank.close()
    assert all(isinstance(answer, IsAuthorized) for answer in await asyncio.gather(*begun))
    with pytest.raises(PaymentsUnavailable, match="closed"):
        await bank.authorize(attempt("late"), "late")
    again = CardSimulator.open(path)
    assert await again.look(attempt("p99")) == IsAuthorized("pi_p99")
    await again.close()


async def test_calls_that_come_together_are_made_durable_together(bank: CardSimulator) -> None:
    commits: list[str] = []
    bank._writer._db.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
    await asyncio.gather(*(bank.authorize(attempt(f"p{n}"), f"k{n}") for n in range(50)))
    assert len(commits) < 10
