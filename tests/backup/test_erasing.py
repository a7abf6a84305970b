"""``admitone erase``: people leave, and nothing of them stays but what they bought."""

import asyncio
import os
import sqlite3
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from gateways.erasure import LOOK, Erasures, erase, find
from gateways.identity import Accounts, BadCredentials
from gateways.sessions import Sessions
from tests.analysis.asking import told
from tests.backup.people import Canary, found
from tests.deploy.running import Running, admitone, eventually, running

VARIABLE = "ADMITONE_TEST_CANARIES"
CANARIES = int(os.environ.get(VARIABLE, "12"))
"""How many people are erased; 1,000 for the whole of it, which takes some minutes."""


NO_TLS = ssl.create_default_context()
"""Made once: each costs tens of milliseconds."""


class Person:
    """A browser of somebody who has signed up."""

    def __init__(self, server: Running, canary: Canary) -> None:
        self.client = httpx.Client(base_url=server.url, timeout=30, verify=NO_TLS)
        self.canary = canary
        self._who = {"email": canary.email, "password": canary.password}
        self.id = self.does("users/signup", **self._who)

    def does(self, what: str, **how: object) -> str:
        """Ask for something to be made; gives its id."""
        answer = self.client.post(f"/api/{what}", json=how)
        answer.raise_for_status()
        return str(answer.json()["id"])

    def lists(self) -> str:
        return self.does("tickets", title="Evening", price=20)

    def buys(self, ticket: str) -> None:
        self.does("payments", orderId=self.does("orders", ticketId=ticket), token="tok_visa")

    def may_sign_in(self) -> bool:
        return self.client.post("/api/users/signin", json=self._who).is_success

    def is_known(self) -> bool:
        return self.client.get("/api/users/currentuser").json()["currentUser"] is not None


@pytest.mark.timeout(max(120, 2 * CANARIES))
def test_nothing_of_an_erased_person_is_left_anywhere_while_the_shop_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)  # commands refuse what is no setting
    data = tmp_path / "var"
    canaries = [Canary(number) for number in range(CANARIES)]
    with running(data, rate_limit="off", log_level="debug") as server, ThreadPoolExecutor(8) as at_once:
        people = list(at_once.map(lambda canary: Person(server, canary), canaries))
        one, other = (Person(server, Canary(number)) for number in (9998, 9999))
        tickets = list(at_once.map(Person.lists, people))
        list(at_once.map(Person.buys, people, [*tickets[1:], tickets[0]]))
        assert found(canaries, data), "the search finds them while they are there"
        leaving = [person.id if person.canary.number % 2 else person.canary.email for person in people]
        done = admitone("erase", "-", "--data", str(data), stdin="\n".join(leaving))
        assert f"Erased {CANARIES:,} accounts" in done.stdout, done.stderr
        assert not found(canaries, tmp_path), "in the data directory, or in what the server logs"
        eventually(lambda: not any(at_once.map(Person.is_known, people)), "their sessions ended")
        assert not any(at_once.map(Person.may_sign_in, people))
        other.buys(one.lists())
        assert one.is_known()
        for table in ("events", "orders", "catalogue.ticket", "ledger.entry"):
            told("export", table, "--out", str(tmp_path / f"{table}.csv"), "--data", str(data))
    assert not found(canaries, tmp_path)
    assert "all is well" in told("doctor", "--data", str(data))


async def test_a_session_ends_within_a_second_of_its_account(tmp_path: Path) -> None:
    path, now = tmp_path / "accounts.sqlite", [0.0]
    accounts = await Accounts.open(path)
    account = await accounts.sign_up(Canary(1).email, "a password")
    erased = Erasures(path, lambda: now[0])
    assert account.id not in erased
    await asyncio.to_thread(erase, path, [account.id], datetime.now(UTC))
    assert account.id not in erased, "it looks once a second"
    now[0] += LOOK
    assert account.id in erased
    erased.close()
    await accounts.close()


@pytest.mark.parametrize("classic", [True, False])
def test_no_token_proves_an_erased_account(classic: bool) -> None:
    gone = set[str]()
    sessions = Sessions([b"k" * 32], classic=classic, erased=gone)
    cookie = sessions.mint("somebody", "somebody@example.com")
    assert sessions.read(cookie) is not None
    gone.add("somebody")
    assert sessions.read(cookie) is None
    assert sessions.read(cookie) is None


async def test_who_comes_back_after_being_erased_is_somebody_new(tmp_path: Path) -> None:
    path, canary = tmp_path / "accounts.sqlite", Canary(1)
    accounts = await Accounts.open(path)
    first = await accounts.sign_up(canary.email, canary.password)
    await asyncio.to_thread(erase, path, [first.id], datetime.now(UTC))
    with pytest.raises(BadCredentials):
        await accounts.sign_in(canary.email, canary.password)
    second = await accounts.sign_up(canary.email, canary.password)
    assert second.id != first.id
    await accounts.close()


async def test_erasing_unknown_people_erases_nobody_and_names_nobody(tmp_path: Path) -> None:
    accounts = await Accounts.open(tmp_path / "accounts.sqlite")
    account = await accounts.sign_up(Canary(1).email, "a password")
    await accounts.close()

    def erasing(*names: str, status: int) -> str:
        return told("erase", *names, "--data", str(tmp_path), status=status)

    line = await asyncio.to_thread(erasing, account.id, "nobody@example.com", status=1)
    assert "number 2 of those given. Nothing was erased" in line
    assert "nobody@" not in line
    assert find(tmp_path / "accounts.sqlite", account.id) == account.id
    assert "of 24 hexadecimal digits" in await asyncio.to_thread(erasing, "x", "--elsewhere", status=2)
    assert "Erased 1 account" in await asyncio.to_thread(erasing, "f" * 24, "--elsewhere", status=0)
    there = str(tmp_path / "nowhere")
    assert "there are no accounts in" in await asyncio.to_thread(
        told, "erase", account.id, "--data", there, status=1
    )


def test_an_account_of_an_earlier_version_s_file_can_be_erased(tmp_path: Path) -> None:
    path = tmp_path / "accounts.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA user_version = 1")
        database.execute(
            "CREATE TABLE account (id TEXT PRIMARY KEY, email TEXT NOT NULL, address TEXT NOT NULL UNIQUE,"
            " hash TEXT NOT NULL) WITHOUT ROWID"
        )
        database.execute("INSERT INTO account VALUES ('a', ?, ?, 'x')", (Canary(1).email,) * 2)
    erase(path, ["a"], datetime.now(UTC))
    assert not found([Canary(1)], tmp_path)
    assert find(path, "a") is None
