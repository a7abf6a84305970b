"""What goes wrong, and how it is told: one table from exceptions to answers.

Every answer that is not 2xx has the body ``{"errors":[{"message":…,"field"?:…}]}``; clients of the
classic surface loop over it whatever the status. No handler catches anything.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from msgspec import UNSET, Struct, UnsetType

from domain import order, payment, ticket
from domain.decider import Refused
from gateways.http.answer import Answer, Header, json
from gateways.identity import AccountsUnavailable, BadCredentials, EmailInUse, TooManySignIns
from processmanager.desk import TooManyConflicts, UnreadableStream
from processmanager.ports import OutcomeUnknown, PaymentsUnavailable, StoreUnavailable, WrongRevision
from processmanager.pump import StepFailed
from projections.elsewhere import Away
from projections.paging import BadCursor

# ── The shape ─────────────────────────────────────────────────────────────────────────────────────


class Problem(Struct, frozen=True):
    """One thing that is wrong. ``field``: the part of the request that it is about, if it is one."""

    message: str
    field: str | UnsetType = UNSET


class Problems(Struct, frozen=True):
    errors: list[Problem]


def problem(status: int, message: str, *headers: Header, field: str | UnsetType = UNSET) -> Answer:
    return json(status, Problems([Problem(message, field)]), *headers)


# ── What the edge itself refuses ──────────────────────────────────────────────────────────────────


class Rejected(Exception):
    """The request cannot be taken as it is. The status is one of 4xx."""

    def __init__(self, status: int, message: str, *headers: Header) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers


class Invalid(Exception):
    """Parts of the request break rules; each is named."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems


class NotSignedIn(Exception):
    pass


class NotFound(Exception):
    pass


class Forbidden(Exception):
    """It is there, and not for whoever asks."""


class Unsettled(Exception):
    """What became of a payment is not known yet."""


class TooLate(Exception):
    """The request took too long and was ended. ``reading``: because its body did not arrive."""

    def __init__(self, reading: bool) -> None:
        super().__init__()
        self.reading = reading


# ── The words ─────────────────────────────────────────────────────────────────────────────────────

BAD_AFTER = Problem("after must come from the Link header of the page before", "after")
CLOSE: Header = (b"connection", b"close")
WENT_WRONG = "Something went wrong"
UNAVAILABLE = "Temporarily unavailable, please try again"
UNREADABLE = "This cannot be read at present, and its operator has been told"
UNKNOWN = "The outcome is not known yet; repeat the request with the same Idempotency-Key to learn it"
UNSETTLED = (
    "The outcome of the payment is not known yet; repeat the request with the same Idempotency-Key, "
    "or look at the order, which shows what became of it"
)
KEY_REUSED = "This Idempotency-Key was used before for a different request"


def retry_after(seconds: int) -> Header:
    return (b"retry-after", b"%d" % seconds)


def too_many(seconds: int) -> Answer:
    return problem(429, "Too many requests", retry_after(seconds))


def unavailable(message: str) -> Answer:
    return problem(503, message, retry_after(1))


# ── The table ─────────────────────────────────────────────────────────────────────────────────────

_REFUSALS: dict[str, Callable[[Refused], Answer]] = {
    ticket.UNKNOWN.code: lambda _: problem(404, "Not Found"),
    order.UNKNOWN.code: lambda _: problem(404, "Not Found"),
    ticket.NOT_OWNER.code: lambda _: problem(401, "Not authorized"),
    ticket.BAD_TITLE.code: lambda refused: problem(400, refused.message, field="title"),
    ticket.BAD_PRICE.code: lambda refused: problem(400, refused.message, field="price"),
    ticket.EXISTS.code: lambda _: problem(422, KEY_REUSED),
    order.EXISTS.code: lambda _: problem(422, KEY_REUSED),
    payment.EXISTS.code: lambda _: problem(422, KEY_REUSED),
}


def _refused(refused: Refused) -> Answer:
    told = _REFUSALS.get(refused.code)
    return told(refused) if told else problem(400, refused.message)


def _step_failed(failed: StepFailed) -> Answer:
    """A purchase that was begun, and goes on by itself."""
    return unavailable(UNSETTLED if isinstance(failed.error, PaymentsUnavailable) else UNKNOWN)


def _too_late(error: TooLate) -> Answer:
    if error.reading:
        return problem(408, "The request did not arrive in time", CLOSE)
    return unavailable(UNKNOWN)


def _http(error: HTTPException) -> Answer:
    """What Litestar says: no such route, mostly."""
    if error.status_code >= 500:
        return _unforeseen(error)
    return problem(error.status_code, HTTPStatus(error.status_code).phrase)


def _unreadable(error: UnreadableStream) -> Answer:
    """Nothing is decided on what a newer version wrote, or somebody damaged, before an operator saw it."""
    structlog.get_logger("admitone.http").error("a stream cannot be read", reason=str(error))
    return unavailable(UNREADABLE)


def _unforeseen(error: Exception) -> Answer:
    structlog.get_logger("admitone.http").error("unforeseen error", exc_info=error)
    return problem(500, WENT_WRONG)


_TABLE: dict[type[BaseException], Callable[[Any], Answer]] = {
    Refused: _refused,
    Rejected: lambda error: problem(error.status, error.message, *error.headers),
    Invalid: lambda error: json(400, Problems(list(error.problems))),
    NotSignedIn: lambda _: problem(401, "Not authorized"),
    NotFound: lambda _: problem(404, "Not Found"),
    Forbidden: lambda error: problem(403, str(error)),
    EmailInUse: lambda _: problem(400, "Email in use"),
    BadCredentials: lambda _: problem(400, "Invalid credentials"),
    TooManySignIns: lambda _: too_many(1),
    AccountsUnavailable: lambda _: unavailable(UNAVAILABLE),
    StoreUnavailable: lambda _: unavailable(UNAVAILABLE),
    Away: lambda _: unavailable(UNAVAILABLE),
    UnreadableStream: _unreadable,
    WrongRevision: lambda _: unavailable(UNAVAILABLE),
    TooManyConflicts: lambda _: unavailable(UNAVAILABLE),
    OutcomeUnknown: lambda _: unavailable(UNKNOWN),
    PaymentsUnavailable: lambda _: unavailable(UNSETTLED),
    StepFailed: _step_failed,
    Unsettled: lambda _: unavailable(UNSETTLED),
    TooLate: _too_late,
    BadCursor: lambda _: json(400, Problems([BAD_AFTER])),
    HTTPException: _http,
    Exception: _unforeseen,
}


def answer_to(error: Exception) -> Answer:
    """The answer that tells of ``error``."""
    tell = _TABLE.get(type(error)) or next(_TABLE[kind] for kind in type(error).__mro__ if kind in _TABLE)
    return tell(error)


class _Sendable(Response[bytes]):
    """Litestar wants a Response of its own kind from an exception handler; the answer sends itself."""

    answer: Answer

    def to_asgi_response(self, *_: Any, **__: Any) -> Any:
        return self.answer


def handle(_: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The same table, for what Litestar raises outside of our handlers."""
    response = _Sendable(b"")
    response.answer = answer_to(error)
    return response
