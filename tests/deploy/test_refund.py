"""``admitone refund``, as it is typed, on a shop that has sold a ticket."""

import asyncio
import json
from pathlib import Path

import pytest

from domain.money import Money
from domain.order import OrderPlaced
from domain.payment import PaymentRequested
from domain.ticket import TicketListed, TicketReserved
from tests.deploy.logbook import EXPIRES, Logbook, bought
from tests.deploy.running import admitone, running
from tests.deploy.test_past import into_directory


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory in which one ticket was sold; nobody serves it any more."""
    data = tmp_path / "var"
    with running(data) as server:
        done = admitone("demo", "--port", str(server.port), "--data", str(data))
        assert done.returncode == 0, done.stderr
    return data


def facts(data: Path) -> list[dict[str, object]]:
    done = admitone("events", "--data", str(data))
    return [json.loads(line) for line in done.stdout.splitlines()]


def sold_order(data: Path) -> str:
    [name] = [str(fact["stream"]) for fact in facts(data) if fact["type"] == "OrderCompleted"]
    return name.removeprefix("order-")


def test_a_part_and_then_the_rest_go_back_with_their_reasons_and_who_decided(data: Path) -> None:
    order = sold_order(data)
    twice = [
        admitone(
            "refund", order, "--amount", "5", "--reason", "a bad view", "--by", "olga", "--data", str(data)
        )
        for _ in range(2)
    ]
    assert [done.returncode for done in twice] == [0, 0], twice
    assert twice[0].stdout.startswith(f"A part of the money of order {order} went back; ")
    assert twice[0].stdout.endswith(" is kept.\n")
    assert twice[1].stdout == (
        "This was done before, and nothing more went back: "
        f"{twice[0].stdout.partition('; ')[2].removesuffix('.' + chr(10))} of order {order}. "
        "To give as much once more, give another --reason.\n"
    )
    done = admitone("refund", order, "--reason", "the seller withdrew", "--data", str(data))
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"The money of order {order} went back, and its ticket is on sale again.\n"
    done = admitone("refund", order, "--reason", "the seller withdrew", "--data", str(data))
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"This was done before: all the money of order {order} has gone back.\n"
    asked = [fact for fact in facts(data) if fact["type"] == "RefundRequested"]
    told = [(fact["data"]["reason"], fact["actor"]) for fact in asked]  # type: ignore[index]
    assert told == [("a bad view", "olga"), ("the seller withdrew", "operator")]
    assert admitone("doctor", "--data", str(data)).returncode == 0


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("nobody", "--reason", "why"), "admitone: There is no such order"),
        (("{order}", "--reason", " "), "admitone: A refund needs a written reason"),
        (
            ("{order}", "--reason", "why", "--amount", "soon"),
            "admitone: --amount: a price is a decimal number",
        ),
        (
            ("{order}", "--reason", "why", "--amount", "99999"),
            "admitone: A refund is more than nothing and at most what is left",
        ),
    ],
)
def test_what_cannot_be_refunded_is_said_in_one_line(data: Path, words: tuple[str, ...], line: str) -> None:
    order = sold_order(data)
    done = admitone("refund", *(word.format(order=order) for word in words), "--data", str(data))
    assert (done.returncode, done.stdout, done.stderr.strip()) == (1, "", line)


async def test_a_part_that_stripe_has_no_coin_for_is_refused_before_it_is_recorded(tmp_path: Path) -> None:
    """A dinar has a thousand fils, and Stripe moves ten at a time. Recorded, it would be tried for ever."""
    price = Money(49500, "kwd")
    book = Logbook()
    for fact in bought().facts:
        event = fact.event
        match event:
            case TicketListed():
                event = TicketListed("seller", "Front row", price)
            case TicketReserved():
                event = TicketReserved("o", "buyer", price, EXPIRES)
            case OrderPlaced():
                event = OrderPlaced("buyer", "t", "seller", "Front row", price, EXPIRES)
            case PaymentRequested():
                event = PaymentRequested("o", price, "tok_visa")
        book.write(fact.stream, event)
    data = tmp_path / "var"
    await into_directory(book, data)
    before = facts(data)
    words = ("refund", "o", "--reason", "a bad view", "--amount", "1.235", "--data", str(data))
    done = await asyncio.to_thread(admitone, *words, variables={"STRIPE_SECRET_KEY": "sk_test_of_nobody"})
    assert done.returncode == 1
    assert done.stderr == (
        "admitone: --amount: An amount of 1.235 KWD cannot be paid by card; it has one decimal too many.\n"
    )
    assert facts(data) == before
