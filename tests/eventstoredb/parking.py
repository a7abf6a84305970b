"""What a persistent subscription keeps in the log: parked events, and how far it has come."""

import json
from datetime import UTC, datetime
from time import monotonic
from typing import Protocol
from uuid import uuid4

from tests.eventstoredb.consumers import Message
from tests.eventstoredb.links import link_to, resolve
from tests.eventstoredb.log import Log
from tests.eventstoredb.record import METADATA, TOMBSTONE, New, metadata_stream
from tests.eventstoredb.settings import Settings


class ParkingLot:
    """Links to the events that were set aside."""

    def __init__(self, log: Log, key: str) -> None:
        self._log = log
        self.stream = f"$persistentsubscription-{key}-parked"

    @property
    def count(self) -> int:
        return len(self._log.readable(self.stream))

    def park(self, message: Message, reason: str) -> None:
        target = message.resolved.event or message.resolved.original
        metadata = {
            "added": datetime.now(UTC).isoformat(),
            "reason": reason,
            "subscriptionEventNumber": message.resolved.original.revision,
        }
        self._log.write(self.stream, [link_to(target, json.dumps(metadata).encode())])

    def take(self, limit: int | None) -> list[Message]:
        """The parked events as new messages; they are parked no longer."""
        links = list(self._log.readable(self.stream))[:limit]
        if links:
            _set_metadata(self._log, self.stream, {"$tb": links[-1].revision + 1})
        return [Message(resolve(self._log, link, links=True), None) for link in links]

    def clear(self) -> None:
        if self.stream in self._log.streams:
            _set_metadata(self._log, self.stream, {"$tb": TOMBSTONE})


class Places(Protocol):
    """Knows where in the log an event of a group was."""

    def place(self, sequence: int) -> int: ...
    def forget(self, sequence: int) -> None: ...


class Checkpoints:
    """Writes down, now and then, up to where all events have been dealt with."""

    def __init__(self, log: Log, settings: Settings) -> None:
        self._log = log
        self._settings = settings
        self._done = 0
        self._at = monotonic()
        self.stream = f"$persistentsubscription-{settings.key}-checkpoint"

    def load(self) -> int | None:
        """The revision or position of the last checkpoint."""
        records = self._log.readable(self.stream)
        if not records:
            return None
        content = json.loads(records[-1].event.data)
        return int(content["commitPosition"] if isinstance(content, dict) else content)

    def consider(self, lowest: int, places: Places, *, timed: bool) -> None:
        """Everything before sequence ``lowest`` is dealt with. ``timed``: asked by the clock."""
        moved, settings = lowest - self._done, self._settings
        after = settings.checkpoint_after
        is_time = timed and after > 0 and monotonic() - self._at >= after
        if not moved or not (
            moved >= settings.max_checkpoint or (is_time and moved >= settings.min_checkpoint)
        ):
            return
        place = places.place(lowest - 1)
        content = {"commitPosition": place, "preparePosition": place} if settings.stream is None else place
        if self.stream not in self._log.streams:
            _set_metadata(self._log, self.stream, {"$maxCount": 2})
        self._log.write(
            self.stream, [New(uuid4(), "$SubscriptionCheckpoint", json.dumps(content).encode(), json=True)]
        )
        self._done, self._at = lowest, monotonic()
        places.forget(lowest)

    def clear(self) -> None:
        if self.stream in self._log.streams:
            _set_metadata(self._log, self.stream, {"$tb": TOMBSTONE})


def _set_metadata(log: Log, stream: str, content: dict[str, int]) -> None:
    event = New(uuid4(), METADATA, json.dumps(content).encode(), json=True)
    log.write(metadata_stream(stream), [event])
