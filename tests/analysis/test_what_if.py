"""What if: the recorded past under another policy, and under its own."""

import json
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from domain.decider import AnyRecorded
from domain.money import Money
from domain.order import OrderCompleted
from domain.ticket import TicketReserved
from gateways.spill import Spill
from processmanager.what_if import TOO_DEAR, TOO_MANY, Change, Told, WhatIf
from tests.analysis.asking import told
from tests.analysis.season import Season, clock, lay, season, usd
from tests.deploy.logbook import EXPIRES, bought
from tests.projections.histories import Choice, Marketplace, histories


def replayed(facts: Iterable[AnyRecorded], change: Change) -> tuple[WhatIf, list[Told]]:
    """With as little in memory as can be, so that nothing relies on it."""
    replay = WhatIf(change, lambda: Spill(1))
    return replay, [each for fact in facts for each in replay.take(fact)]


def sold(told: Iterable[Told]) -> set[str]:
    return {each.stream for each in told if isinstance(each.event, OrderCompleted)}


def asked(past: Path, *words: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(told("what-if", *words, "--data", str(past)))
    return answer


# ── The policy as it was ──────────────────────────────────────────────────────────────────────────


@given(histories)
@settings(max_examples=200, deadline=None)
def test_the_policy_as_it_was_gives_exactly_what_was_recorded(choices: list[Choice]) -> None:
    facts = Marketplace().play(choices)
    _, again = replayed(facts, Change())
    assert again == [Told(fact.stream, fact.event) for fact in facts]


def test_the_season_under_its_own_policy_is_the_season(past: Path) -> None:
    _, again = replayed(season().facts, Change())
    assert again == [Told(fact.stream, fact.event) for fact in season().facts]
    _, spelt_out = replayed(season().facts, Change(hold=timedelta(minutes=15)))
    assert spelt_out == again, "fifteen minutes is what it was"
    answer = asked(past)
    assert answer["recorded"] == answer["otherwise"]
    assert (answer["sales won"], answer["sales lost"], answer["refused"]) == (0, 0, {})
    assert answer["recorded"] == {
        "tickets listed": 5,
        "holds": 8,
        "holds that expired unpaid": 4,
        "sales": 3,
        "minutes held for nothing": 15 + 15 + 5 + 15 + 24,
        "revenue in minor units of usd": 5000 + 20000 + 3000,
    }


def test_a_log_that_its_own_policy_does_not_explain_is_not_reckoned_with(tmp_path: Path) -> None:
    wrong = bought().with_event(1, TicketReserved("o", "buyer", usd(1), EXPIRES))
    line = told("what-if", "--hold", "60", "--data", str(lay(tmp_path / "var", wrong)), status=1)
    assert "does not give the recorded history: it differs at position 2" in line


# ── Another length of the hold ────────────────────────────────────────────────────────────────────


def test_with_a_shorter_hold_who_paid_too_late_loses_and_less_is_held_for_nothing(past: Path) -> None:
    """Ten minutes: o9 began to pay in the fourteenth, o8 too; o2 and o6 were quicker."""
    answer = asked(past, "--hold", "600")
    assert (answer["sales won"], answer["sales lost"]) == (0, 1)
    assert answer["otherwise"]["sales"] == 2
    assert answer["otherwise"]["minutes held for nothing"] == 10 + 10 + 5 + 10 + 10 + 10
    assert answer["otherwise"]["holds that expired unpaid"] == 5


def test_with_a_longer_hold_a_late_payment_is_in_time_and_a_quick_successor_comes_in_vain(past: Path) -> None:
    """Half an hour: the money of o8 comes after 26 minutes; o1 still holds t1 when o2 asks for it."""
    answer = asked(past, "--hold", "1800")
    _, again = replayed(season().facts, Change(hold=timedelta(minutes=30)))
    assert sold(again) == {"order-o6", "order-o8", "order-o9"}
    assert (answer["sales won"], answer["sales lost"]) == (1, 1)
    assert answer["refused"] == {"ticket_reserved": 1}
    names = [type(each.event).__name__ for each in again if each.stream in {"order-o8", "payment-p8"}]
    assert names == ["OrderPlaced", "PaymentStarted", "PaymentRequested", "PaymentCaptured", "OrderCompleted"]
    assert answer["otherwise"]["minutes held for nothing"] == 30 + 30 + 5 + 30


# ── Holds per buyer, and a cap on prices ──────────────────────────────────────────────────────────


def test_a_buyer_holds_no_more_at_once_than_he_may(past: Path) -> None:
    answer = asked(past, "--holds-per-buyer", "1")
    assert answer["refused"] == {TOO_MANY: 1}, "b1 held t2 when he took t1"
    assert (answer["otherwise"]["holds"], answer["otherwise"]["sales"]) == (7, 3)
    assert answer["otherwise"]["minutes held for nothing"] == 15 + 5 + 15 + 24
    none = asked(past, "--holds-per-buyer", "0")
    assert (none["otherwise"]["holds"], none["sales lost"], none["refused"]) == (0, 3, {TOO_MANY: 8})


def test_above_the_cap_nothing_is_listed_nor_made_dearer(past: Path) -> None:
    answer = asked(past, "--price-cap", "40")
    assert answer["refused"] == {TOO_DEAR: 2, "ticket_unknown": 1}, "t3, the edit of t1; nobody can hold t3"
    assert answer["otherwise"]["tickets listed"] == 4
    assert answer["otherwise"]["revenue in minor units of usd"] == 4000 + 3000, "t1 goes at its first price"
    assert (answer["sales won"], answer["sales lost"]) == (0, 1)


def test_a_sale_at_another_price_keeps_to_that_price_everywhere() -> None:
    replay, again = replayed(season().facts, Change(too_dear=lambda price: price.amount > 4000))
    of_order = [each.event for each in again if "o2" in (each.stream[6:], getattr(each.event, "order", ""))]
    prices = {event.price for event in of_order if hasattr(event, "price")}
    assert prices == {usd(4000)}
    assert "order-o2" in sold(again)
    assert replay.tally.revenue == {"usd": 4000 + 3000}


# ── Any change at all ─────────────────────────────────────────────────────────────────────────────


@given(histories)
@settings(max_examples=150, deadline=None)
def test_under_any_policy_each_ticket_has_one_owner_and_every_decision_is_legal(
    choices: list[Choice],
) -> None:
    facts = Marketplace().play(choices)
    for change in (
        Change(hold=timedelta(seconds=3)), Change(hold=timedelta(hours=3)), Change(holds_per_buyer=1),
        Change(too_dear=lambda price: price.amount > 400),
    ):  # fmt: skip
        replay, again = replayed(facts, change)
        owners: dict[str, list[str]] = {}
        for each in again:
            name, event = type(each.event).__name__, each.event
            if name == "TicketSold":
                owners.setdefault(each.stream, []).append(event.order)
            if name == "TicketReturned":
                assert owners[each.stream].pop() == event.order
            assert len(owners.get(each.stream, [])) <= 1
        assert replay.tally.wasted >= timedelta()
        assert len(sold(again)) == replay.tally.sales <= replay.tally.holds


def test_a_hold_that_is_cut_short_frees_the_ticket_at_that_moment() -> None:
    log = Season()
    log.write("ticket-t", season().facts[0].event, at=clock("9:00"))
    log.hold("o1", "t", "b1", Money(4000, "usd"), clock("10:00"))
    log.give_back("o1", "t", clock("10:15"))
    log.hold("o2", "t", "b2", Money(4000, "usd"), clock("10:20"))
    _, again = replayed(log.facts, Change(hold=timedelta(minutes=5)))
    assert [(each.stream, type(each.event).__name__) for each in again][3:6] == [
        ("order-o1", "OrderCancelled"), ("ticket-t", "TicketReleased"), ("ticket-t", "TicketReserved"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--price-cap", "much"], 2, "--price-cap: a price is a decimal number"),
        (["--price-cap", "0"], 2, "more than nothing"),
        (["--price-cap", "1.234"], 2, "at most 2 decimals"),
        (["--until", "999999"], 2, "the log ends at position"),
        (["--until", "2999-01-01T00:00:00Z"], 2, "has not come yet"),
    ],
)
def test_a_policy_that_makes_no_sense_is_one_clear_line(
    past: Path, words: list[str], status: int, said: str
) -> None:
    assert said in told("what-if", *words, "--data", str(past), status=status)


def test_nothing_of_the_past_is_touched(past: Path) -> None:
    before = {path: path.read_bytes() for path in past.iterdir()}
    asked(past, "--hold", "60", "--holds-per-buyer", "1", "--price-cap", "10")
    assert {path: path.read_bytes() for path in past.iterdir()} == before
