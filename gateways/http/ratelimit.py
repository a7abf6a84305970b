"""So many requests a minute and address, and no more.

The counting is the `limits` library's fixed window; where the counts are kept is ours, because
processes that serve one port have to count together, and because the library's own memory walks all
of its keys in a new thread a hundred times a second.
"""

import sqlite3
from math import ceil
from pathlib import Path
from time import time

import structlog
from limits import RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

_TABLE = "CREATE TABLE IF NOT EXISTS hits (key TEXT PRIMARY KEY, count INT, ends REAL) WITHOUT ROWID"
_HIT = """
INSERT INTO hits VALUES (:key, :amount, :now + :expiry) ON CONFLICT (key) DO UPDATE SET
    count = CASE WHEN ends <= :now THEN :amount ELSE count + :amount END,
    ends = CASE WHEN ends <= :now THEN :now + :expiry ELSE ends END
RETURNING count
"""
SWEEP = 1000
"""After this many hits the windows that have ended are forgotten: the table is as small as the traffic."""


class SqliteStorage(Storage):
    """Counts in an SQLite file that processes share, or in this process's memory."""

    STORAGE_SCHEME = ["admitone-sqlite"]  # noqa: RUF012 - the library's own signature

    def __init__(self, path: Path | None) -> None:
        super().__init__(wrap_exceptions=True)
        self._database = sqlite3.connect(path or ":memory:", timeout=0.25, isolation_level=None)
        # A count that a power cut loses is no loss.
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute(_TABLE)
        self._hits = 0

    @property
    def base_exceptions(self) -> type[Exception]:
        return sqlite3.Error

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        self._hits += 1
        if self._hits % SWEEP == 0:
            self._database.execute("DELETE FROM hits WHERE ends <= ?", (time(),))
        hit = {"key": key, "amount": amount, "now": time(), "expiry": expiry}
        return int(self._database.execute(_HIT, hit).fetchone()[0])

    def get(self, key: str) -> int:
        return int(self._window(key)[0])

    def get_expiry(self, key: str) -> float:
        return float(self._window(key)[1])

    def check(self) -> bool:
        return bool(self._database.execute("SELECT 1").fetchone())

    def reset(self) -> int:
        return self._database.execute("DELETE FROM hits").rowcount

    def clear(self, key: str) -> None:
        self._database.execute("DELETE FROM hits WHERE key = ?", (key,))

    def close(self) -> None:
        self._database.close()

    def _window(self, key: str) -> tuple[int, float]:
        row = self._database.execute(
            "SELECT count, ends FROM hits WHERE key = ? AND ends > ?", (key, time())
        ).fetchone()
        return row or (0, time())


class Limiter:
    """per_minute: how many requests an address may make; None for as many as it likes."""

    def __init__(self, per_minute: int | None, path: Path | None = None) -> None:
        self._item = None if per_minute is None else RateLimitItemPerMinute(per_minute)
        self._storage = SqliteStorage(path) if self._item else None
        self._window = FixedWindowRateLimiter(self._storage) if self._storage else None

    def refuse(self, address: str) -> int | None:
        """Count one request; if it is one too many, the seconds until the next may come."""
        if self._item is None or self._window is None:
            return None
        try:
            if self._window.hit(self._item, address):
                return None
            return max(1, ceil(self._window.get_window_stats(self._item, address).reset_time - time()))
        except StorageError as error:
            # A full disk must not keep buyers out.
            structlog.get_logger("admitone.http").warning("rate limit is not counted", error=str(error))
            return None

    def close(self) -> None:
        if self._storage is not None:
            self._storage.close()
