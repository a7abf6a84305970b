"""The Streams service: appends of both kinds, deletion, and the way in to reads and subscriptions."""

from collections.abc import AsyncIterator
from typing import Any

from esdbclient.protos.Grpc import streams_pb2, streams_pb2_grpc

from tests.eventstoredb import reading, subscribing
from tests.eventstoredb.answers import (
    Failure,
    StreamDeleted,
    WrongVersion,
    append_too_large,
    stream_deleted,
    thrown_by_handler,
    wrong_version_on_delete,
)
from tests.eventstoredb.batches import Batches
from tests.eventstoredb.calls import Call
from tests.eventstoredb.log import Log
from tests.eventstoredb.messages import EMPTY, BadEvent, expectation, proposed, stream_name
from tests.eventstoredb.record import NONE
from tests.eventstoredb.writing import Expect, Expected, Writer, Written

MAX_APPEND = 1_048_576
"""The most bytes that one append may hold."""


class Streams(streams_pb2_grpc.StreamsServicer):
    """One node's Streams service over the log that all nodes share."""

    def __init__(self, log: Log, writer: Writer) -> None:
        self._log = log
        self._writer = writer

    async def Append(self, requests: AsyncIterator[streams_pb2.AppendReq], _: Call) -> streams_pb2.AppendResp:
        options = None
        events = []
        async for request in requests:
            if request.HasField("options"):
                options = request.options
                continue
            try:
                events.append(proposed(request.proposed_message))
            except BadEvent:
                raise thrown_by_handler() from None
        if options is None:
            raise thrown_by_handler()
        if sum(event.size for event in events) > MAX_APPEND:
            raise append_too_large(MAX_APPEND)
        stream, expected = stream_name(options.stream_identifier), expectation(options, "revision")
        try:
            return _appended(self._writer.append(stream, expected, events))
        except StreamDeleted:
            raise stream_deleted(stream) from None
        except WrongVersion as wrong:
            return _not_appended(wrong.current, expected)

    async def BatchAppend(
        self, requests: AsyncIterator[streams_pb2.BatchAppendReq], _: Call
    ) -> AsyncIterator[streams_pb2.BatchAppendResp]:
        batches = Batches(self._writer, MAX_APPEND)
        async for request in requests:
            answer = batches.take(request)
            if answer is not None:
                yield answer

    async def Delete(self, request: streams_pb2.DeleteReq, _: Call) -> streams_pb2.DeleteResp:
        position = self._end(request.options, hard=False)
        place = streams_pb2.DeleteResp.Position(commit_position=position, prepare_position=position)
        return streams_pb2.DeleteResp(position=place)

    async def Tombstone(self, request: streams_pb2.TombstoneReq, _: Call) -> streams_pb2.TombstoneResp:
        position = self._end(request.options, hard=True)
        place = streams_pb2.TombstoneResp.Position(commit_position=position, prepare_position=position)
        return streams_pb2.TombstoneResp(position=place)

    def _end(self, options: Any, *, hard: bool) -> int:
        stream, expected = stream_name(options.stream_identifier), expectation(options, "revision")
        try:
            return (self._writer.tombstone if hard else self._writer.delete)(stream, expected)
        except StreamDeleted:
            raise stream_deleted(stream) from None
        except WrongVersion as wrong:
            named = expected.value if isinstance(expected, Expect) else str(expected)
            raise wrong_version_on_delete(stream, named, wrong.current) from None

    async def Read(self, request: streams_pb2.ReadReq, _: Call) -> AsyncIterator[streams_pb2.ReadResp]:
        options = request.options
        of_stream = options.WhichOneof("stream_option") == "stream"
        if options.WhichOneof("count_option") == "subscription":
            follow = subscribing.stream if of_stream else subscribing.everything
            async for answer in follow(self._log, options):
                yield answer
            return
        if options.count == 0:
            raise Failure("INVALID_ARGUMENT", "The count must be positive.")
        read = reading.stream if of_stream else reading.everything
        for answer in read(self._log, options):
            yield answer


def _appended(written: Written) -> streams_pb2.AppendResp:
    success = streams_pb2.AppendResp.Success()
    if written.revision == NONE:
        success.no_stream.CopyFrom(EMPTY)
    else:
        success.current_revision = written.revision
    if written.position is None:
        success.no_position.CopyFrom(EMPTY)
    else:
        success.position.commit_position = success.position.prepare_position = written.position
    return streams_pb2.AppendResp(success=success)


def _not_appended(current: int, expected: Expected) -> streams_pb2.AppendResp:
    """A wrong version is an answer, not an error, and it is told in the words of two generations."""
    wrong = streams_pb2.AppendResp.WrongExpectedVersion()
    if current == NONE:
        wrong.current_no_stream.CopyFrom(EMPTY)
        wrong.no_stream_20_6_0.CopyFrom(EMPTY)
    else:
        wrong.current_revision = wrong.current_revision_20_6_0 = current
    if expected is Expect.ANY:
        wrong.expected_any.CopyFrom(EMPTY)
        wrong.any_20_6_0.CopyFrom(EMPTY)
    elif expected is Expect.EXISTS:
        wrong.expected_stream_exists.CopyFrom(EMPTY)
        wrong.stream_exists_20_6_0.CopyFrom(EMPTY)
    elif isinstance(expected, Expect):
        wrong.expected_no_stream.CopyFrom(EMPTY)
        wrong.expected_revision_20_6_0 = 2**64 - 1
    else:
        wrong.expected_revision = wrong.expected_revision_20_6_0 = expected
    return streams_pb2.AppendResp(wrong_expected_version=wrong)
