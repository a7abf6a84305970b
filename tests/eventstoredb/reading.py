"""Reads that end: of one stream or of ``$all``, forwards or backwards."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from esdbclient.protos.Grpc import streams_pb2

from tests.eventstoredb.answers import stream_deleted, unreadable_position
from tests.eventstoredb.filters import is_filtered, wanted
from tests.eventstoredb.links import resolve
from tests.eventstoredb.log import Log, visible
from tests.eventstoredb.messages import read_event, stream_name
from tests.eventstoredb.record import Record

_BACKWARDS = streams_pb2.ReadReq.Options.Backwards


def refuse_tombstoned(log: Log, stream_: str) -> None:
    """Raises Failure for a stream that was ended, and for the metadata of one."""
    if log.is_tombstoned(stream_) or (stream_.startswith("$$") and log.is_tombstoned(stream_[2:])):
        raise stream_deleted(stream_)


def stream(log: Log, options: Any) -> Iterator[streams_pb2.ReadResp]:
    """A stream's events, inclusive of the revision to start at."""
    name = stream_name(options.stream.stream_identifier)
    refuse_tombstoned(log, name)
    if not log.is_readable(name):
        missing = streams_pb2.ReadResp.StreamNotFound(stream_identifier=options.stream.stream_identifier)
        yield streams_pb2.ReadResp(stream_not_found=missing)
        return
    yield from _answers(log, options, _stream_range(log.readable(name), options))


def _stream_range(records: Sequence[Record], options: Any) -> Iterable[Record]:
    start = options.stream.WhichOneof("revision_option")
    revision = options.stream.revision
    if options.read_direction == _BACKWARDS:
        stop = len(records)
        if start == "revision":
            stop = bisect_right(records, revision, key=lambda record: record.revision)
        return reversed(records[: 0 if start == "start" else stop])
    first = 0
    if start == "revision":
        first = bisect_left(records, revision, key=lambda record: record.revision)
    return records[len(records) if start == "end" else first :]


def everything(log: Log, options: Any) -> Iterator[streams_pb2.ReadResp]:
    """The log's events: forwards inclusive of the position, backwards strictly before it."""
    start = options.all.WhichOneof("all_option")
    position = options.all.position.commit_position
    if start == "position" and not log.is_bound(position):
        raise unreadable_position(filtered=is_filtered(options))
    found: Iterable[Record]
    if options.read_direction == _BACKWARDS:
        stop = {"start": 0, "end": len(log.records)}.get(start, log.index(position))
        found = (log.records[index] for index in range(stop - 1, -1, -1))
    else:
        first = {"start": 0, "end": len(log.records)}.get(start, log.index(position))
        found = islice(log.records, first, None)
    yield from _answers(log, options, filter(wanted(options), visible(found)))


def _answers(log: Log, options: Any, records: Iterable[Record]) -> Iterator[streams_pb2.ReadResp]:
    for record in islice(records, min(options.count, 2**62)):
        yield read_event(resolve(log, record, links=options.resolve_links))
