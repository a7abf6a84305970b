"""So many requests a minute and address, and no more: the `limits` library's fixed window."""

from math import ceil
from pathlib import Path
from time import time

import structlog
from limits import RateLimitItemPerMinute
from limits.errors import StorageError
from limits.strategies import FixedWindowRateLimiter

from gateways.http.counts import OwnCounts, SharedCounts


class Limiter:
    """per_minute: requests that an address may make. path: where processes count together, if they do."""

    def __init__(self, per_minute: int, path: Path | None) -> None:
        self._item = RateLimitItemPerMinute(per_minute)
        self._counts = OwnCounts() if path is None else SharedCounts(path)
        self._window = FixedWindowRateLimiter(self._counts)

    def refuse(self, address: str) -> int | None:
        """Count one request; if it is one too many, the seconds until the next may come."""
        try:
            if self._window.hit(self._item, address):
                return None
            return max(1, ceil(self._window.get_window_stats(self._item, address).reset_time - time()))
        except StorageError as error:
            # A full disk must not keep buyers out.
            structlog.get_logger("admitone.http").warning("requests are not counted", error=str(error))
            return None

    def close(self) -> None:
        if isinstance(self._counts, SharedCounts):
            self._counts.close()
