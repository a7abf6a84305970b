"""What the double remembers: objects, answers under idempotency keys, webhooks to send. One SQLite file.

A commit reaches the operating system before an answer is sent, so the ledger survives a SIGKILL at any
moment. It does not wait for the disk: a power cut may lose the end of it, which no test asks about.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tests.stripe.shapes import KINDS, Stored

T = TypeVar("T", bound=Stored)

_TABLES = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
    created INTEGER NOT NULL, body TEXT NOT NULL, private TEXT NOT NULL DEFAULT '{}');
CREATE INDEX IF NOT EXISTS objects_by_kind ON objects (kind, seq);
CREATE INDEX IF NOT EXISTS objects_by_intent ON objects (kind, json_extract(body, '$.payment_intent'));
CREATE INDEX IF NOT EXISTS objects_by_charge ON objects (kind, json_extract(body, '$.charge'));
CREATE INDEX IF NOT EXISTS objects_by_source ON objects (kind, json_extract(body, '$.source'));
CREATE TABLE IF NOT EXISTS keys (
    key TEXT PRIMARY KEY, request TEXT NOT NULL, at REAL NOT NULL, request_id TEXT NOT NULL,
    status INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
    number INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, state TEXT NOT NULL,
    due REAL NOT NULL, tries INTEGER NOT NULL DEFAULT 0, answers TEXT NOT NULL DEFAULT '[]');
CREATE INDEX IF NOT EXISTS deliveries_by_state ON deliveries (state, number);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class Ledger:
    """The file on one connection. Writes belong into ``transaction``."""

    def __init__(self, path: Path | str) -> None:
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = OFF")
        self.db.executescript(_TABLES)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def close(self) -> None:
        self.db.close()

    # ── Objects ───────────────────────────────────────────────────────────────────────────────────

    def put(self, thing: Stored, private: Mapping[str, Any] | None = None) -> None:
        """Write an object, new or changed. ``private``: what it has beside what the API shows."""
        body = msgspec.json.encode(thing).decode()
        hidden = None if private is None else json.dumps(dict(private))
        self.db.execute(
            "INSERT INTO objects (id, kind, created, body, private) VALUES (?, ?, ?, ?, coalesce(?, '{}')) "
            "ON CONFLICT (id) DO UPDATE SET body = excluded.body, private = coalesce(?, private)",
            (thing.id, _kind(type(thing)), thing.created, body, hidden, hidden),
        )

    def get(self, kind: type[T], name: str) -> T | None:
        row = self.db.execute(
            "SELECT body FROM objects WHERE id = ? AND kind = ?", (name, _kind(kind))
        ).fetchone()
        return row and msgspec.json.decode(row[0], type=kind)

    def private(self, name: str) -> dict[str, Any]:
        row = self.db.execute("SELECT private FROM objects WHERE id = ?", (name,)).fetchone()
        return dict(json.loads(row[0])) if row else {}

    def any(self, name: str) -> Stored | None:
        """An object of any kind, by its id."""
        kind = KINDS.get(name.partition("_")[0])
        return self.get(kind, name) if kind else None

    def all(self, kind: type[T], **where: Any) -> Iterator[T]:
        """All objects of a kind, oldest first, whose fields have the given values."""
        conditions = "".join(f" AND json_extract(body, '$.{name}') = ?" for name in where)
        rows = self.db.execute(
            f"SELECT body FROM objects WHERE kind = ?{conditions} ORDER BY seq",
            (_kind(kind), *where.values()),
        )
        for (body,) in rows.fetchall():
            yield msgspec.json.decode(body, type=kind)

    # ── Facts ─────────────────────────────────────────────────────────────────────────────────────

    def fact(self, name: str) -> str | None:
        row = self.db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return row and str(row[0])

    def remember(self, name: str, value: str) -> None:
        self.db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))


def _kind(kind: type[Stored]) -> str:
    return kind.__name__
