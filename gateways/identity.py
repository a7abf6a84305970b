"""Accounts, outside the log: who may sign in, and as which random id.

This database is the only place with personal data. The log knows an account by its id, which says
nothing about a person; so erasing an account leaves every fact readable and names nobody.
"""

import asyncio
import re
import secrets
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from msgspec import Struct

from gateways import disk

T = TypeVar("T")

SCHEMA = 2
HASHERS = 2
QUEUE = 16
"""How many passwords may wait to be hashed (38 ms each) before the next is turned away."""

# One @ between a dot-atom of at most 64 characters and a domain of at least two labels (RFC 5321 without
# its rarities: quoted local parts, comments, address literals), which is what form validators accept.
_ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~\u00a1-\uffef-]+"
_LABEL = r"[a-z0-9\u00a1-\uffef](?:[a-z0-9\u00a1-\uffef-]{0,61}[a-z0-9\u00a1-\uffef])?"
_EMAIL = re.compile(rf"(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+(?!\d+$){_LABEL}", re.IGNORECASE)

_TABLES = """
CREATE TABLE IF NOT EXISTS account (
    id TEXT PRIMARY KEY, email TEXT NOT NULL, address TEXT NOT NULL UNIQUE, hash TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS erased (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, at TEXT NOT NULL
);
"""


class EmailInUse(Exception):
    """Another account has this address."""


class BadCredentials(Exception):
    """There is no such account, or this is not its password. Which of the two is not told."""


class TooManySignIns(Exception):
    """More passwords wait to be hashed than may. Nothing was done; try again in a moment."""


class AccountsUnavailable(Exception):
    """The accounts could not be read or written (disk full, locked for long). Nothing was done."""


class AccountsDamaged(Exception):
    """The file of accounts is no database, or one of a newer version. Its text is one clear line."""


class Account(Struct, frozen=True):
    id: str
    email: str


def is_email(text: str) -> bool:
    return len(text) <= 254 and _EMAIL.fullmatch(text) is not None


class Accounts:
    """The accounts in one SQLite file, which several processes may share."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
        self._hashing = ThreadPoolExecutor(HASHERS, "argon2")
        self._storing = ThreadPoolExecutor(1, "accounts")
        self._waiting = 0
        # Checked for an unknown address, so that both refusals take the same time.
        self._dummy = self._hasher.hash(secrets.token_hex(16))

    @classmethod
    async def open(cls, path: Path) -> "Accounts":
        """Open or make the file. Raises AccountsDamaged, AccountsUnavailable."""
        return await asyncio.to_thread(lambda: cls(connect(path)))

    async def sign_up(self, email: str, password: str) -> Account:
        """Raises EmailInUse, TooManySignIns, AccountsUnavailable."""
        if await self._stored(lambda: self._find(email)) is not None:
            raise EmailInUse
        hashed = await self._hashed(lambda: self._hasher.hash(password))
        account = Account(secrets.token_hex(12), email)
        await self._stored(lambda: self._insert(account, hashed))
        return account

    async def sign_in(self, email: str, password: str) -> Account:
        """Raises BadCredentials, TooManySignIns, AccountsUnavailable."""
        found = await self._stored(lambda: self._find(email))
        account, hashed = found or (None, self._dummy)
        matches = await self._hashed(lambda: self._matches(hashed, password))
        if account is None or not matches:
            raise BadCredentials
        if self._hasher.check_needs_rehash(hashed):
            anew = await self._hashed(lambda: self._hasher.hash(password))
            await self._stored(lambda: self._rehash(account.id, anew))
        return account

    async def close(self) -> None:
        await asyncio.to_thread(self._hashing.shutdown)
        await asyncio.to_thread(self._storing.shutdown)
        self._database.close()

    # ── Hashing: two threads of its own, because it takes 38 ms and 19 MiB ─────────────────────────

    async def _hashed(self, work: Callable[[], T]) -> T:
        if self._waiting >= QUEUE + HASHERS:
            raise TooManySignIns
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._hashing, work)
        finally:
            self._waiting -= 1

    def _matches(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False

    # ── Storing: one thread has the connection ────────────────────────────────────────────────────

    async def _stored(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._storing, work)
        except sqlite3.IntegrityError:
            raise EmailInUse from None
        except sqlite3.Error as error:
            raise AccountsUnavailable(str(error)) from error

    def _find(self, email: str) -> tuple[Account, str] | None:
        row = self._database.execute(
            "SELECT id, email, hash FROM account WHERE address = ?", (email.casefold(),)
        ).fetchone()
        return row and (Account(row[0], row[1]), row[2])

    def _insert(self, account: Account, hashed: str) -> None:
        self._database.execute(
            "INSERT INTO account VALUES (?, ?, ?, ?)",
            (account.id, account.email, account.email.casefold(), hashed),
        )

    def _rehash(self, account_id: str, hashed: str) -> None:
        self._database.execute("UPDATE account SET hash = ? WHERE id = ?", (hashed, account_id))


def connect(path: Path) -> sqlite3.Connection:
    """The file of accounts, made if there is none. Raises AccountsDamaged, AccountsUnavailable."""
    try:
        database = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise AccountsDamaged(f"{path} cannot be opened: {error}") from error
    try:
        _prepare(database, path)
    except BaseException:
        database.close()
        raise
    return database


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    try:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA:
            raise AccountsDamaged(f"{path} was written by a newer version of Admit One")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        # What an erased account leaves in free pages must not be readable.
        database.execute("PRAGMA secure_delete = ON")
        if version < SCHEMA:
            database.executescript(_TABLES)
            database.execute(f"PRAGMA user_version = {SCHEMA}")
            path.chmod(0o600)
    except sqlite3.DatabaseError as error:
        if disk.is_full(error, path):
            raise AccountsUnavailable(disk.full(path)) from error
        raise AccountsDamaged(f"{path} cannot be read as a database of accounts: {error}") from error
