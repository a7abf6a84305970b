"""BatchAppend: requests are collected by correlation id, and each batch gets one answer of its own."""

from typing import Any

from esdbclient.protos.Grpc import code_pb2, shared_pb2, status_pb2, streams_pb2
from google.protobuf import empty_pb2  # type: ignore[import-untyped]

from tests.eventstoredb.answers import Failure, StreamDeleted, WrongVersion
from tests.eventstoredb.messages import BadEvent, expectation, identifier, proposed, stream_name, uuid
from tests.eventstoredb.record import NONE
from tests.eventstoredb.writing import Expect, Expected, Writer, Written

_FIELDS = {Expect.ANY: "any", Expect.EXISTS: "stream_exists", Expect.NO_STREAM: "no_stream"}
_EMPTY = empty_pb2.Empty()


class _Batch:
    def __init__(self, options: Any) -> None:
        self.stream = stream_name(options.stream_identifier)
        self.expected = expectation(options, "stream_position")
        self.expired = options.HasField("deadline") and options.deadline.ToNanoseconds() <= 0
        self.messages: list[Any] = []


class Batches:
    """The batches of one BatchAppend call. ``limit``: the most bytes that one of them may hold."""

    def __init__(self, writer: Writer, limit: int) -> None:
        self._writer = writer
        self._limit = limit
        self._open: dict[Any, _Batch] = {}

    def take(self, request: streams_pb2.BatchAppendReq) -> streams_pb2.BatchAppendResp | None:
        """Add a request to its batch; gives the batch's answer with the last one."""
        id_ = uuid(request.correlation_id)
        if id_ not in self._open:
            self._open[id_] = _Batch(request.options)
        batch = self._open[id_]
        batch.messages.extend(request.proposed_messages)
        if not request.is_final:
            return None
        del self._open[id_]
        answer = self._append(batch)
        answer.correlation_id.CopyFrom(request.correlation_id)
        answer.stream_identifier.CopyFrom(identifier(batch.stream))
        _echo(answer, batch.expected)
        return answer

    def _append(self, batch: _Batch) -> streams_pb2.BatchAppendResp:
        if batch.expired:
            return error(code_pb2.DEADLINE_EXCEEDED, "Timeout", shared_pb2.Timeout())
        try:
            events = [proposed(message) for message in batch.messages]
        except (BadEvent, Failure) as bad:
            return error(code_pb2.INVALID_ARGUMENT, "", shared_pb2.BadRequest(message=str(bad)))
        if sum(event.size for event in events) > self._limit:
            too_large = shared_pb2.MaximumAppendSizeExceeded(maxAppendSize=self._limit)
            return error(code_pb2.INVALID_ARGUMENT, "", too_large)
        try:
            return _success(self._writer.append(batch.stream, batch.expected, events))
        except StreamDeleted:
            deleted = shared_pb2.StreamDeleted(stream_identifier=identifier(batch.stream))
            return error(code_pb2.NOT_FOUND, "", deleted)
        except WrongVersion as wrong:
            details = _wrong_version(wrong.current, batch.expected)
            return error(code_pb2.ALREADY_EXISTS, "WrongExpectedVersion", details)


def error(code: Any, message: str, details: Any) -> streams_pb2.BatchAppendResp:
    """An answer that says no. ``details``: the message that says which error it is."""
    status = status_pb2.Status(code=code, message=message)
    status.details.Pack(details)
    return streams_pb2.BatchAppendResp(error=status)


def not_ready() -> streams_pb2.BatchAppendResp:
    """How a node that is not ready answers a batch: inside the answer, with nothing in the details."""
    return error(code_pb2.INTERNAL, "Server Is Not Ready", _EMPTY)


def _success(written: Written) -> streams_pb2.BatchAppendResp:
    success = streams_pb2.BatchAppendResp.Success()
    if written.revision == NONE:
        success.no_stream.CopyFrom(_EMPTY)
    else:
        success.current_revision = written.revision
    if written.position is None:
        success.no_position.CopyFrom(_EMPTY)
    else:
        success.position.commit_position = success.position.prepare_position = written.position
    return streams_pb2.BatchAppendResp(success=success)


def _wrong_version(current: int, expected: Expected) -> shared_pb2.WrongExpectedVersion:
    wrong = shared_pb2.WrongExpectedVersion()
    if current == NONE:
        wrong.current_no_stream.CopyFrom(_EMPTY)
    else:
        wrong.current_stream_revision = current
    if isinstance(expected, int):
        wrong.expected_stream_position = expected
    else:
        getattr(wrong, f"expected_{_FIELDS[expected]}").CopyFrom(_EMPTY)
    return wrong


def _echo(answer: streams_pb2.BatchAppendResp, expected: Expected) -> None:
    if isinstance(expected, int):
        answer.stream_position = expected
    else:
        getattr(answer, _FIELDS[expected]).CopyFrom(_EMPTY)
