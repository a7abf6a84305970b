"""The catalogue: what is for sale, and what a seller has listed."""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, assert_never

import msgspec
from msgspec import Struct

from domain.decider import Recorded
from domain.money import Money
from domain.ticket import (
    TicketDelisted,
    TicketEdited,
    TicketListed,
    TicketReleased,
    TicketReserved,
    TicketReturned,
)
from projections.outside import Readable
from projections.paging import BadCursor, Number, Page, cursor, place
from projections.projection import Handler, Projection, Statement, by_type

# ── Rows ──────────────────────────────────────────────────────────────────────────────────────────
# listed: the position of the listing, which orders all listings. folded: the title as it is compared.
# order_id: who holds or has bought it; a sale changes nothing else here, so it is no event of interest.

_TABLES = """
CREATE TABLE ticket(
    listed INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, seller TEXT NOT NULL,
    title TEXT NOT NULL, folded TEXT NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL,
    version INTEGER NOT NULL, order_id TEXT, delisted INTEGER NOT NULL, for_sale INTEGER NOT NULL
);
CREATE TABLE for_sale(tickets INTEGER NOT NULL);
INSERT INTO for_sale VALUES (0);
"""

_UPKEEP = (
    "CREATE INDEX by_listing ON ticket(listed) WHERE for_sale = 1",
    "CREATE INDEX by_price ON ticket(amount, listed) WHERE for_sale = 1",
    "CREATE INDEX by_title ON ticket(folded, listed) WHERE for_sale = 1",
    "CREATE INDEX by_seller ON ticket(seller, listed)",
    """CREATE TRIGGER listed AFTER INSERT ON ticket
        BEGIN UPDATE for_sale SET tickets = tickets + new.for_sale; END""",
    """CREATE TRIGGER changed AFTER UPDATE OF for_sale ON ticket WHEN new.for_sale <> old.for_sale
        BEGIN UPDATE for_sale SET tickets = tickets + new.for_sale - old.for_sale; END""",
    "UPDATE for_sale SET tickets = (SELECT count(*) FROM ticket WHERE for_sale = 1)",
)

_LIST = "INSERT INTO ticket VALUES (?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 1)"
_EDIT = """UPDATE ticket SET title = ?, folded = ?, amount = ?, currency = ?, version = version + 1
    WHERE id = ?"""
_RESERVE = "UPDATE ticket SET order_id = ?, for_sale = 0, version = version + 1 WHERE id = ?"
_RELEASE = "UPDATE ticket SET order_id = NULL, for_sale = 1, version = version + 1 WHERE id = ?"
_DELIST = "UPDATE ticket SET delisted = 1, for_sale = 0 WHERE id = ?"


def _listed(recorded: Recorded[TicketListed]) -> tuple[Statement]:
    event, title = recorded.event, recorded.event.title
    values = (
        recorded.position,
        recorded.key,
        event.seller,
        title,
        title.casefold(),
        event.price.amount,
        event.price.currency,
    )
    return ((_LIST, values),)


def _edited(recorded: Recorded[TicketEdited]) -> tuple[Statement]:
    title, price = recorded.event.title, recorded.event.price
    return ((_EDIT, (title, title.casefold(), price.amount, price.currency, recorded.key)),)


def _reserved(recorded: Recorded[TicketReserved]) -> tuple[Statement]:
    return ((_RESERVE, (recorded.event.order, recorded.key)),)


def _released(recorded: Recorded[TicketReleased | TicketReturned]) -> tuple[Statement]:
    return ((_RELEASE, (recorded.key,)),)


def _delisted(recorded: Recorded[TicketDelisted]) -> tuple[Statement]:
    return ((_DELIST, (recorded.key,)),)


_HANDLERS: dict[type, Handler] = {
    TicketListed: _listed,
    TicketEdited: _edited,
    TicketReserved: _reserved,
    TicketReleased: _released,
    TicketReturned: _released,
    TicketDelisted: _delisted,
}

CATALOGUE = Projection(
    name="catalogue",
    version=1,
    events=tuple(_HANDLERS),
    tables=_TABLES,
    apply=by_type(_HANDLERS),
    upkeep=_UPKEEP,
)

# ── Questions ─────────────────────────────────────────────────────────────────────────────────────

Sort: TypeAlias = Literal["listed", "price", "title"]

_ORDERS: dict[Sort, tuple[str, ...]] = {
    "listed": ("listed",),
    "price": ("amount", "listed"),
    "title": ("folded", "listed"),
}
_PLACES: dict[Sort, Any] = {
    "listed": tuple[Literal["listed"], bool, Number],
    "price": tuple[Literal["price"], bool, Number, Number],
    "title": tuple[Literal["title"], bool, str, Number],
}

_FEW = 1_000
"""So many matches of a search are sorted. Where there are more, a page is soon filled in any order."""


class CatalogueItem(Struct, frozen=True):
    """A listing. ``order``: who holds or has bought it. ``listed_position``: its place in the log."""

    id: str
    title: str
    price: Money
    seller: str
    version: int
    order: str | None
    listed_position: int
    delisted: bool


_SELECT = "SELECT id, title, amount, currency, seller, version, order_id, listed, delisted FROM ticket"
_CONTAINS = "instr(folded, ?) > 0"


class Catalogue:
    def __init__(self, model: Readable) -> None:
        self.model = model

    def for_sale(
        self,
        *,
        text: str | None = None,
        seller: str | None = None,
        sort: Sort = "listed",
        descending: bool = False,
        limit: int = 50,
        after: str | None = None,
    ) -> Page[CatalogueItem]:
        """What can be bought now, one page of at most ``limit``.

        text: words that all occur in the title, in any order and letter case, also within words.
        sort: by place in the log, by price in minor units, or by title; equals by place in the log.
        after: the ``next`` of the page before, asked for with the same ``sort`` and ``descending``.
        Raises BadCursor. The page's ``total`` is known when neither ``text`` nor ``seller`` is given.
        """
        where, values = ["for_sale = 1"], list[str | int]()
        words = (text or "").casefold().split()
        if seller is not None:
            where.append("seller = ?")
            values.append(seller)
        elif words:
            self._narrow(words, where, values)
        for word in words:
            where.append(_CONTAINS)
            values.append(word)
        columns, sign, way = _ORDERS[sort], "<" if descending else ">", " DESC" if descending else ""
        if after is not None:
            where.append(f"({', '.join(columns)}) {sign} ({', '.join('?' * len(columns))})")
            values += _key_in(after, sort, descending)
        # Column names come from the tables above; whatever came from outside goes as a value.
        found = self.model.rows(
            f"{_SELECT} WHERE {' AND '.join(where)} ORDER BY {', '.join(c + way for c in columns)} LIMIT ?",
            *values,
            limit + 1,
        )
        items = [_item(*row) for row in found[:limit]]
        more = cursor(sort, descending, *_key_of(items[-1], sort)) if len(found) > limit else None
        return Page(items, more, None if words or seller is not None else self._total())

    def seller(self, seller: str) -> list[CatalogueItem]:
        """All that ``seller`` has listed, in any state, oldest first."""
        return [_item(*row) for row in self.model.rows(f"{_SELECT} WHERE seller = ? ORDER BY listed", seller)]

    def for_sale_beside(self, currency: str) -> list[str]:
        """The other currencies in which tickets are for sale. Looks at each of them: not for a request."""
        asked = "SELECT DISTINCT currency FROM ticket WHERE for_sale = 1 AND currency <> ? ORDER BY currency"
        return [found for (found,) in self.model.rows(asked, currency)]

    def _narrow(self, words: Sequence[str], where: list[str], values: list[str | int]) -> None:
        """Look through the titles, which stand together in one index; the few that match are sorted then.

        A scan (18 ms for 100,000 titles when nothing matches, no time when much does) costs writers
        nothing, where an index of words or trigrams would cost every listing several times its price.
        """
        contains = " AND ".join([_CONTAINS] * len(words))
        sql = f"SELECT listed FROM ticket WHERE for_sale = 1 AND {contains} ORDER BY folded, listed LIMIT ?"  # noqa: S608
        matches = self.model.rows(sql, *words, _FEW + 1)
        if len(matches) <= _FEW:
            where.append("listed IN (SELECT value FROM json_each(?))")
            values.append(msgspec.json.encode([listed for (listed,) in matches]).decode())

    def _total(self) -> int:
        tickets: int = self.model.rows("SELECT tickets FROM for_sale")[0][0]
        return tickets


def _key_of(item: CatalogueItem, sort: Sort) -> tuple[str | int, ...]:
    """The values by which ``sort`` puts ``item`` in its place."""
    match sort:
        case "listed":
            return (item.listed_position,)
        case "price":
            return (item.price.amount, item.listed_position)
        case "title":
            return (item.title.casefold(), item.listed_position)
        case _:
            assert_never(sort)


def _key_in(after: str, sort: Sort, descending: bool) -> tuple[str | int, ...]:
    _, was_descending, *key = place(after, _PLACES[sort])
    if was_descending != descending:
        raise BadCursor("this page went the other way")
    return tuple(key)


def _item(
    key: str,
    title: str,
    amount: int,
    currency: str,
    seller: str,
    version: int,
    order: str | None,
    listed: int,
    delisted: int,
) -> CatalogueItem:
    return CatalogueItem(key, title, Money(amount, currency), seller, version, order, listed, bool(delisted))
