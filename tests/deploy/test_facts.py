"""Facts as a person reads them in a terminal."""

from msgspec import structs

from deploy.facts import as_json, as_line, as_short_line
from domain.decider import AnyRecorded, Unreadable
from domain.ticket import TicketListed
from tests.deploy.logbook import PRICE, bought, listed

LONG_ID = "6b035e69abcdef0101234567"


def first(event: object) -> AnyRecorded:
    return structs.replace(listed().facts[0], event=event)


def test_a_line_says_where_when_and_what_with_long_ids_cut_short() -> None:
    line = as_line(first(TicketListed(LONG_ID, "Front row", PRICE))).plain
    assert line.split()[0] == "1"
    assert 'TicketListed seller=…1234567 title="Front row" price="49.50 USD"' in line


def test_a_title_cannot_give_orders_to_the_terminal() -> None:
    line = as_line(first(TicketListed("s", "\x1b[2J\x1b]0;owned\x07\r\n\u202etitle", PRICE))).plain
    assert line.isprintable()


def test_a_short_line_leaves_out_what_the_steps_beside_it_say() -> None:
    line = as_short_line(bought().facts[1]).plain
    assert line.startswith("TicketReserved ticket-t order=o price=")
    assert "buyer" not in line


def test_an_event_that_cannot_be_read_is_shown_as_what_it_is() -> None:
    fact = first(Unreadable("TicketTeleported", b"\xff{}", "a newer version wrote it"))
    assert "TicketTeleported cannot be read: a newer version wrote it" in as_line(fact).plain
    assert b'"unreadable":"a newer version wrote it"' in as_json(fact)
