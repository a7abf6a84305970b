"""Catch-up subscriptions: what is there already, ``caught_up``, and then whatever comes, without end."""

from bisect import bisect_left
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

from esdbclient.protos.Grpc import streams_pb2

from tests.eventstoredb.answers import invalid_position, stream_deleted, thrown_by_handler
from tests.eventstoredb.filters import is_filtered, wanted
from tests.eventstoredb.links import resolve
from tests.eventstoredb.log import Log, is_hidden
from tests.eventstoredb.messages import caught_up, checkpoint, read_event, stream_name
from tests.eventstoredb.reading import refuse_tombstoned
from tests.eventstoredb.record import TOMBSTONE

LIVE_BUFFER = 32
"""Events that a live subscriber may be behind before the server catches it up again."""

_PAGE = 256


async def stream(log: Log, options: Any) -> AsyncIterator[streams_pb2.ReadResp]:
    """One stream behind a revision, whether or not it exists yet; ends when it is tombstoned."""
    yield _confirmation()
    name = stream_name(options.stream.stream_identifier)
    refuse_tombstoned(log, name)
    next_ = {"start": 0, "end": log.last(name) + 1}.get(
        options.stream.WhichOneof("revision_option"), options.stream.revision + 1
    )
    live = False
    while True:
        news = log.news
        records = log.readable(name)
        start = bisect_left(records, next_, key=lambda record: record.revision)
        live = live and len(records) - start <= LIVE_BUFFER
        page = records[start : start + _PAGE]
        for record in page:
            next_ = record.revision + 1
            yield read_event(resolve(log, record, links=options.resolve_links))
            if record.revision == TOMBSTONE:
                raise stream_deleted(name)
        if page:
            continue
        if not live:
            live = True
            yield caught_up()
        await news.wait()


async def everything(log: Log, options: Any) -> AsyncIterator[streams_pb2.ReadResp]:
    """The log behind a position. Only a filtered subscription is sent checkpoints."""
    window = options.filter.max * options.filter.checkpointIntervalMultiplier
    if is_filtered(options) and not window:
        raise thrown_by_handler()
    yield _confirmation()
    position = options.all.position.commit_position
    start = options.all.WhichOneof("all_option")
    if start == "position" and not log.is_bound(position):
        raise invalid_position()
    next_ = {"start": 0, "end": len(log.records)}.get(start, log.index(position))
    # Exclusive; and a start behind the end of the log waits until the log has grown past it.
    floor = position if start == "position" else -1
    marks = _Checkpoints(window, log.records[next_ - 1].position if start == "end" else None)
    is_wanted, live = wanted(options), False
    while True:
        news = log.news
        live = live and len(log.records) - next_ <= LIVE_BUFFER
        while next_ < len(log.records):
            record = log.records[next_]
            next_ += 1
            if record.position > floor and not is_hidden(record) and is_wanted(record):
                yield read_event(resolve(log, record, links=options.resolve_links))
            if marks.considered(record.position):
                yield marks.take()
        if not live:
            live = True
            if marks.outstanding():
                yield marks.take()
            yield caught_up()
        await news.wait()


class _Checkpoints:
    """When a filtered subscription is told how far it has come. ``window`` 0: never."""

    def __init__(self, window: int, last: int | None) -> None:
        self._window = window
        self._last = last
        self._sent: int | None = None
        self._count = 0

    def considered(self, position: int) -> bool:
        """Count a record, delivered or not; True when a checkpoint is due."""
        self._last = position
        self._count += 1
        return self._window > 0 and self._count >= self._window

    def outstanding(self) -> bool:
        return self._window > 0 and self._last is not None and self._last != self._sent

    def take(self) -> streams_pb2.ReadResp:
        assert self._last is not None
        self._sent, self._count = self._last, 0
        return checkpoint(self._last)


def _confirmation() -> streams_pb2.ReadResp:
    content = streams_pb2.ReadResp.SubscriptionConfirmation(subscription_id=str(uuid4()))
    return streams_pb2.ReadResp(confirmation=content)
