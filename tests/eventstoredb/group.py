"""A persistent subscription: the server remembers what its readers have dealt with.

Delivery is at least once. An event that is not acknowledged in time, that is handed back, or whose
reader leaves comes again, ahead of new ones; after too many retries it is parked.
"""

import logging
from collections import deque
from collections.abc import Iterable
from time import monotonic
from uuid import UUID

from tests.eventstoredb.answers import Failure, group_dropped
from tests.eventstoredb.consumers import STRATEGIES, Consumer, Message
from tests.eventstoredb.feed import Feed
from tests.eventstoredb.log import Log
from tests.eventstoredb.parking import Checkpoints, ParkingLot
from tests.eventstoredb.settings import Settings

_log = logging.getLogger(__name__)


class _Outstanding:
    def __init__(self, message: Message, consumer: Consumer, until: float) -> None:
        self.message = message
        self.consumer = consumer
        self.until = until


class Group:
    """One group's state while its server runs. What must outlive the server is in the log."""

    def __init__(self, log: Log, settings: Settings) -> None:
        self.settings = settings
        self.consumers: list[Consumer] = []
        self.parked = ParkingLot(log, settings.key)
        self.checkpoints = Checkpoints(log, settings)
        self.feed = Feed(log, settings, self.checkpoints.load())
        self.retries: deque[Message] = deque()
        self.buffer: deque[Message] = deque()
        self.outstanding: dict[UUID, _Outstanding] = {}
        self._strategy = STRATEGIES[settings.strategy]()

    # ── Readers ───────────────────────────────────────────────────────────────────────────────────

    @property
    def is_full(self) -> bool:
        return 0 < self.settings.max_subscribers <= len(self.consumers)

    def connect(self, consumer: Consumer) -> None:
        self.consumers.append(consumer)
        self.dispatch()

    def disconnect(self, consumer: Consumer) -> None:
        """What the reader had not acknowledged goes to the others at once, and is never parked by that."""
        if consumer not in self.consumers:
            return
        self.consumers.remove(consumer)
        for item in [item for item in self.outstanding.values() if item.consumer is consumer]:
            self._release(item)
            item.message.retries += 1
            self.retries.append(item.message)
        self.dispatch()

    def drop_all(self, failure: Failure | None = None) -> None:
        """Send every reader away, because the group was changed or deleted."""
        failure = failure or group_dropped(self.settings.source, self.settings.group)
        for consumer in self.consumers:
            consumer.drop(failure)
        self.consumers.clear()

    # ── Delivery ──────────────────────────────────────────────────────────────────────────────────

    def dispatch(self) -> None:
        """Hand out what can be handed out: retries first, then what the log has."""
        if not self.consumers:
            return
        self._hand_out(self.retries)
        while True:
            fresh = self.feed.take(max(0, self.settings.history_buffer - len(self.buffer)))
            self.buffer.extend(fresh)
            if not self._hand_out(self.buffer) or not fresh:
                break
        self._checkpoint()

    def _hand_out(self, queue: deque[Message]) -> bool:
        """Whether anything left the queue. A pinned message that must wait lets the others pass."""
        waiting: list[Message] = []
        before = len(queue)
        while queue and any(consumer.has_room for consumer in self.consumers):
            message = queue.popleft()
            if message.id in self.outstanding:
                _log.warning("event %s is outstanding already and is skipped", message.id)
                continue
            consumer = self._strategy(self.consumers, message)
            if consumer is None:
                waiting.append(message)
                continue
            until = monotonic() + self.settings.message_timeout
            self.outstanding[message.id] = _Outstanding(message, consumer, until)
            consumer.push(message)
        queue.extendleft(reversed(waiting))
        return len(queue) < before

    # ── Acknowledgement ───────────────────────────────────────────────────────────────────────────

    def ack(self, ids: Iterable[UUID]) -> None:
        """Ids that are not outstanding are ignored."""
        for id_ in ids:
            self._take(id_)
        self.dispatch()

    def nack(self, ids: Iterable[UUID], action: str, reason: str) -> None:
        """Hand events back: Retry and Unknown want them again, Park sets them aside, others drop them."""
        for id_ in ids:
            message = self._take(id_)
            if message is None:
                continue
            if action == "Park":
                self.parked.park(message, f"Client explicitly NAK'ed message.\n{reason}")
            elif action in ("Retry", "Unknown"):
                self._again(message)
        self.dispatch()

    def tick(self) -> None:
        """Once a second: deliver again what was not acknowledged in time."""
        now = monotonic()
        for item in [item for item in self.outstanding.values() if item.until <= now]:
            self._release(item)
            self._again(item.message)
        self.dispatch()
        self._checkpoint(timed=True)

    def replay(self, limit: int | None) -> None:
        """Deliver what was parked once more, counting its retries anew."""
        self.retries.extendleft(reversed(self.parked.take(limit)))
        self.dispatch()

    def _take(self, id_: UUID) -> Message | None:
        item = self.outstanding.get(id_)
        if item is None:
            return None
        self._release(item)
        return item.message

    def _release(self, item: _Outstanding) -> None:
        del self.outstanding[item.message.id]
        item.consumer.in_flight.discard(item.message.id)

    def _again(self, message: Message) -> None:
        if message.retries >= self.settings.max_retries:
            self.parked.park(message, f"Reached retry count of {self.settings.max_retries}")
            return
        message.retries += 1
        self.retries.append(message)

    def _checkpoint(self, *, timed: bool = False) -> None:
        held = [item.message for item in self.outstanding.values()]
        waiting = [m.sequence for m in (*held, *self.retries, *self.buffer) if m.sequence is not None]
        lowest = min(waiting, default=self.feed.taken)
        self.checkpoints.consider(lowest, self.feed, timed=timed)
