"""How long the watchdog leaves a purchase alone: after a failure ever longer, until it is enough."""

from datetime import datetime, timedelta

RETRY_DELAYS = tuple(timedelta(seconds=seconds) for seconds in (5, 10, 20, 40, 80))


class Patience:
    """Counts failures and remembers until when each purchase is left alone.

    It is memory and no fact: losing it costs some tries more, never a purchase. ``capacity`` bounds it.
    """

    def __init__(self, delays: tuple[timedelta, ...] = RETRY_DELAYS, *, capacity: int = 200_000) -> None:
        self._delays = delays
        self._capacity = capacity
        self._failures: dict[str, int] = {}
        self._until: dict[str, datetime] = {}

    def left_alone(self, order_id: str, now: datetime) -> bool:
        return self._until.get(order_id, now) > now

    def rest(self, order_id: str, until: datetime, now: datetime) -> None:
        """Leave a purchase alone for a while that has nothing wrong with it."""
        self._failures.pop(order_id, None)
        self._leave(order_id, until, now)

    def failed(self, order_id: str, now: datetime, ends: datetime | None = None) -> int | None:
        """Count a failure. None while it is to be tried again; else how often it was tried in vain.

        ends: when its hold ends; it is not left alone beyond that.
        """
        failures = self._failures.get(order_id, 0) + 1
        if failures > len(self._delays):
            self._failures.pop(order_id, None)
            self._until.pop(order_id, None)
            return failures
        self._failures[order_id] = failures
        again = now + self._delays[failures - 1]
        self._leave(order_id, min(again, ends) if ends is not None and ends > now else again, now)
        return None

    def _leave(self, order_id: str, until: datetime, now: datetime) -> None:
        if len(self._until) >= self._capacity:
            self._until = {order: at for order, at in self._until.items() if at > now}
        if len(self._until) < self._capacity:
            self._until[order_id] = until
