"""What the server says when it does not do what it was asked: status, text and trailers."""

from urllib.parse import quote

from msgspec import Struct

Trailers = tuple[tuple[str, str], ...]


class Failure(Exception):
    """Ends a call with an error. ``code`` is the name of a gRPC status, or OK for a silent end."""

    def __init__(self, code: str, details: str = "", trailers: Trailers = ()) -> None:
        super().__init__(f"{code}: {details}")
        self.code = code
        self.details = details
        self.trailers = trailers

    def anew(self) -> "Failure":
        """The same, to be raised once more.

        A failure that ends many calls would collect the traceback of each, which holds on to the call; and
        with a hundred calls that are held on to, gRPC takes no more of that connection.
        """
        return Failure(self.code, self.details, self.trailers)


class NotReady(Failure):
    """The node cannot serve now. A BatchAppend is told so inside an answer."""

    def __init__(self) -> None:
        super().__init__("UNAVAILABLE", "Server Is Not Ready")


class WrongVersion(Exception):
    """The stream is at ``current`` (-1: there is none), and that was not expected."""

    def __init__(self, current: int) -> None:
        super().__init__(f"the stream is at {current}")
        self.current = current


class StreamDeleted(Exception):
    """The stream was ended for good, or is hidden where it was expected to exist."""


class Endpoint(Struct, frozen=True):
    """Where a node can be reached."""

    host: str
    port: int


def _excepted(name: str, **more: str) -> Trailers:
    """Trailers hold ASCII only, so a name in another script is quoted."""
    return (
        ("exception", name),
        *((key.replace("_", "-"), quote(value, " :/$")) for key, value in more.items()),
    )


def not_leader(leader: Endpoint) -> Failure:
    return Failure(
        "NOT_FOUND",
        "Leader info available",
        _excepted("not-leader", leader_endpoint_host=leader.host, leader_endpoint_port=str(leader.port)),
    )


def unavailable() -> Failure:
    return Failure("UNAVAILABLE", "Connection reset by peer")


def aborted() -> Failure:
    return Failure("ABORTED", "Operation timed out: nobody answered")


def too_slow() -> Failure:
    text = "Operation aborted: Consumer too slow to handle event while live. Client resubscription required."
    return Failure("ABORTED", text)


def access_denied() -> Failure:
    return Failure("PERMISSION_DENIED", "Access Denied", _excepted("access-denied"))


def unauthenticated() -> Failure:
    return Failure("UNAUTHENTICATED", "Bad credentials")


def stream_deleted(stream: str) -> Failure:
    return Failure(
        "FAILED_PRECONDITION",
        f"Event stream '{stream}' is deleted.",
        _excepted("stream-deleted", stream_name=stream),
    )


def wrong_version_on_delete(stream: str, expected: str, current: int) -> Failure:
    return Failure(
        "FAILED_PRECONDITION",
        "Delete failed due to WrongExpectedVersion. "
        f"Stream: {stream}, Expected version: {expected}, Actual version: {current}",
        _excepted(
            "wrong-expected-version",
            stream_name=stream,
            expected_version=expected,
            actual_version=str(current),
        ),
    )


def append_too_large(limit: int) -> Failure:
    return Failure(
        "INVALID_ARGUMENT",
        f"Maximum Append Size of {limit} Exceeded.",
        _excepted("maximum-append-size-exceeded", maximum_append_size=str(limit)),
    )


def metadata_missing() -> Failure:
    return Failure(
        "INVALID_ARGUMENT",
        "Required Metadata Property Missing",
        _excepted("missing-required-metadata-property", required_metadata_properties="type,content-type"),
    )


def thrown_by_handler() -> Failure:
    return Failure("UNKNOWN", "Exception was thrown by handler.")


def invalid_position() -> Failure:
    return Failure("INVALID_ARGUMENT", "Trying to read from an invalid position.")


def unreadable_position(*, filtered: bool) -> Failure:
    kind = "FilteredReadAllResult" if filtered else "ReadAllResult"
    return Failure("UNKNOWN", f"Unexpected {kind}: InvalidPosition")


def _group(code: str, name: str, stream: str, group: str, text: str, **more: str) -> Failure:
    words = f"Subscription group {group} on stream {stream} {text}"
    return Failure(code, words, _excepted(name, stream_name=stream, group_name=group, **more))


def group_exists(stream: str, group: str) -> Failure:
    return _group("ALREADY_EXISTS", "persistent-subscription-exists", stream, group, "exists.")


def group_missing(stream: str, group: str) -> Failure:
    return _group("NOT_FOUND", "persistent-subscription-does-not-exist", stream, group, "does not exist.")


def group_failed(stream: str, group: str, reason: str) -> Failure:
    text = f"failed: '{reason}'"
    return _group("INTERNAL", "persistent-subscription-failed", stream, group, text, reason=reason)


def group_dropped(stream: str, group: str) -> Failure:
    return _group("CANCELLED", "persistent-subscription-dropped", stream, group, "was dropped.")


def group_full(stream: str, group: str) -> Failure:
    text = f"Maximum subscriptions reached for subscription group {group} on stream {stream}."
    names = _excepted("maximum-subscribers-reached", stream_name=stream, group_name=group)
    return Failure("FAILED_PRECONDITION", text, names)
