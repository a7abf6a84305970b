"""What is for sale: found, sorted, and turned page by page while it changes."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings

from domain import ticket
from domain.money import Money
from domain.ticket import (
    TicketDelisted,
    TicketEdited,
    TicketListed,
    TicketReleased,
    TicketReserved,
    TicketReturned,
    TicketSold,
)
from projections.catalogue import CATALOGUE, Catalogue, CatalogueItem, Sort
from projections.paging import BadCursor, cursor
from projections.read_model import ReadModel
from tests.projections.histories import Choice, Marketplace, histories
from tests.projections.memory_log import NOON, MemoryLog

TITLES = ["jazz Night", "Opera", "Jazz & more", "straße", "Night of the opera", "100% _rock_", "Opera"]


def price(amount: int) -> Money:
    return Money(amount, "usd")


class Shop:
    def __init__(self) -> None:
        self.log = MemoryLog()
        self.model = ReadModel(CATALOGUE, ":memory:")
        self.catalogue = Catalogue(self.model)

    def tell(self, key: str, *events: object) -> None:
        self.log.append(f"ticket-{key}", *events)
        self.model.feed(self.log.events)

    def found(self, text: str, sort: Sort = "listed") -> list[str]:
        return [item.title for item in self.catalogue.for_sale(text=text, sort=sort).items]

    def all(self, **question: object) -> list[CatalogueItem]:
        """Page after page."""
        items, after = list[CatalogueItem](), None
        while True:
            page = self.catalogue.for_sale(after=after, **question)  # type: ignore[arg-type]  # handed on
            items += page.items
            after = page.next
            if after is None:
                return items


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    shop.model.close()


@pytest.fixture
def full(shop: Shop) -> Shop:
    for number, title in enumerate(TITLES):
        shop.tell(f"t{number}", TicketListed(f"s{number % 2}", title, price(500 - number // 2 * 100)))
    return shop


HELD = TicketReserved("o", "bob", price(1), NOON)


def test_a_listing_is_for_sale_as_it_was_listed(shop: Shop) -> None:
    shop.tell("a", TicketListed("ann", "Jazz", price(1999)))
    page = shop.catalogue.for_sale()
    assert page.items == [CatalogueItem("a", "Jazz", price(1999), "ann", 0, None, 1, delisted=False)]
    assert page.total == 1
    assert page.next is None


def test_a_held_ticket_is_not_for_sale_and_its_seller_sees_whose_it_is(shop: Shop) -> None:
    shop.tell("a", TicketListed("ann", "Jazz", price(1999)), HELD)
    assert shop.catalogue.for_sale().items == []
    assert shop.catalogue.for_sale().total == 0
    assert [(item.order, item.version) for item in shop.catalogue.seller("ann")] == [("o", 1)]
    shop.tell("a", TicketSold("o"))
    assert [(item.order, item.version) for item in shop.catalogue.seller("ann")] == [("o", 1)]


@pytest.mark.parametrize("back", [(TicketReleased("o", "expired"),), (TicketSold("o"), TicketReturned("o"))])
def test_a_ticket_that_comes_back_is_for_sale_again(shop: Shop, back: tuple[object, ...]) -> None:
    shop.tell("a", TicketListed("ann", "Jazz", price(1999)), HELD, *back)
    assert [(item.order, item.version) for item in shop.catalogue.for_sale().items] == [(None, 2)]
    assert shop.catalogue.for_sale().total == 1


def test_a_delisted_ticket_is_only_its_sellers(shop: Shop) -> None:
    shop.tell("a", TicketListed("ann", "Jazz", price(1999)), TicketDelisted())
    assert shop.catalogue.for_sale().items == []
    assert [item.delisted for item in shop.catalogue.seller("ann")] == [True]


def test_an_edit_changes_title_and_price(shop: Shop) -> None:
    shop.tell("a", TicketListed("ann", "Jazz", price(1999)), TicketEdited("Blues", Money(5, "jpy")))
    [item] = shop.catalogue.for_sale(text="blues").items
    assert (item.title, item.price, item.version) == ("Blues", Money(5, "jpy"), 1)
    assert shop.found("jazz") == []


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("JAZZ", ["jazz Night", "Jazz & more"]),
        ("night opera", ["Night of the opera"]),
        ("pera", ["Opera", "Night of the opera", "Opera"]),
        ("STRASSE", ["straße"]),
        ("100% _", ["100% _rock_"]),
        ("%", ["100% _rock_"]),
        ("tango", []),
        ("  ", TITLES),
        ("'; DROP TABLE ticket", []),
        ("nul\0", []),
    ],
)
def test_a_search_finds_words_and_parts_of_words_in_any_letter_case(
    full: Shop, text: str, titles: list[str]
) -> None:
    assert full.found(text) == titles


def test_many_matches_are_found_in_order_too(full: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.catalogue._FEW", 1)
    assert full.found("a", "title") == [
        "Jazz & more",
        "jazz Night",
        "Night of the opera",
        *["Opera"] * 2,
        "straße",
    ]


def test_lists_are_ascending_by_creation_by_default(full: Shop) -> None:
    assert [item.title for item in full.catalogue.for_sale().items] == TITLES


def test_one_sellers_tickets_can_be_asked_for(full: Shop) -> None:
    assert [item.id for item in full.all(seller="s1", limit=2)] == ["t1", "t3", "t5"]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("sort", ["listed", "price", "title"])
def test_pages_hold_everything_once_and_in_order(
    full: Shop, sort: Sort, descending: bool, limit: int
) -> None:
    items = full.all(sort=sort, descending=descending, limit=limit)
    keys = {
        "listed": lambda item: (item.listed_position,),
        "price": lambda item: (item.price.amount, item.listed_position),
        "title": lambda item: (item.title.casefold(), item.listed_position),
    }
    assert sorted(item.id for item in items) == [f"t{number}" for number in range(7)]
    assert items == sorted(items, key=keys[sort], reverse=descending)


def test_a_sale_between_two_pages_hides_and_repeats_nothing_else(full: Shop) -> None:
    first = full.catalogue.for_sale(limit=3)
    full.tell("t0", HELD)
    full.tell("t4", HELD)
    full.tell("new", TicketListed("s0", "New", price(1)))
    rest = full.catalogue.for_sale(limit=50, after=first.next)
    assert [item.id for item in rest.items] == ["t3", "t5", "t6", "new"]


@pytest.mark.parametrize(
    "after",
    [
        "",
        "x",
        "ä",
        "!!!!",
        "bm9uZQ",
        cursor("listed"),
        cursor("price", False, 1, 1),
        cursor("listed", True, 1),
        cursor("listed", False, 2**63),
        cursor("listed", False, "1"),
        cursor("listed", False, -1),
    ],
)
def test_a_cursor_that_is_none_is_refused(full: Shop, after: str) -> None:
    with pytest.raises(BadCursor):
        full.catalogue.for_sale(after=after)
    assert issubclass(BadCursor, ValueError)


@given(choices=histories)
@settings(max_examples=100, deadline=None)
def test_what_is_for_sale_is_what_is_available(choices: list[Choice]) -> None:
    marketplace = Marketplace()
    model = ReadModel(CATALOGUE, ":memory:")
    model.feed(marketplace.play(choices))
    page = Catalogue(model).for_sale()
    states = {f"t{number}": marketplace.state(ticket.ticket, f"t{number}") for number in range(3)}
    available = {
        key: (state.listing.title, state.listing.price, state.listing.seller, state.listing.version)
        for key, state in states.items()
        if isinstance(state, ticket.Available)
    }
    assert {i.id: (i.title, i.price, i.seller, i.version) for i in page.items} == available
    assert page.total == len(available)
    holders = {item.id: item.order for seller in ("s0", "s1") for item in Catalogue(model).seller(seller)}
    assert holders == {
        key: getattr(state, "order", None)
        for key, state in states.items()
        if not isinstance(state, ticket.Unlisted)
    }
    model.close()
