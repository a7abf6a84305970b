"""Accounts: made once, proved by a password, hashed slowly and off the loop."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from time import perf_counter

import pytest
from argon2 import PasswordHasher

from gateways.identity import (
    HASHERS,
    QUEUE,
    Accounts,
    AccountsDamaged,
    AccountsUnavailable,
    BadCredentials,
    EmailInUse,
    TooManySignIns,
    is_email,
)


@pytest.fixture
async def accounts(tmp_path: Path) -> AsyncIterator[Accounts]:
    accounts = await Accounts.open(tmp_path / "identity.sqlite")
    yield accounts
    await accounts.close()


async def test_who_signed_up_can_sign_in_and_is_the_same_account(accounts: Accounts) -> None:
    made = await accounts.sign_up("Ada@Example.com", "password")
    assert await accounts.sign_in("ada@example.com", "password") == made
    assert made.email == "Ada@Example.com"
    assert len(made.id) == 24
    int(made.id, 16)


async def test_an_address_has_one_account_even_when_two_sign_up_at_once(accounts: Accounts) -> None:
    both = (accounts.sign_up("ada@example.com", "one1"), accounts.sign_up("ADA@example.com", "two2"))
    outcomes = await asyncio.gather(*both, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Account", "EmailInUse"]
    with pytest.raises(EmailInUse):
        await accounts.sign_up("ada@example.com", "password")


async def test_a_wrong_password_and_an_unknown_address_are_refused_alike(accounts: Accounts) -> None:
    await accounts.sign_up("ada@example.com", "password")
    with pytest.raises(BadCredentials):
        await accounts.sign_in("ada@example.com", "Password")
    with pytest.raises(BadCredentials):
        await accounts.sign_in("bob@example.com", "password")


async def test_an_unknown_address_takes_as_long_as_a_wrong_password(accounts: Accounts) -> None:
    await accounts.sign_up("ada@example.com", "password")

    async def seconds(email: str) -> float:
        taken = []
        for _ in range(5):
            began = perf_counter()
            with pytest.raises(BadCredentials):
                await accounts.sign_in(email, "wrong")
            taken.append(perf_counter() - began)
        return min(taken)

    known, unknown = await seconds("ada@example.com"), await seconds("nobody@example.com")
    # Without the dummy hash an unknown address is told fifty times faster.
    assert unknown > known / 2


async def test_passwords_are_kept_as_argon2id_with_the_parameters_of_owasp(
    accounts: Accounts, tmp_path: Path
) -> None:
    await accounts.sign_up("ada@example.com", "password")
    with sqlite3.connect(tmp_path / "identity.sqlite") as database:
        ((hashed,),) = database.execute("SELECT hash FROM account")
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_a_hash_of_weaker_parameters_is_replaced_at_the_next_sign_in(
    accounts: Accounts, tmp_path: Path
) -> None:
    made = await accounts.sign_up("ada@example.com", "password")
    weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash("password")
    with sqlite3.connect(tmp_path / "identity.sqlite") as database:
        database.execute("UPDATE account SET hash = ?", (weak,))
    database.close()
    assert await accounts.sign_in("ada@example.com", "password") == made
    with sqlite3.connect(tmp_path / "identity.sqlite") as database:
        ((hashed,),) = database.execute("SELECT hash FROM account")
    assert "m=19456" in hashed
    assert await accounts.sign_in("ada@example.com", "password") == made


async def test_a_flood_of_sign_ins_is_turned_away_beyond_the_queue_and_leaves_the_loop_free(
    accounts: Accounts,
) -> None:
    flood = [asyncio.create_task(accounts.sign_in("nobody@example.com", "wrong")) for _ in range(QUEUE + 30)]
    longest, last = 0.0, perf_counter()
    while not all(task.done() for task in flood):
        await asyncio.sleep(0)
        longest, last = max(longest, perf_counter() - last), perf_counter()
    outcomes = [type(task.exception()) for task in flood]
    assert outcomes.count(BadCredentials) == QUEUE + HASHERS
    assert outcomes.count(TooManySignIns) == 30 - HASHERS
    # 36 hashes take 0.7 s; the loop never waits for one.
    assert longest < 0.2


async def test_accounts_outlive_the_process_and_are_shared_between_processes(tmp_path: Path) -> None:
    first, second = [await Accounts.open(tmp_path / "identity.sqlite") for _ in range(2)]
    made = await first.sign_up("ada@example.com", "password")
    await first.close()
    assert await second.sign_in("ada@example.com", "password") == made
    await second.close()


async def test_a_file_that_is_no_database_or_a_newer_one_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "garbage").write_bytes(b"no database at all" * 100)
    with pytest.raises(AccountsDamaged, match="garbage"):
        await Accounts.open(tmp_path / "garbage")
    with sqlite3.connect(tmp_path / "newer") as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(AccountsDamaged, match="newer version"):
        await Accounts.open(tmp_path / "newer")
    with pytest.raises(AccountsDamaged, match="nowhere"):
        await Accounts.open(tmp_path / "nowhere" / "identity.sqlite")


async def test_a_database_that_stays_locked_is_told_as_unavailable(
    accounts: Accounts, tmp_path: Path
) -> None:
    accounts._database.execute("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(tmp_path / "identity.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(AccountsUnavailable):
        await accounts.sign_up("ada@example.com", "password")
    other.execute("ROLLBACK")
    other.close()
    await accounts.sign_up("ada@example.com", "password")


@pytest.mark.parametrize(
    "email",
    ["test@test.com", "a@b.co", "a.b+c@sub.example.org", "x_y%z@ex-ample.io", "jürgen@müller.de", "1@2.io"],
)
def test_an_address_is_taken(email: str) -> None:
    assert is_email(email)


@pytest.mark.parametrize(
    "email",
    [
        "",
        "test",
        "@test.com",
        "test@",
        "test@test",
        "test@@test.com",
        "te st@test.com",
        " a@b.co",
        "a@b.co ",
        "a@b.co\n",
        "a\0@b.co",
        ".a@b.co",
        "a.@b.co",
        "a..b@c.co",
        "a@-b.co",
        "a@b-.co",
        "a@b..co",
        "a@b.1",
        "a@b.co,c@d.co",
        "x" * 65 + "@b.co",
        "a@" + "b" * 64 + ".co",
        "a@" + "b." * 130 + "co",
    ],
)
def test_no_address_is_not(email: str) -> None:
    assert not is_email(email)
