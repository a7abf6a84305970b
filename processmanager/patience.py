"""How long the watchdog leaves a purchase alone: after a failure ever longer, until it is enough, and
while others see to it."""

from collections.abc import Callable, Set
from datetime import datetime, timedelta

from processmanager.ports import Due

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


class Deference:
    """What processes share by signals is left to whoever has the signal, for ``wait``, and then taken over.

    A hold that must end is left to nobody. As memory goes, so does the count: then others get longer.
    """

    def __init__(self, wait: Callable[[], timedelta], *, capacity: int = 200_000) -> None:
        self._wait = wait
        self._capacity = capacity
        self._seen: dict[str, datetime] = {}
        self._ours: dict[str, datetime] = {}

    def left_to_others(self, due: Due, now: datetime) -> bool:
        if due.has_ended(now):
            return False
        if self._ours.get(due.order, now) > now:
            return False
        since = self._seen.get(due.order)
        if since is None:
            since = now
            if len(self._seen) < self._capacity:
                self._seen[due.order] = now
        return now < since + self._wait()

    def is_ours(self, order_id: str, until: datetime, now: datetime) -> None:
        """Look after this purchase like one that nobody shares."""
        if len(self._ours) >= self._capacity:
            self._ours = {order: at for order, at in self._ours.items() if at > now}
        if len(self._ours) < self._capacity:
            self._ours[order_id] = until

    def forget_all_but(self, due: Set[str]) -> None:
        """What is not due any more begins afresh when it is due again."""
        self._seen = {order: since for order, since in self._seen.items() if order in due}
