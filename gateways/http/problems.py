"""Errors under /api/v1: problem details as in RFC 9457; and a page for whoever looks with a browser.

They are made from the answers of the one table of errors, so both surfaces say the same of the same.
"""

from http import HTTPStatus

import msgspec
from msgspec import UNSET, Struct, UnsetType

from gateways.http.answer import Answer, Header
from gateways.http.call import Call
from gateways.http.errors import Problem, Problems
from gateways.http.pages import page, wants_page

V1 = "/api/v1/"
MEDIA = "application/problem+json"
_TYPE: Header = (b"content-type", MEDIA.encode())

_PLAIN = {
    (401, "Not authorized"): (
        "Please sign in",
        "You are not signed in, or not any more. Sign in, and open this page again.",
    ),
    (404, "Not Found"): ("Not found", "There is nothing under this address. Was it copied as a whole?"),
}
"""What a person is told in a page, where the words for programs say little."""

_told: msgspec.json.Decoder[Problems] = msgspec.json.Decoder(Problems)


class ProblemDetails(Struct, frozen=True):
    """title: the status in words. detail: what was wrong. errors: part by part, if several are named."""

    title: str
    status: int
    detail: str
    type: str = "about:blank"
    errors: list[Problem] | UnsetType = UNSET


def in_detail(call: Call, answer: Answer) -> Answer:
    """The error ``answer`` as it is told under /api/v1, and in a browser."""
    problems = _told.decode(answer.body).errors
    detail = "; ".join(problem.message for problem in problems)
    title = HTTPStatus(answer.status).phrase
    if wants_page(call):
        title, detail = _PLAIN.get((answer.status, detail), (title.capitalize(), detail))
        return page("problem.html", answer.headers, status=answer.status, title=title, detail=detail)
    named = problems if any(problem.field is not UNSET for problem in problems) else UNSET
    body = msgspec.json.encode(ProblemDetails(title, answer.status, detail, errors=named))
    return Answer(answer.status, body, answer.headers, _TYPE)
