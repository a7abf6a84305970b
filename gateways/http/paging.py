"""Paging of lists, as an addition: who asks for nothing gets a bare array of at most 1,000."""

from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import urlencode

from msgspec import Struct

from gateways.http.answer import Header
from gateways.http.call import Call
from gateways.http.errors import Invalid, Problem
from gateways.http.routes import Query

T = TypeVar("T", bound=str)

MAX_LIMIT = 1000

LIMIT = Query("limit", "How many at most", {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT})
AFTER = Query("after", "Where the page before ended, from its Link header", {"type": "string"})

BAD_LIMIT = Problem(f"limit must be a whole number from 1 to {MAX_LIMIT}", "limit")


class Paging(Struct, frozen=True):
    limit: int
    after: str | None


def page_of(query: Mapping[str, str]) -> Paging:
    """The page that is asked for. Raises Invalid."""
    limit = query.get("limit", str(MAX_LIMIT))
    if not (limit.isascii() and limit.isdecimal() and len(limit) <= 9 and int(limit) > 0):
        raise Invalid(BAD_LIMIT)
    return Paging(min(int(limit), MAX_LIMIT), query.get("after"))


def one_of(query: Mapping[str, str], name: str, choices: tuple[T, ...]) -> T:
    """The parameter ``name``, by default the first of ``choices``. Raises Invalid."""
    wanted = query.get(name, choices[0])
    for choice in choices:
        if choice == wanted:
            return choice
    raise Invalid(Problem(f"{name} must be one of {', '.join(choices)}", name))


def linked(call: Call, after: str | None, then: int | None = None) -> tuple[Header, ...]:
    """The way to the next page, if there is one. then: the position of the past that all pages are of."""
    if after is None:
        return ()
    asked = {**call.query, "after": after}
    if then is not None:
        asked["asOf"] = str(then)
    target = urlencode(asked)
    return ((b"link", f'<{call.path}?{target}>; rel="next"'.encode()),)
