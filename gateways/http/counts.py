"""Where the `limits` library keeps its counts: in this process, or in a file that processes share.

The library's own memory walks all of its keys in a new thread a hundred times a second, and it has
none that processes on one machine could share without a server.
"""

import sqlite3
from pathlib import Path
from time import time

from limits.storage import Storage

MOST = 100_000
"""Addresses that one process counts at a time. With one more, the first is forgotten."""


class OwnCounts(Storage):
    """Counts of this process alone. All windows are equally long: the first to begin is the first to end."""

    STORAGE_SCHEME = ["admitone-own"]  # noqa: RUF012 - the library's own spelling

    def __init__(self) -> None:
        super().__init__()
        self._windows: dict[str, tuple[int, float]] = {}

    @property
    def base_exceptions(self) -> type[Exception]:
        return KeyError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        now = time()
        count, ends = self._windows.get(key, (0, 0.0))
        if ends <= now:
            self._windows.pop(key, None)
            self._forget(now)
            count, ends = 0, now + expiry
        self._windows[key] = (count + amount, ends)
        return count + amount

    def _forget(self, now: float) -> None:
        windows = self._windows
        while windows and (len(windows) >= MOST or windows[next(iter(windows))][1] <= now):
            del windows[next(iter(windows))]

    def get(self, key: str) -> int:
        count, ends = self._windows.get(key, (0, 0.0))
        return count if ends > time() else 0

    def get_expiry(self, key: str) -> float:
        return max(self._windows.get(key, (0, 0.0))[1], time())

    def check(self) -> bool:
        return True

    def reset(self) -> int:
        found = len(self._windows)
        self._windows.clear()
        return found

    def clear(self, key: str) -> None:
        self._windows.pop(key, None)


class SharedCounts(Storage):
    """Counts in an SQLite file, for processes that serve one port."""

    STORAGE_SCHEME = ["admitone-shared"]  # noqa: RUF012 - the library's own spelling

    _TABLE = "CREATE TABLE IF NOT EXISTS hits (key TEXT PRIMARY KEY, count INT, ends REAL) WITHOUT ROWID"
    _HIT = """
    INSERT INTO hits VALUES (:key, :amount, :now + :expiry) ON CONFLICT (key) DO UPDATE SET
        count = CASE WHEN ends <= :now THEN :amount ELSE count + :amount END,
        ends = CASE WHEN ends <= :now THEN :now + :expiry ELSE ends END
    RETURNING count
    """
    _SWEEP = 1000
    """After so many hits the windows that have ended are deleted."""

    def __init__(self, path: Path) -> None:
        super().__init__(wrap_exceptions=True)
        self._database = sqlite3.connect(path, timeout=0.25, isolation_level=None)
        # A count that a power cut loses is no loss.
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute(self._TABLE)
        self._hits = 0

    @property
    def base_exceptions(self) -> type[Exception]:
        return sqlite3.Error

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        now = time()
        self._hits += 1
        if self._hits % self._SWEEP == 0:
            self._database.execute("DELETE FROM hits WHERE ends <= ?", (now,))
        hit = {"key": key, "amount": amount, "now": now, "expiry": expiry}
        return int(self._database.execute(self._HIT, hit).fetchone()[0])

    def get(self, key: str) -> int:
        return self._window(key)[0]

    def get_expiry(self, key: str) -> float:
        return self._window(key)[1]

    def check(self) -> bool:
        return bool(self._database.execute("SELECT 1").fetchone())

    def reset(self) -> int:
        return self._database.execute("DELETE FROM hits").rowcount

    def clear(self, key: str) -> None:
        self._database.execute("DELETE FROM hits WHERE key = ?", (key,))

    def close(self) -> None:
        self._database.close()

    def _window(self, key: str) -> tuple[int, float]:
        now = time()
        found = self._database.execute(
            "SELECT count, ends FROM hits WHERE key = ? AND ends > ?", (key, now)
        ).fetchone()
        return found or (0, now)
