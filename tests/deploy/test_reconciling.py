"""Reconciliation: each kind of difference between the provider's books and the log is found, and named."""

from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from deploy.reconciled import LastReport, Report, read_report, write_report
from deploy.reconciling import Reconciliation, Regular, read_log
from domain.decider import AnyRecorded, Unreadable
from domain.money import Money
from domain.order import OrderCompleted, PaymentFailed, PaymentStarted
from domain.parking import PurchaseParked, PurchaseSkipped
from domain.payment import (
    DisputeLost,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDisputed,
    PaymentRefunded,
    PaymentRequested,
    PaymentVoided,
    RefundPending,
    RefundRequested,
)
from domain.ticket import TicketReturned, TicketSold
from projections.differences import Difference
from projections.provider_books import BooksUnavailable, GivenBack, Held, Line, Questioned
from projections.read_model import ReadModel
from projections.reconciliation import RECONCILIATION
from tests.deploy.logbook import EXPIRES, NOW, PRICE, Logbook, bought, expired, reserved

EARLIER = NOW - timedelta(hours=1)
TAKEN = Held("ref", "p", "o", PRICE, "taken", PRICE, EARLIER)
OPEN = Held("ref", "p", "o", PRICE, "authorized", None, EARLIER)
OVER = Held("ref", "p", "o", PRICE, "over", None, EARLIER)


class Books:
    """A provider whose books have these lines, on pages of two."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._lines = lines

    async def pages(
        self, since: datetime | None, until: datetime, most: int
    ) -> AsyncIterator[Sequence[Line]]:
        for first in range(0, len(self._lines), 2):
            yield self._lines[first : first + 2]

    async def find(self, reference: str) -> Held | None:
        raise NotImplementedError

    async def close(self) -> None:
        pass


async def reconciled(
    book: Logbook, lines: Sequence[Line], folder: Path, *, since: datetime | None = None
) -> Report:
    async def pages() -> AsyncIterator[Sequence[AnyRecorded]]:
        yield book.facts

    with closing(Reconciliation(NOW, since)) as reconciliation:
        await reconciliation.take_books(Books(lines), 9, lambda *_: None)
        await read_log(pages(), folder / "rows.sqlite", lambda *_: None)
        found = list(reconciliation.differences(folder / "rows.sqlite"))
        report = reconciliation.report()
        assert report.differences == tuple(found)
        return report


def paying() -> Logbook:
    """The money is set aside, and the ticket not sold yet."""
    return (
        reserved()
        .write("order-o", PaymentStarted("p", "tok_visa", EXPIRES))
        .write("payment-p", PaymentRequested("o", PRICE, "tok_visa"), PaymentAuthorized("ref"))
    )


def given_up() -> Logbook:
    return paying().write("payment-p", PaymentVoided("late")).write("order-o", PaymentFailed("p", "late"))


def refunded() -> Logbook:
    return bought().write(
        "payment-p", RefundRequested("the show is off"), PaymentRefunded("re", PRICE)
    ).write("ticket-t", TicketReturned("o"))  # fmt: skip


SECOND = Held("ref2", "p2", "o", PRICE, "taken", PRICE, EARLIER)
"""Another attempt for the same order."""
GIVEN = GivenBack("re", "ref", PRICE, "done", EARLIER)
HALF = GivenBack("re", "ref", Money(2475, "usd"), "done", EARLIER)


@pytest.mark.parametrize(
    ("book", "lines"),
    [
        (bought(), [TAKEN]),
        (refunded(), [TAKEN, GIVEN]),
        (expired(), []),
        (given_up(), [OVER]),
        (bought().write(
            "payment-p", RefundRequested("part", HALF.amount), PaymentRefunded("re", HALF.amount)
        ), [TAKEN, HALF]),
        (bought().write("payment-p", RefundRequested("off"), RefundPending("re")),
         [TAKEN, GivenBack("re", "ref", PRICE, "pending", EARLIER)]),
        (bought().write("payment-p", PaymentDisputed("dp", "fraud")),
         [TAKEN, Questioned("dp", "ref", "open", EARLIER)]),
        (bought().write("payment-p", PaymentDisputed("dp", "fraud"), DisputeLost("dp", PRICE))
         .write("ticket-t", TicketReturned("o")), [TAKEN, Questioned("dp", "ref", "lost", EARLIER)]),
        (bought(), [TAKEN, Held("pi_else", "", "", PRICE, "taken", PRICE, EARLIER)]),
        (bought(), [TAKEN, structs.replace(SECOND, standing="over", taken=None)]),
    ],
    ids=["bought", "refunded", "expired", "voided", "a part refunded", "being refunded", "disputed",
         "charged back", "money that is not ours", "an ended attempt that we never knew"],
)  # fmt: skip
async def test_nothing_is_said_where_all_agrees(book: Logbook, lines: list[Line], tmp_path: Path) -> None:
    report = await reconciled(book, lines, tmp_path)
    assert report.differences == ()
    assert report.well


MISMATCHES: dict[str, tuple[Logbook, list[Line], str, str, str, str]] = {
    "captured twice by an attempt that is in no stream": (
        bought(), [TAKEN, SECOND],
        "captured twice", "payment-p2", "", "admitone settle ref2 --give-back"),
    "captured twice by a retry under a fresh key": (
        bought(), [TAKEN, structs.replace(SECOND, payment="p")],
        "captured twice", "payment-p", "PaymentCaptured", "admitone settle ref2 --give-back"),
    "captured twice in the log": (
        bought().write("payment-p2", PaymentRequested("o", PRICE, "tok"), PaymentCaptured("ref2")),
        [TAKEN, SECOND],
        "captured twice", "payment-p2", "PaymentCaptured", "admitone settle p2 --give-back"),
    "captured and not sold": (
        paying(), [TAKEN],
        "captured, not sold", "payment-p", "PaymentAuthorized", "admitone settle p"),
    "captured after it was given up": (
        given_up(), [TAKEN],
        "captured, not sold", "payment-p", "PaymentVoided", "admitone settle ref --give-back"),
    "captured, not sold, in the log": (
        paying().write("payment-p", PaymentCaptured("ref")), [TAKEN],
        "captured, not sold", "payment-p", "PaymentCaptured", "admitone serve"),
    "sold and captured, and not heard of": (
        bought().without(PaymentCaptured).without(OrderCompleted), [TAKEN],
        "not heard of", "payment-p", "PaymentAuthorized", "admitone settle p"),
    "sold and not captured": (
        bought(), [OPEN],
        "sold, not captured", "payment-p", "PaymentCaptured", "admitone settle p"),
    "sold and ended without money": (
        bought(), [OVER],
        "sold, not captured", "payment-p", "PaymentCaptured", "admitone history o"),
    "refunded at the provider only": (
        bought(), [TAKEN, GIVEN],
        "refunded at the provider only", "payment-p", "PaymentCaptured", "admitone settle p"),
    "refunded in the log only": (
        refunded(), [TAKEN],
        "refunded in the log only", "payment-p", "PaymentRefunded", "admitone settle p"),
    "refunded in the log, and failed at the provider": (
        refunded(), [TAKEN, GivenBack("re", "ref", PRICE, "failed", EARLIER)],
        "refunded in the log only", "payment-p", "PaymentRefunded", "admitone settle p"),
    "another amount": (
        bought(), [Held("ref", "p", "o", Money(4949, "usd"), "taken", Money(4949, "usd"), EARLIER)],
        "amounts differ", "payment-p", "PaymentCaptured", "admitone history o"),
    "another currency": (
        bought(), [Held("ref", "p", "o", Money(4950, "eur"), "taken", Money(4950, "eur"), EARLIER)],
        "amounts differ", "payment-p", "PaymentCaptured", "admitone history o"),
    "taken in part": (
        bought(), [Held("ref", "p", "o", PRICE, "taken", Money(1, "usd"), EARLIER)],
        "amounts differ", "payment-p", "PaymentCaptured", "admitone history o"),
    "a refund of another amount": (
        refunded(), [TAKEN, HALF],
        "amounts differ", "payment-p", "PaymentRefunded", "admitone show payment p"),
    "set aside for an order that is over": (
        given_up(), [OPEN],
        "left open", "payment-p", "PaymentVoided", "admitone settle ref --give-back"),
    "an intent of ours in no stream": (
        expired(), [OPEN],
        "in no stream", "payment-p", "", "admitone settle ref --give-back"),
    "a payment that the provider does not know": (
        bought(), [],
        "unknown to the provider", "payment-p", "PaymentCaptured", "admitone history o"),
    "a dispute that the log does not know": (
        bought(), [TAKEN, Questioned("dp", "ref", "open", EARLIER)],
        "dispute not heard of", "payment-p", "PaymentCaptured", "admitone settle p"),
    "a dispute that was lost meanwhile": (
        bought().write("payment-p", PaymentDisputed("dp", "fraud")),
        [TAKEN, Questioned("dp", "ref", "lost", EARLIER)],
        "dispute not heard of", "payment-p", "PaymentDisputed", "admitone settle p"),
    "a dispute that the provider does not know": (
        bought().write("payment-p", PaymentDisputed("dp", "fraud")), [TAKEN],
        "dispute unknown to the provider", "payment-p", "PaymentDisputed", "admitone show payment p"),
    "ended at the provider, and the order waits for it": (
        paying(), [OVER],
        "not heard of", "payment-p", "PaymentAuthorized", "admitone settle p"),
    "a payment for no order": (
        Logbook().write("payment-p", PaymentRequested("o", PRICE, "tok"), PaymentCaptured("ref")), [TAKEN],
        "no order", "payment-p", "PaymentCaptured", "admitone settle p --give-back"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISMATCHES)
async def test_a_mismatch_names_its_stream_its_last_fact_and_what_mends_it(case: str, tmp_path: Path) -> None:
    book, lines, kind, stream, event, repair = MISMATCHES[case]
    (found,) = (await reconciled(book, lines, tmp_path)).differences
    assert (found.kind, found.stream, found.event, found.repair) == (kind, stream, event, repair)
    last = [fact for fact in book.facts if fact.stream == stream]
    assert found.position == (last[-1].position if last else 0)


async def test_a_ticket_that_nobody_was_charged_for(tmp_path: Path) -> None:
    book = bought().without(PaymentCaptured).without(PaymentAuthorized).without(PaymentRequested)
    (found,) = (await reconciled(book, [], tmp_path)).differences
    assert (found.kind, found.stream, found.event) == ("sold, not captured", "ticket-t", "TicketSold")


@pytest.mark.parametrize("young", ["log", "provider"])
async def test_what_is_under_way_is_left_alone(young: str, tmp_path: Path) -> None:
    now = NOW - timedelta(seconds=30)
    book = paying().write("ticket-t", TicketSold("o"), at=now if young == "log" else EARLIER)
    taken = structs.replace(TAKEN, made=now if young == "provider" else EARLIER)
    lines: list[Line] = [taken, GivenBack("re", "ref", PRICE, "done", now)]
    told = await reconciled(book, lines, tmp_path)
    assert {found.kind for found in told.differences} <= {"sold, not captured"}
    assert [found.stream for found in told.differences if young == "log"] == []


@pytest.mark.parametrize("word", [PurchaseParked("capture", "no answer", 5), PurchaseSkipped("op", "agreed")])
async def test_what_an_operator_minds_is_not_said_again(word: Any, tmp_path: Path) -> None:
    assert (await reconciled(paying().write("parking-o", word), [TAKEN], tmp_path)).well


async def test_what_began_before_the_books_were_read_is_not_missed(tmp_path: Path) -> None:
    late = await reconciled(bought(), [], tmp_path, since=NOW - timedelta(minutes=30))
    assert late.well


async def test_a_stream_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    book = bought().with_event(4, Unreadable("PaymentRequested", b"?", "it was altered"))
    report = await reconciled(book, [], tmp_path)
    assert report.unread == ("payment-p",)
    assert not report.well


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    difference = Difference("left open", "payment-p", "PaymentAuthorized", 7, "what", "admitone serve")
    report = Report(NOW, None, 1, 2, 1, (difference,), ("ticket-t",), "")
    write_report(tmp_path / "report", report)
    assert read_report(tmp_path / "report") == report
    (tmp_path / "report").write_text("{")
    assert read_report(tmp_path / "report") is None


# ── Every now and then ────────────────────────────────────────────────────────────────────────────


class Shut(Books):
    """A provider that goes away after its first page."""

    async def pages(
        self, since: datetime | None, until: datetime, most: int
    ) -> AsyncIterator[Sequence[Line]]:
        yield ()
        raise BooksUnavailable("Stripe could not be reached")


async def regularly(book: Logbook, books: Books, folder: Path) -> Report:
    with closing(ReadModel(RECONCILIATION, folder / "rows.sqlite")) as model:
        model.feed(book.facts)
        head = book.facts[-1].position
        place, every = folder / "report.json", timedelta(minutes=15)
        regular = Regular(lambda: books, model, lambda: head, lambda: NOW, every, place)
        report = await regular.once()
        assert read_report(place) == report
    return report


async def test_a_server_reconciles_from_its_rows_and_its_health_tells(tmp_path: Path) -> None:
    note = LastReport(tmp_path / "report.json")
    assert note.check() is None
    assert (await regularly(bought(), Books([TAKEN]), tmp_path)).well
    assert note.check() is None
    (tmp_path / "rows.sqlite").unlink()
    report = await regularly(bought(), Books([TAKEN, GIVEN]), tmp_path)
    assert [found.kind for found in report.differences] == ["refunded at the provider only"]
    assert note.check() == "1 payments, 2 lines of the provider: 1 differ; see admitone reconcile --last"


async def test_what_the_log_says_by_itself_is_told_while_the_provider_is_away(tmp_path: Path) -> None:
    report = await regularly(paying().write("payment-p", PaymentCaptured("ref")), Shut([]), tmp_path)
    assert [found.kind for found in report.differences] == ["captured, not sold"]
    assert "could not be read: Stripe could not be reached" in report.said()
