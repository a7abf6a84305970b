"""Where a persistent subscription takes its events from: a stream or ``$all``, behind its checkpoint."""

from bisect import bisect_left

from tests.eventstoredb.consumers import Message
from tests.eventstoredb.links import resolve
from tests.eventstoredb.log import Log, is_hidden
from tests.eventstoredb.record import TOMBSTONE, Record
from tests.eventstoredb.settings import FROM_END, Settings

_REMEMBERED = 20_000


class Feed:
    """Takes events from the log in order and numbers them. ``after``: a checkpoint, None if none."""

    def __init__(self, log: Log, settings: Settings, after: int | None) -> None:
        self.taken = 0
        """How many events were taken so far; each one's sequence is the count before it."""
        self._log = log
        self._settings = settings
        self._places: dict[int, int] = {}
        stream = settings.stream
        if after is not None:
            self._next = after + 1
        elif settings.start == FROM_END:
            self._next = log.end if stream is None else log.last(stream) + 1
        else:
            self._next = settings.start

    def take(self, limit: int) -> list[Message]:
        """At most ``limit`` further events."""
        records = self._from_all(limit) if self._settings.stream is None else self._from_stream(limit)
        return [self._message(record) for record in records]

    def place(self, sequence: int) -> int:
        """The revision or position of the event with that sequence."""
        return self._places[sequence]

    def forget(self, sequence: int) -> None:
        """No checkpoint before ``sequence`` will be asked for any more."""
        if len(self._places) > _REMEMBERED:
            self._places = {number: place for number, place in self._places.items() if number >= sequence}

    def _message(self, record: Record) -> Message:
        message = Message(resolve(self._log, record, links=self._settings.resolve_links), self.taken)
        self._places[self.taken] = record.position if self._settings.stream is None else record.revision
        self.taken += 1
        return message

    def _from_stream(self, limit: int) -> list[Record]:
        assert self._settings.stream is not None
        records = self._log.readable(self._settings.stream)
        start = bisect_left(records, self._next, key=lambda record: record.revision)
        page = [record for record in records[start : start + limit] if record.revision != TOMBSTONE]
        if page:
            self._next = page[-1].revision + 1
        return page

    def _from_all(self, limit: int) -> list[Record]:
        page: list[Record] = []
        index = self._log.index(self._next)
        while index < len(self._log.records) and len(page) < limit:
            record = self._log.records[index]
            index += 1
            self._next = record.position + 1
            if not is_hidden(record) and self._settings.is_wanted(record):
                page.append(record)
        return page
