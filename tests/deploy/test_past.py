"""``admitone show`` and ``history``: the same answers from both stores, now and for any time before."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.parts import PAST, model_file
from deploy.places import Places
from deploy.remembered import near
from domain.decider import Proposed
from gateways.codec import Codec
from gateways.embedded import EmbeddedStore
from projections.read_model import ReadModel
from tests.deploy.logbook import EXPIRES, NOW, Logbook, bought
from tests.deploy.running import admitone
from tests.eventstoredb.cluster import Cluster
from tests.eventstoredb.record import New

Ask = Callable[..., Any]


async def into_directory(book: Logbook, data: Path) -> None:
    await asyncio.to_thread(data.mkdir)
    store = await EmbeddedStore.open(data / "log.sqlite")
    for fact in book.facts:
        await store.append(fact.stream, [Proposed(fact.id, fact.event, fact.metadata)], fact.revision - 1)
    await store.close()


def into_double(book: Logbook, double: Cluster) -> None:
    for fact in book.facts:
        encoded = Codec().encode(Proposed(fact.id, fact.event, fact.metadata))
        double.log.write(fact.stream, [New(fact.id, encoded.type, encoded.data, encoded.metadata, json=True)])


def spread() -> Logbook:
    """A sale whose facts are a minute apart from one another."""
    told = Logbook()
    for number, fact in enumerate(bought().facts):
        told.write(fact.stream, fact.event, at=NOW - timedelta(minutes=60 - number))
    return told


@pytest.fixture(params=["embedded", "eventstoredb"])
async def ask(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ask]:
    """Runs a command on a store in which one ticket was sold; gives what it printed, line by line."""
    data = tmp_path / "var"

    async def run(*words: str, store: list[str], status: int = 0) -> Any:
        done = await asyncio.to_thread(admitone, *words, *store)
        assert done.returncode == status, done.stdout + done.stderr
        if status:
            assert (done.stdout, done.stderr.count("\n")) == ("", 1), done.stderr
            return done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def on(store: list[str]) -> Ask:
        return lambda *words, status=0: run(*words, store=store, status=status)

    if request.param == "embedded":
        await into_directory(spread(), data)
        yield on(["--data", str(data)])
        return
    async with Cluster() as double:
        into_double(spread(), double)
        yield on(["--store", double.uri()])


async def test_a_ticket_is_shown_as_it_is_and_as_it_was(ask: Ask) -> None:
    (now,) = await ask("show", "ticket", "t")
    assert (now["state"], now["order"], now["seller"]) == ("Sold", "o", "seller")
    when = f"{NOW - timedelta(minutes=59):%Y-%m-%dT%H:%M:%SZ}"
    (held,) = await ask("show", "ticket", "t", "--at", when)
    assert (held["state"], held["buyer"]) == ("Reserved", "buyer")
    (first,) = await ask("show", "ticket", "t", "--at", f"{NOW - timedelta(minutes=60):%Y-%m-%dT%H:%M:%SZ}")
    assert first["state"] == "Available"
    assert await ask("show", "ticket", "t", "--at", str(held["position"])) == [held]
    (paid,) = await ask("show", "payment", "p")
    assert (paid["state"], paid["amount"]) == ("Captured", {"amount": 4950, "currency": "usd"})


async def test_the_history_of_an_order_tells_of_its_payments_and_its_ticket_too(ask: Ask) -> None:
    told = await ask("history", "o")
    assert [each["event"] for each in told] == [type(fact.event).__name__ for fact in bought().facts[1:]]
    assert told[0]["holder"] == "buyer"
    assert told[0]["lasted"] == 5 * 60
    assert told[-1]["lasted"] is None
    assert await ask("history", "order-o") == told
    assert [each["event"] for each in await ask("history", "p")] == [
        "PaymentRequested", "PaymentAuthorized", "PaymentCaptured",
    ]  # fmt: skip
    some = await ask("history", "o", "--at", str(told[2]["position"]))
    assert [each["event"] for each in some] == [each["event"] for each in told[:3]]


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (("show", "ticket", "nobody"), 1, "there is no ticket nobody"),
        (("show", "order", "t"), 1, "there is no order t"),
        (("show", "ticket", "t", "--at", "0"), 1, "there was no ticket t at 0"),
        (("history", "nobody"), 1, "nothing is called nobody"),
        (("history", "o", "--at", "1"), 1, "nothing was called o"),
        (("show", "ticket", "t", "--at", "2999-01-01T00:00:00Z"), 2, "has not come yet"),
        (("show", "ticket", "t", "--at", "2001-01-01T00:00:00Z"), 2, "nothing had been recorded"),
        (("show", "ticket", "t", "--at", "99999999999"), 2, "the log ends at position"),
        (("show", "ticket", "t", "--at", "2026-11-22T12:00:00"), 2, "a time with its zone"),
        (("show", "ticket", "t", "--at", "noon"), 2, "a time with its zone"),
    ],
)
async def test_what_is_not_there_is_said_in_one_line(
    ask: Ask, words: tuple[str, ...], status: int, says: str
) -> None:
    assert says in await ask(*words, status=status)


async def test_a_fact_behind_one_of_a_later_time_is_as_late_as_that_one(tmp_path: Path) -> None:
    """One machine's clock was ahead; what came behind its fact was not there before it."""
    early, late = NOW - timedelta(hours=2), NOW - timedelta(hours=1)
    told = Logbook()
    for number, at in enumerate((early, late, early)):
        fact = bought().facts[number]
        told.write(fact.stream, fact.event, at=at)
    await into_directory(told, tmp_path / "var")
    when = f"{NOW - timedelta(minutes=90):%Y-%m-%dT%H:%M:%SZ}"
    done = await asyncio.to_thread(
        admitone, "show", "order", "o", "--at", when, "--data", str(tmp_path / "var")
    )
    assert done.returncode == 1
    assert "there was no order o" in done.stderr
    assert early < EXPIRES


async def test_a_time_is_found_in_what_is_remembered_and_only_if_the_log_says_the_same(
    tmp_path: Path,
) -> None:
    data, book = tmp_path / "var", spread()
    await into_directory(book, data)
    slot = Places(data).read_models / "0"
    await asyncio.to_thread(slot.mkdir, parents=True)
    model = ReadModel(PAST, model_file(slot, PAST))
    model.feed(book.facts)
    model.close()
    for fact in book.facts:
        for at in (fact.metadata.at, fact.metadata.at + timedelta(seconds=59)):
            assert await near(Places(data), at) == fact.position
    assert await near(Places(data), book.facts[0].metadata.at - timedelta(seconds=1)) == 0
    with closing(sqlite3.connect(model_file(slot, PAST), isolation_level=None)) as connection:
        connection.execute("UPDATE moment SET at = at - 1")
    assert await near(Places(data), NOW) == 0
