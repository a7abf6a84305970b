"""Lists, newest first, a page at a time. https://docs.stripe.com/api/pagination"""

from typing import Any

import msgspec
from msgspec import Struct, field

from tests.stripe.bank import Bank, Call
from tests.stripe.errors import invalid, missing
from tests.stripe.params import Given, read
from tests.stripe.shapes import Stored

MOST = 100


class Page(Struct, kw_only=True):
    object: str = "list"
    data: list[Any]
    has_more: bool
    url: str


class Range(Given, kw_only=True):
    gt: int | None = None
    gte: int | None = None
    lt: int | None = None
    lte: int | None = None


class _Paging(Given, kw_only=True):
    limit: int = 10
    starting_after: str | None = None
    ending_before: str | None = None
    created: int | Range | None = None


class Conditions(Struct):
    """Parts of a WHERE clause, and the values in them."""

    parts: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def add(self, part: str, *values: Any) -> None:
        self.parts.append(part)
        self.values.extend(values)


class Listing:
    """The endpoint that lists one kind. ``filters``: the fields that may be asked for by their value."""

    def __init__(self, kind: type[Stored], url: str, *filters: str) -> None:
        self._kind = kind
        self._url = url
        self._filters = filters

    def __call__(self, bank: Bank, call: Call) -> Page:
        params = dict(call.params)
        chosen = {name: params.pop(name) for name in self._filters if name in params}
        types = params.pop("types", None) if self._kind.__name__ == "Event" else None
        paging = read(_Paging, params)
        if not 1 <= paging.limit <= MOST:
            raise invalid(f"Invalid integer: limit must be between 1 and {MOST}", param="limit")
        where = Conditions()
        where.add("kind = ?", self._kind.__name__)
        for name, value in chosen.items():
            where.add(f"json_extract(body, '$.{name}') = ?", str(value))
        if types is not None:
            where.add(f"json_extract(body, '$.type') IN ({', '.join('?' * len(types))})", *types)
        _add_created(where, paging.created)
        return self._page(bank, where, paging)

    def _page(self, bank: Bank, where: Conditions, paging: _Paging) -> Page:
        backwards = paging.ending_before is not None
        if paging.starting_after is not None:
            where.add("seq < ?", self._place(bank, paging.starting_after, "starting_after"))
        if paging.ending_before is not None:
            where.add("seq > ?", self._place(bank, paging.ending_before, "ending_before"))
        order = "ASC" if backwards else "DESC"
        rows = bank.ledger.db.execute(
            f"SELECT body FROM objects WHERE {' AND '.join(where.parts)} ORDER BY seq {order} LIMIT ?",
            (*where.values, paging.limit + 1),
        ).fetchall()
        found = [msgspec.json.decode(body, type=self._kind) for (body,) in rows[: paging.limit]]
        if backwards:
            found.reverse()
        return Page(data=found, has_more=len(rows) > paging.limit, url=self._url)

    def _place(self, bank: Bank, name: str, param: str) -> int:
        row = bank.ledger.db.execute(
            "SELECT seq FROM objects WHERE id = ? AND kind = ?", (name, self._kind.__name__)
        ).fetchone()
        if row is None:
            raise missing(self._kind.__name__.lower(), name, param=param, status=400)
        return int(row[0])


def _add_created(where: Conditions, created: int | Range | None) -> None:
    if isinstance(created, int):
        where.add("created = ?", created)
    elif created is not None:
        for name, sign in (("gt", ">"), ("gte", ">="), ("lt", "<"), ("lte", "<=")):
            if (value := getattr(created, name)) is not None:
                where.add(f"created {sign} ?", value)
