"""What the client's errors mean for us: was something written, is it worth another try, who leads?"""

from typing import Any

from esdbclient.exceptions import (
    AccessDeniedError,
    BadRequestError,
    DiscoveryFailed,
    EventStoreDBClientException,
    MaximumAppendSizeExceededError,
    NodeIsNotLeader,
    NotFound,
    ServiceUnavailable,
    SSLError,
    StreamIsDeleted,
    WrongCurrentVersion,
)
from msgspec import Struct

from processmanager.ports import StoreUnavailable


class NotAuthorised(StoreUnavailable):
    """EventStoreDB does not accept the credentials, or does not allow them what was asked."""


class TooLarge(ValueError):
    """One append holds more than EventStoreDB takes at once: 1 MiB, unless it was told otherwise."""


class Trouble(Struct, frozen=True):
    """An error that says nothing about the stream, only about reaching the store.

    reason: one line. unwritten: nothing can have been written. again: another try may succeed.
    moved: another node may serve us; leader: the one that was named.
    """

    reason: str
    unwritten: bool
    again: bool = True
    moved: bool = False
    leader: str | None = None


_NEVER_SENT = (
    "failed to connect",
    "connection refused",
    "name resolution",
    "dns resolution",
    "empty address list",
    "server is not ready",
    "server is too busy",
    "server is busy",
    "handshake",
    "rst_stream with error code 7",  # REFUSED_STREAM (RFC 9113, 8.7): nobody has looked at it
    "ssl_error",
)
_NOT_READY = "google.protobuf.Empty"
_ANSWERS = (NotFound, StreamIsDeleted, WrongCurrentVersion)
_FINAL = ("RESOURCE_EXHAUSTED", "INVALID_ARGUMENT", "UNIMPLEMENTED")
_FORBIDDEN = ("PERMISSION_DENIED", "UNAUTHENTICATED")


def refusal(error: Exception) -> Exception | None:
    """The error to raise where EventStoreDB will never take what it was given; None for any other."""
    if isinstance(error, MaximumAppendSizeExceededError):
        return TooLarge(f"EventStoreDB does not take so much at once: {error}")
    if isinstance(error, BadRequestError):
        return ValueError(f"EventStoreDB does not take such an event: {error}")
    if isinstance(error, AccessDeniedError) or _code(error) in _FORBIDDEN:
        return NotAuthorised(f"EventStoreDB refuses us: {_line(error)}")
    if isinstance(error, DiscoveryFailed) and any(f"StatusCode.{code}" in str(error) for code in _FORBIDDEN):
        # The client tells of the nodes' answers only in its text.
        return NotAuthorised("EventStoreDB refuses us: no node of the cluster accepts user and password")
    return None


def trouble(error: Exception) -> Trouble | None:
    """What an error says about reaching the store; None if it is an answer about a stream."""
    if isinstance(error, _ANSWERS) or not _is_of_transport(error):
        return None
    if isinstance(error, NodeIsNotLeader):
        leader = error.leader_grpc_target
        return Trouble("the node does not lead its cluster", unwritten=True, moved=True, leader=leader)
    if isinstance(error, DiscoveryFailed):
        return Trouble(_line(error), unwritten=True, moved=True)
    if isinstance(error, ServiceUnavailable):
        text = _line(error)
        return Trouble(text, unwritten=_never_sent(text), again=not isinstance(error, SSLError), moved=True)
    if _code(error) in _FINAL:
        return Trouble(_line(error), unwritten=True, again=False)
    if isinstance(error, TimeoutError):
        return Trouble("it did not answer in time", unwritten=False, moved=True)
    text = _line(error)
    if type(error) is EventStoreDBClientException:
        # The client has no name for the answer to a batch that says that the node is not ready.
        return Trouble(text, unwritten=_NOT_READY in text, moved=True)
    return Trouble(text, unwritten=False)


def _never_sent(text: str) -> bool:
    return any(sign in text.lower() for sign in _NEVER_SENT)


def _is_of_transport(error: Exception) -> bool:
    """What the client raises, and what it lets through: errors of gRPC itself, and our own time limits."""
    is_grpc = type(error).__module__.partition(".")[0] == "grpc"
    return is_grpc or isinstance(error, EventStoreDBClientException | TimeoutError)


def _status(error: Exception) -> Any:
    """gRPC's error inside one of the client's, which tells status and details; None if there is none."""
    inner = error.args[0] if error.args else None
    return inner if hasattr(inner, "code") and hasattr(inner, "details") else None


def _code(error: Exception) -> str | None:
    status = _status(error)
    return None if status is None else status.code().name


def _line(error: Exception) -> str:
    """One line: the gRPC status and its details where there are such, else the error's own text."""
    status = _status(error)
    if status is not None:
        return f"{status.code().name}: {_one_line(status.details())}"
    return _one_line(str(error)) or type(error).__name__


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())[:300]
