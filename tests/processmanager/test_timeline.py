"""Histories in plain words: every event has some, what is said fits, and nobody reads what is another's."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings

from domain import order, payment
from domain.decider import AnyRecorded
from domain.deciders import DECIDERS
from domain.payment import DisputeLost, DisputeWon, PaymentDeclined, PaymentDisputed
from domain.ticket import TicketReturned, ticket
from processmanager.archive import Archive, fold, is_frozen
from processmanager.explaining import _WORDS, explain
from processmanager.moments import BadMoment, check_position, check_time, parse
from processmanager.purchase import Wait, next_step
from processmanager.timeline import span, timeline
from tests.deploy.logbook import EXPIRES, NOW, PRICE, Logbook, bought, expired, reserved
from tests.projections.histories import Choice, Marketplace, histories

HOUR_AGO = NOW - timedelta(hours=1)


class Told:
    """A logbook that is read like a store."""

    def __init__(self, book: Logbook) -> None:
        self.book = book

    async def read(self, stream: str, after: int = -1) -> Sequence[AnyRecorded]:
        return [fact for fact in self.book.facts if fact.stream == stream and fact.revision > after]


# ── Past states ───────────────────────────────────────────────────────────────────────────────────


@settings(deadline=None, max_examples=50)
@given(histories)
def test_what_an_archive_says_of_a_position_is_what_the_log_up_to_there_says(choices: list[Choice]) -> None:
    log = Marketplace().play(choices)
    market = Marketplace()
    market.play(choices)

    async def compare() -> None:
        archive = Archive(market.log)
        for until in range(0, len(log) + 1, max(1, len(log) // 5)):
            for decider in DECIDERS:
                for stream in {fact.stream for fact in log if fact.category == decider.category}:
                    facts = [fact for fact in log[:until] if fact.stream == stream]
                    then = await archive.load(decider, stream.partition("-")[2], until)
                    assert then == fold(decider, stream, facts)

    asyncio.run(compare())


@settings(deadline=None, max_examples=50)
@given(histories)
def test_every_order_of_every_history_can_be_explained_at_every_moment_as_its_next_step_is(
    choices: list[Choice],
) -> None:
    market = Marketplace()
    log = market.play(choices)

    async def look() -> None:
        archive = Archive(market.log)
        for key in market.orders:
            for until in (fact.position for fact in log):
                purchase = await archive.purchase(key, until)
                if isinstance(purchase.order, order.Unplaced):
                    continue
                now = log[until - 1].metadata.at
                step = next_step(purchase, now)
                for discreet in (True, False):
                    told = explain(purchase, now, discreet=discreet)
                    ended = isinstance(step, Wait) and step.until is None
                    frozen = isinstance(purchase.order, order.Completed) and isinstance(
                        purchase.payment, payment.Disputed
                    )
                    assert told.over == (ended and not frozen)
                    assert any("OrderPlaced" in reason for reason in told.because)
                    assert told.next.endswith(".")

    asyncio.run(look())


# ── Timelines ─────────────────────────────────────────────────────────────────────────────────────


def test_every_event_of_the_house_has_words_of_its_own() -> None:
    named = {event for decider in DECIDERS for event in decider.events}
    no_purchase = {"TicketListed", "TicketEdited", "TicketDelisted", "DeliveryReceived"}
    assert {event for event in named if event.__name__ not in no_purchase} == set(_WORDS)


@settings(deadline=None, max_examples=50)
@given(histories)
def test_no_entry_falls_back_on_the_name_of_its_event(choices: list[Choice]) -> None:
    for discreet in (True, False):
        for entry in timeline(Marketplace().play(choices), str, discreet=discreet):
            assert entry.what != entry.event
            assert entry.lasted is None or entry.lasted >= timedelta(0)


def test_a_ticket_has_its_price_and_its_holder_until_it_goes_back_on_sale() -> None:
    book = reserved().write("ticket-t", *[expired().facts[-1].event], at=EXPIRES)
    entries = timeline([fact for fact in book.facts if fact.category == "ticket"], str)
    assert [(entry.event, entry.holder, entry.price) for entry in entries] == [
        ("TicketListed", None, PRICE),
        ("TicketReserved", "buyer", PRICE),
        ("TicketReleased", None, PRICE),
    ]
    assert [entry.lasted for entry in entries] == [timedelta(0), EXPIRES - HOUR_AGO, None]
    assert entries[-1].why == "expired"


def test_a_clock_that_is_behind_never_makes_something_last_less_than_nothing() -> None:
    book = reserved().write("order-o", expired().facts[3].event, at=HOUR_AGO - timedelta(days=1))
    entries = timeline(book.facts, str)
    assert entries[2].lasted == timedelta(0)


def test_a_seller_does_not_read_what_a_bank_told_its_customer() -> None:
    book = bought().write("payment-p", PaymentDeclined("card_declined", "insufficient funds of the buyer"))
    assert "insufficient" in str(timeline(book.facts, str))
    assert "insufficient" not in str(timeline(book.facts, str, discreet=True))


def test_whoever_reads_his_own_history_is_spoken_to_in_plain_grammar() -> None:
    facts = bought().facts
    yours = {
        entry.event: entry.what for entry in timeline(facts, lambda who: "you" if who == "buyer" else who)
    }
    others = {entry.event: entry.what for entry in timeline(facts, lambda _: "buyer 2")}
    assert yours["TicketReserved"].startswith("You reserve it until ")
    assert yours["OrderPlaced"].startswith("You order “")
    assert others["TicketReserved"].startswith("Buyer 2 reserves it until ")
    assert others["OrderPlaced"].startswith("Buyer 2 orders “")
    assert yours["PaymentRequested"] == f"A payment of {PRICE} is asked for"


# ── A ticket whose payment is in question ─────────────────────────────────────────────────────────

OPENED = PaymentDisputed("dp_1", "fraudulent")


def disputed(*since: object) -> Logbook:
    return bought().write("payment-p", OPENED, *since)


async def frozen_in(book: Logbook, until: int) -> bool:
    facts = await Archive(Told(book)).of_ticket("t", until)
    own = [fact for fact in facts if fact.category == "ticket"]
    return is_frozen(fold(ticket, "ticket-t", own).state, facts)


@pytest.mark.parametrize(
    ("since", "words"),
    [
        ((), []),
        ((DisputeWon("dp_1"),), ["The bank leaves the money here; the ticket is frozen no longer"]),
        ((DisputeLost("dp_1", PRICE),), ["The bank gives 49.50 USD back to the buyer"]),
    ],
    ids=["open", "won", "lost"],
)
async def test_the_history_of_a_ticket_tells_of_the_dispute_that_freezes_it(
    since: tuple[object, ...], words: list[str]
) -> None:
    book = disputed(*since)
    said = [entry.what for entry in timeline(await Archive(Told(book)).of_ticket("t"), str)]
    assert said[-1 - len(words) :] == [
        "The buyer's bank takes the payment into question; the ticket is frozen until it has decided",
        *words,
    ]


async def test_a_ticket_is_frozen_from_the_dispute_until_the_bank_has_decided() -> None:
    for book in (disputed(DisputeWon("dp_1")), disputed(DisputeLost("dp_1", PRICE))):
        end = len(book.facts)
        assert [await frozen_in(book, until) for until in (end - 2, end - 1, end)] == [False, True, False]
    again = disputed(DisputeWon("dp_1"), PaymentDisputed("dp_2", "fraudulent"))
    assert await frozen_in(again, len(again.facts))


async def test_a_ticket_that_went_back_on_sale_is_not_frozen_by_what_a_former_buyer_disputes() -> None:
    book = bought().write("ticket-t", TicketReturned("o")).write("payment-p", OPENED)
    assert not await frozen_in(book, len(book.facts))
    assert "frozen" not in str(timeline(book.facts, str))


async def test_an_order_whose_payment_is_in_question_is_not_over() -> None:
    told = explain(await Archive(Told(disputed())).purchase("o"), NOW)
    assert "frozen" in told.state
    assert "DisputeWon" in told.next
    assert not told.over


# ── How long ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "under 1 s"),
        (0.999, "under 1 s"),
        (5.02, "5 s"),
        (59, "59 s"),
        (900, "15 min"),
        (3725, "1 h 2 min"),
        (90_000, "1 d 1 h"),
        (86_400, "1 d"),
    ],
)
def test_how_long_something_lasted_is_said_in_its_two_largest_units(seconds: float, words: str) -> None:
    assert span(timedelta(seconds=seconds)) == words


# ── Explanations ──────────────────────────────────────────────────────────────────────────────────


async def test_an_order_that_waits_says_until_when_and_what_happens_then() -> None:
    purchase = await Archive(Told(reserved())).purchase("o")
    told = explain(purchase, HOUR_AGO)
    assert told.state == "The ticket is held until 2026-11-22 19:15:00 UTC, and waits to be paid for."
    assert told.because == (
        "2026-11-22 19:00:00 UTC: the ticket was taken for this order (TicketReserved)",
        "2026-11-22 19:00:00 UTC: the order was placed (OrderPlaced)",
    )
    assert "before 2026-11-22 19:15:00 UTC" in told.next
    assert "OrderCancelled" in told.next
    assert (told.at, told.over) == (EXPIRES, False)


async def test_an_order_that_is_complete_names_the_events_that_made_it_so_and_has_nothing_to_come() -> None:
    told = explain(await Archive(Told(bought())).purchase("o"), NOW)
    assert (told.at, told.over) == (None, True)
    for event in ("PaymentStarted", "PaymentAuthorized", "TicketSold", "PaymentCaptured", "OrderCompleted"):
        assert any(f"({event})" in reason for reason in told.because)


# ── Moments ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0", 0),
        ("12", 12),
        ("2026-11-24T12:00:00Z", datetime(2026, 11, 24, 12, tzinfo=UTC)),
        ("2026-11-24t12:00:00.5z", datetime(2026, 11, 24, 12, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-11-24 12:00:00+05:45", datetime(2026, 11, 24, 6, 15, tzinfo=UTC)),
        ("2026-11-24T12:00:00 01:00", datetime(2026, 11, 24, 11, tzinfo=UTC)),
        ("2026-11-24T00:00:00-23:59", datetime(2026, 11, 24, 23, 59, tzinfo=UTC)),
        ("2026-11-24T12:00:00.123456789Z", datetime(2026, 11, 24, 12, 0, 0, 123_456, tzinfo=UTC)),
    ],
)
def test_a_moment_is_a_position_or_a_time_in_whatever_zone(text: str, wanted: object) -> None:
    assert parse(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "", "-1", "1.5", "yesterday", "2026-11-24", "2026-11-24T12:00:00", "2026-02-30T12:00:00Z", "１２",
        "2026-11-24T12:00:00+25:00", "2026-11-24T12:00:60Z", "0000-01-01T00:00:00Z", "9" * 19, "9" * 40,
        "0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:59", "2026-11-24T12:00:00Z ",
        "2026-11-24T12:00Z",
    ],
)  # fmt: skip
def test_what_is_no_moment_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(BadMoment) as refused:
        parse(text)
    assert "\n" not in str(refused.value)


def test_what_has_not_come_yet_is_no_past() -> None:
    with pytest.raises(BadMoment, match="has not come yet"):
        check_time(NOW + timedelta(microseconds=1), NOW)
    with pytest.raises(BadMoment, match="ends at position 5"):
        check_position(6, 5)
    check_time(NOW, NOW)
    check_position(5, 5)
