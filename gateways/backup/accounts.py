"""Dated backups of the accounts, apart from those of the log: the only ones that hold personal data.

Each is one whole file with its date in its name, so that it can be kept elsewhere and thrown away in time.
The copy is made by SQLite's online backup and in memory: it never lies anywhere in the clear.
"""

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from msgspec import DecodeError, Struct, ValidationError, json
from msgspec.structs import replace

from gateways.backup.cipher import Altered, Key
from gateways.backup.durable import PART, write_whole
from gateways.backup.segment import FORMAT, BackupDamaged, Version, check_key, inflated, refuse_newer
from gateways.erasure import remove
from gateways.identity import SCHEMA, connect

_LEGACY = b"\1\1"
"""In a file's header, says that it has no write-ahead log: one in memory has none (sqlite3_deserialize)."""

_NAME = "accounts-%Y%m%dT%H%M%SZ.backup"


class Header(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first line of the file. sum: SHA-256 of the rest of this line and of the database."""

    format: int
    taken: datetime
    accounts: int
    size: int
    key: str | None = None
    sum: str = ""


def back_up(path: Path, folder: Path, key: Key | None, taken: datetime) -> tuple[Path, int]:
    """Write a dated backup into ``folder``; gives the file, and how many accounts are in it.

    A server may be running. The caller holds the folder's lease. Raises AccountsDamaged,
    AccountsUnavailable, OSError, sqlite3.Error.
    """
    for part in folder.glob(f"accounts-*{PART}"):  # of one that was killed
        part.unlink()
    with closing(connect(path)) as source, closing(sqlite3.connect(":memory:")) as copy:
        source.backup(copy)
        (accounts,) = copy.execute("SELECT count(*) FROM account").fetchone()
        content = copy.serialize()
    content = content[:18] + _LEGACY + content[20:]
    header = Header(
        format=FORMAT, taken=taken, accounts=accounts, size=len(content), key=key.name if key else None
    )
    header = replace(header, sum=_sum(header, content))
    line = json.encode(header) + b"\n"
    body = zlib.compress(content)
    file = folder / f"{taken:{_NAME}}"
    write_whole(file, line, key.encrypt(body, line) if key else body)
    return file, accounts


def expire(folder: Path, before: datetime) -> int:
    """Delete the backups that were made before then; gives how many. Raises OSError."""
    old = [path for path, taken in dated(folder) if taken < before]
    for path in old:
        path.unlink()
    return len(old)


def dated(folder: Path) -> Iterator[tuple[Path, datetime]]:
    """The backups in a directory and their dates, the oldest first."""
    for path in sorted(folder.glob("accounts-*.backup")):
        with suppress(ValueError):
            yield path, datetime.strptime(path.name, _NAME).replace(tzinfo=UTC)


class Kept(Struct, frozen=True):
    """content: a database of accounts. accounts: how many. left_out: who was erased since the backup."""

    content: bytes
    accounts: int
    left_out: int


def kept(file: Path, key: Key | None) -> Kept:
    """The accounts in a backup, without whoever was erased since, as newer backups beside it tell.

    Raises BackupDamaged, BadKey, OSError, sqlite3.Error.
    """
    content = _read(file, key)
    gone = _erased_since(file, key)
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as accounts:
        accounts.deserialize(content)
        if accounts.execute("PRAGMA user_version").fetchone()[0] > SCHEMA:
            raise BackupDamaged(f"{file} was made by a newer version of Admit One: restore it with that one")
        (before,) = accounts.execute("SELECT count(*) FROM account").fetchone()
        for at, account_id in gone:
            remove(accounts, [account_id], datetime.fromisoformat(at))
        accounts.execute("VACUUM")
        (after,) = accounts.execute("SELECT count(*) FROM account").fetchone()
        return Kept(accounts.serialize(), after, before - after)


def restore(accounts: Kept, place: Path) -> None:
    """Write the file of accounts. Raises OSError."""
    write_whole(place, accounts.content)


def _erased_since(file: Path, key: Key | None) -> list[tuple[str, str]]:
    newer = [path for path, _ in dated(file.parent) if path.name > file.name]
    if not newer:
        return []
    with closing(sqlite3.connect(":memory:")) as accounts:
        accounts.deserialize(_read(newer[-1], key))
        return accounts.execute("SELECT at, id FROM erased ORDER BY number").fetchall()


def _read(file: Path, key: Key | None) -> bytes:
    """The database in a backup. Raises BackupDamaged, BadKey, OSError."""
    line, _, body = file.read_bytes().partition(b"\n")
    try:
        refuse_newer(json.decode(line, type=Version).format, str(file))
        header = json.decode(line, type=Header)
        check_key(header.key, key, str(file))
        if key is not None:
            body = key.decrypt(body, line + b"\n")
        content = inflated(body, header.size)
    except (Altered, DecodeError, ValidationError, UnicodeDecodeError, ValueError, zlib.error):
        raise BackupDamaged(f"{file} is damaged") from None
    if _sum(header, content) != header.sum:
        raise BackupDamaged(f"{file} is damaged")
    return content


def _sum(header: Header, content: bytes) -> str:
    return sha256(json.encode(replace(header, sum="")) + b"\n" + content).hexdigest()
