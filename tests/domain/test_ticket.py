"""A ticket is sold exactly once, and nobody but its holder is ever in its way."""

from datetime import UTC, datetime, timedelta

from domain.money import Money
from domain.ticket import (
    BAD_PRICE,
    BAD_TITLE,
    EXISTS,
    LOCKED,
    NOT_HELD,
    NOT_OWNER,
    OWN_TICKET,
    RESERVED,
    UNKNOWN,
    WITHDRAWN,
    Available,
    DelistTicket,
    EditTicket,
    Event,
    ListTicket,
    ReleaseTicket,
    ReserveTicket,
    RetakeTicket,
    ReturnTicket,
    SellTicket,
    Sold,
    TicketDelisted,
    TicketEdited,
    TicketListed,
    TicketReleased,
    TicketReserved,
    TicketReturned,
    TicketSold,
    Unlisted,
    ticket,
)
from tests.specification import given

PRICE = Money(1999, "usd")
HIGHER = Money(2500, "usd")
FREE = Money(0, "usd")
UNTIL = datetime(2026, 11, 22, 7, 21, tzinfo=UTC)

LISTED = TicketListed("sue", "concert", PRICE)
HELD = TicketReserved("o1", "ann", PRICE, UNTIL)
RELEASED = TicketReleased("o1", "expired")
SOLD = TicketSold("o1")
RETURNED = TicketReturned("o1")
DELISTED = TicketDelisted()


def version_after(*events: Event) -> int:
    """The public version of the classic surface."""
    state = ticket.fold(ticket.initial, events)
    assert not isinstance(state, Unlisted)
    return state.listing.version


# ── Listing ───────────────────────────────────────────────────────────────────────────────────────


def test_a_seller_lists_a_ticket() -> None:
    given(ticket).when(ListTicket("sue", "concert", PRICE)).then(LISTED)


def test_a_ticket_listed_twice_is_listed_once() -> None:
    given(ticket, LISTED).when(ListTicket("sue", "concert", PRICE)).then_nothing()


def test_a_listing_does_not_take_the_id_of_another() -> None:
    given(ticket, LISTED).when(ListTicket("bob", "concert", PRICE)).then_refused(EXISTS)
    given(ticket, LISTED).when(ListTicket("sue", "opera", PRICE)).then_refused(EXISTS)
    given(ticket, LISTED).when(ListTicket("sue", "concert", HIGHER)).then_refused(EXISTS)


def test_a_ticket_needs_a_title() -> None:
    given(ticket).when(ListTicket("sue", "", PRICE)).then_refused(BAD_TITLE)
    given(ticket).when(ListTicket("sue", " \t\n", PRICE)).then_refused(BAD_TITLE)
    given(ticket, LISTED).when(EditTicket("sue", " ", PRICE)).then_refused(BAD_TITLE)


def test_a_ticket_costs_more_than_nothing() -> None:
    given(ticket).when(ListTicket("sue", "concert", FREE)).then_refused(BAD_PRICE)
    given(ticket).when(ListTicket("sue", "concert", -PRICE)).then_refused(BAD_PRICE)
    given(ticket, LISTED).when(EditTicket("sue", "concert", FREE)).then_refused(BAD_PRICE)
    given(ticket).when(ListTicket("sue", "concert", Money(1, "usd"))).then(
        TicketListed("sue", "concert", Money(1, "usd"))
    )


def test_nothing_can_be_done_with_a_ticket_that_was_never_listed() -> None:
    for command in (
        EditTicket("sue", "concert", PRICE),
        DelistTicket("sue"),
        ReserveTicket("o1", "ann", UNTIL),
        ReleaseTicket("o1", "expired"),
        SellTicket("o1"),
        ReturnTicket("o1"),
    ):
        given(ticket).when(command).then_refused(UNKNOWN)


# ── Editing and delisting ─────────────────────────────────────────────────────────────────────────


def test_a_seller_edits_his_ticket() -> None:
    given(ticket, LISTED).when(EditTicket("sue", "opera", HIGHER)).then(TicketEdited("opera", HIGHER))


def test_an_edit_that_changes_nothing_is_no_event() -> None:
    given(ticket, LISTED).when(EditTicket("sue", "concert", PRICE)).then_nothing()


def test_a_listing_repeated_after_an_edit_is_the_same_listing() -> None:
    edits = TicketEdited("opera", HIGHER), TicketEdited("the opera", HIGHER)
    again = ListTicket(LISTED.seller, LISTED.title, LISTED.price)
    given(ticket, LISTED, *edits).when(again).then_nothing()
    given(ticket, LISTED, *edits).when(ListTicket(LISTED.seller, "the opera", HIGHER)).then_refused(EXISTS)


def test_an_edit_changes_what_the_next_buyer_pays() -> None:
    edited = TicketEdited("opera", HIGHER)
    given(ticket, LISTED, edited).when(ReserveTicket("o1", "ann", UNTIL)).then(
        TicketReserved("o1", "ann", HIGHER, UNTIL)
    )


def test_only_the_seller_edits_or_delists_whatever_the_state() -> None:
    for history in ((LISTED,), (LISTED, HELD), (LISTED, HELD, SOLD), (LISTED, DELISTED)):
        given(ticket, *history).when(EditTicket("ann", "opera", HIGHER)).then_refused(NOT_OWNER)
        given(ticket, *history).when(DelistTicket("ann")).then_refused(NOT_OWNER)


def test_a_held_or_sold_ticket_cannot_be_edited_or_delisted() -> None:
    for history in ((LISTED, HELD), (LISTED, HELD, SOLD)):
        given(ticket, *history).when(EditTicket("sue", "opera", HIGHER)).then_refused(LOCKED)
        given(ticket, *history).when(DelistTicket("sue")).then_refused(LOCKED)


def test_an_edit_of_a_held_ticket_is_refused_even_if_it_changes_nothing() -> None:
    given(ticket, LISTED, HELD).when(EditTicket("sue", "concert", PRICE)).then_refused("ticket_locked")


def test_a_ticket_back_on_sale_can_be_edited_and_delisted() -> None:
    for history in ((LISTED, HELD, RELEASED), (LISTED, HELD, SOLD, RETURNED)):
        given(ticket, *history).when(EditTicket("sue", "opera", HIGHER)).then(TicketEdited("opera", HIGHER))
        given(ticket, *history).when(DelistTicket("sue")).then(DELISTED)


def test_a_seller_takes_his_ticket_off_sale_once() -> None:
    given(ticket, LISTED).when(DelistTicket("sue")).then(DELISTED)
    given(ticket, LISTED, DELISTED).when(DelistTicket("sue")).then_nothing()


def test_a_delisted_ticket_cannot_be_edited_or_bought() -> None:
    given(ticket, LISTED, DELISTED).when(EditTicket("sue", "opera", HIGHER)).then_refused(WITHDRAWN)
    given(ticket, LISTED, DELISTED).when(ReserveTicket("o1", "ann", UNTIL)).then_refused(WITHDRAWN)


# ── Holding ───────────────────────────────────────────────────────────────────────────────────────


def test_a_shopper_takes_a_ticket_at_its_price_until_a_deadline() -> None:
    given(ticket, LISTED).when(ReserveTicket("o1", "ann", UNTIL)).then(HELD)


def test_a_ticket_held_by_another_order_is_refused() -> None:
    given(ticket, LISTED, HELD).when(ReserveTicket("o2", "bob", UNTIL)).then_refused(RESERVED)


def test_a_second_order_of_the_same_buyer_is_refused_too() -> None:
    given(ticket, LISTED, HELD).when(ReserveTicket("o2", "ann", UNTIL)).then_refused(RESERVED)


def test_a_sold_ticket_is_refused() -> None:
    given(ticket, LISTED, HELD, SOLD).when(ReserveTicket("o2", "bob", UNTIL)).then_refused(RESERVED)


def test_a_reservation_asked_for_twice_is_one_and_keeps_its_first_deadline() -> None:
    later = UNTIL + timedelta(minutes=5)
    given(ticket, LISTED, HELD).when(ReserveTicket("o1", "ann", later)).then_nothing()
    given(ticket, LISTED, HELD, SOLD).when(ReserveTicket("o1", "ann", later)).then_nothing()


def test_another_buyer_does_not_get_a_hold_by_naming_its_order() -> None:
    given(ticket, LISTED, HELD).when(ReserveTicket("o1", "bob", UNTIL)).then_refused(RESERVED)
    given(ticket, LISTED, HELD, SOLD).when(ReserveTicket("o1", "bob", UNTIL)).then_refused(RESERVED)


def test_a_seller_buys_his_own_ticket_only_where_the_policy_allows_it() -> None:
    given(ticket, LISTED).when(ReserveTicket("o1", "sue", UNTIL)).then_refused(OWN_TICKET)
    given(ticket, LISTED).when(ReserveTicket("o1", "sue", UNTIL, own_allowed=True)).then(
        TicketReserved("o1", "sue", PRICE, UNTIL)
    )


def test_a_hold_that_nobody_pays_for_goes_back_on_sale() -> None:
    given(ticket, LISTED, HELD).when(ReleaseTicket("o1", "expired")).then(RELEASED)
    given(ticket, LISTED, HELD, RELEASED).when(ReserveTicket("o2", "bob", UNTIL)).then(
        TicketReserved("o2", "bob", PRICE, UNTIL)
    )


def test_a_dead_orders_timer_frees_nobody_elses_hold() -> None:
    held_by_bob = TicketReserved("o2", "bob", PRICE, UNTIL)
    given(ticket, LISTED, HELD, RELEASED, held_by_bob).when(ReleaseTicket("o1", "expired")).then_nothing()


def test_a_release_of_what_is_not_held_does_nothing() -> None:
    for history in ((LISTED,), (LISTED, HELD, RELEASED), (LISTED, HELD, SOLD), (LISTED, DELISTED)):
        given(ticket, *history).when(ReleaseTicket("o1", "expired")).then_nothing()


# ── Selling and taking back ───────────────────────────────────────────────────────────────────────


def test_a_held_ticket_is_sold_to_its_order_once() -> None:
    given(ticket, LISTED, HELD).when(SellTicket("o1")).then(SOLD)
    given(ticket, LISTED, HELD, SOLD).when(SellTicket("o1")).then_nothing()


def test_a_sold_ticket_belongs_to_the_buyer_who_held_it() -> None:
    state = given(ticket, LISTED, HELD, SOLD).state
    assert isinstance(state, Sold)
    assert (state.order, state.buyer) == ("o1", "ann")


def test_a_ticket_is_sold_to_no_order_that_does_not_hold_it() -> None:
    held_by_bob = TicketReserved("o2", "bob", PRICE, UNTIL)
    for history in (
        (LISTED,),
        (LISTED, HELD, RELEASED),
        (LISTED, HELD, RELEASED, held_by_bob),
        (LISTED, HELD, RELEASED, held_by_bob, TicketSold("o2")),
        (LISTED, HELD, SOLD, RETURNED),
        (LISTED, DELISTED),
    ):
        given(ticket, *history).when(SellTicket("o1")).then_refused(NOT_HELD)


def test_a_ticket_whose_money_was_not_kept_comes_back_on_sale() -> None:
    given(ticket, LISTED, HELD, SOLD).when(ReturnTicket("o1")).then(RETURNED)
    given(ticket, LISTED, HELD, SOLD, RETURNED).when(ReserveTicket("o2", "bob", UNTIL)).then(
        TicketReserved("o2", "bob", PRICE, UNTIL)
    )


def test_a_ticket_sold_to_somebody_else_is_not_taken_back() -> None:
    given(ticket, LISTED, HELD, SOLD).when(ReturnTicket("o2")).then_nothing()


def test_what_was_never_sold_is_not_taken_back() -> None:
    for history in ((LISTED,), (LISTED, HELD), (LISTED, HELD, SOLD, RETURNED), (LISTED, DELISTED)):
        given(ticket, *history).when(ReturnTicket("o1")).then_nothing()


# ── The public version ────────────────────────────────────────────────────────────────────────────


def test_the_public_version_counts_edits_holds_releases_and_returns_but_not_the_sale() -> None:
    assert version_after(LISTED) == 0
    assert version_after(LISTED, TicketEdited("opera", HIGHER)) == 1
    assert version_after(LISTED, HELD) == 1
    assert version_after(LISTED, HELD, RELEASED) == 2
    assert version_after(LISTED, HELD, SOLD) == 1
    assert version_after(LISTED, HELD, SOLD, RETURNED) == 2
    assert version_after(LISTED, DELISTED) == 0


def test_a_hold_and_its_end_leave_title_price_and_seller_as_they_were() -> None:
    state = given(ticket, LISTED, HELD, RELEASED).state
    assert isinstance(state, Available)
    assert (state.listing.seller, state.listing.title, state.listing.price) == ("sue", "concert", PRICE)


# ── Again, for money that came late ───────────────────────────────────────────────────────────────

LATER = UNTIL + timedelta(minutes=10)
RETAKE = RetakeTicket("o1", "ann", "concert", PRICE, LATER)
HELD_AGAIN = TicketReserved("o1", "ann", PRICE, LATER)


def test_a_ticket_that_is_free_as_it_was_ordered_is_held_again() -> None:
    given(ticket, LISTED, HELD, RELEASED).when(RETAKE).then(HELD_AGAIN)
    given(ticket, LISTED, HELD, RELEASED, HELD_AGAIN).when(RETAKE).then_nothing()


def test_a_ticket_that_was_changed_is_not_what_was_paid_for() -> None:
    for edited in (TicketEdited("opera", PRICE), TicketEdited("concert", HIGHER)):
        given(ticket, LISTED, HELD, RELEASED, edited).when(RETAKE).then_refused("ticket_changed")


def test_a_ticket_that_somebody_else_has_is_not_taken_from_him() -> None:
    theirs = TicketReserved("o2", "bob", PRICE, LATER)
    given(ticket, LISTED, HELD, RELEASED, theirs).when(RETAKE).then_refused("ticket_reserved")
    given(ticket, LISTED, HELD, RELEASED, theirs, TicketSold("o2")).when(RETAKE).then_refused(
        "ticket_reserved"
    )
    given(ticket, LISTED, HELD, RELEASED, DELISTED).when(RETAKE).then_refused("ticket_delisted")


def test_a_word_about_an_old_hold_does_not_touch_the_new_one() -> None:
    again = (LISTED, HELD, RELEASED, HELD_AGAIN)
    given(ticket, *again).when(ReleaseTicket("o1", "expired", UNTIL)).then_nothing()
    given(ticket, *again).when(ReleaseTicket("o1", "expired", LATER)).then(RELEASED)
    given(ticket, *again).when(SellTicket("o1", UNTIL)).then_refused("ticket_not_held")
    given(ticket, *again).when(SellTicket("o1", LATER)).then(SOLD)
    given(ticket, *again, SOLD).when(ReturnTicket("o1", UNTIL)).then_nothing()
    given(ticket, *again, SOLD).when(ReturnTicket("o1", LATER)).then(RETURNED)
