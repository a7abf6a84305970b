"""Search of PaymentIntents. https://docs.stripe.com/search

Stripe warns that what was written a moment ago is not found yet; ``search_lag`` (a fact that a test sets,
in seconds) holds new objects back, so that code which reads its own writes by a search is caught.
"""

import re
from typing import Any

import msgspec
from msgspec import Struct

from tests.stripe.bank import Bank, Call
from tests.stripe.errors import StripeError, invalid
from tests.stripe.params import Given, read
from tests.stripe.shapes import PaymentIntent

_CLAUSE = re.compile(
    r"""\s*(-?)(amount|created|currency|customer|status|metadata\[(?:'([^']*)'|"([^"]*)")\])"""
    r"""\s*(:|<=|>=|<|>)\s*(?:'([^']*)'|"([^"]*)"|(null|\d+))\s*""",
)
_SIGNS = {":": "=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
LAG = "search_lag"


class Found(Struct, kw_only=True):
    object: str = "search_result"
    data: list[Any]
    has_more: bool
    next_page: str | None
    total_count: int | None = None
    url: str = "/v1/payment_intents/search"


class _Searching(Given, kw_only=True):
    query: str
    limit: int = 10
    page: str | None = None


def search(bank: Bank, call: Call) -> Found:
    given = read(_Searching, call.params)
    if not 1 <= given.limit <= 100:
        raise invalid("Invalid integer: limit must be between 1 and 100", param="limit")
    condition, values = _condition(given.query)
    start = int(given.page) if given.page and given.page.isdigit() else 0
    newest = bank.clock.now() - float(bank.ledger.fact(LAG) or 0)
    rows = bank.ledger.db.execute(
        f"SELECT body FROM objects WHERE kind = 'PaymentIntent' AND created <= ? AND ({condition}) "
        "ORDER BY seq DESC LIMIT ? OFFSET ?",
        (newest, *values, given.limit + 1, start),
    ).fetchall()
    more = len(rows) > given.limit
    return Found(
        data=[msgspec.json.decode(body, type=PaymentIntent) for (body,) in rows[: given.limit]],
        has_more=more,
        next_page=str(start + given.limit) if more else None,
    )


def _condition(query: str) -> tuple[str, list[Any]]:
    """Clauses that all hold, or of which any holds; the two may not be mixed, as the page says."""
    words = re.split(r"\s+(AND|OR)\s+", query.strip(), flags=re.IGNORECASE)
    joints = {word.upper() for word in words[1::2]}
    if len(joints) > 1:
        raise _unreadable(query)
    parts, values = [], list[Any]()
    for word in words[0::2]:
        clause = _CLAUSE.fullmatch(word)
        if clause is None:
            raise _unreadable(query)
        minus, field, single, double, sign, quoted, quoted_double, bare = clause.groups()
        key = single if single is not None else double
        path = f'$.metadata."{key}"' if key is not None else f"$.{field}"
        if bare == "null":
            part, value = "json_extract(body, ?) IS NULL", []
        else:
            text = quoted if quoted is not None else quoted_double
            value = [int(bare) if bare is not None else text]
            part = f"json_extract(body, ?) {_SIGNS[sign]} ?"
        parts.append(f"NOT coalesce({part}, 0)" if minus else part)
        values += [path, *value]
    return f" {joints.pop() if joints else 'AND'} ".join(parts), values


def _unreadable(query: str) -> StripeError:
    return invalid(f"The search query {query[:200]!r} cannot be read", param="query")
