"""Read models say the same however they were fed, and what they say agrees with the log.

The agendas were fed in pieces by two processes that died and began again; a new one is fed all at once.
For one history in ``RARELY`` the models that answer people are fed in pieces too, with repeats.
"""

from collections import Counter
from collections.abc import Sequence
from random import Random

from domain.decider import AnyRecorded
from projections.catalogue import CATALOGUE, Catalogue
from projections.file import MEMORY
from projections.ledger import LEDGER
from projections.orders import ORDERS, Orders
from projections.projection import Projection
from projections.read_model import ReadModel
from tests.simulation.history import History
from tests.simulation.people import BUYERS, SELLERS
from tests.simulation.read_models import dump, empty_agenda, put_back
from tests.simulation.violation import Violation
from tests.simulation.words import Words

SAME = "a read model equals its rebuild"
TRUE = "a read model agrees with the log"
RARELY = 20
STATUS = {"complete": "completed", "cancelled": "cancelled"}


def check_read_models(history: History, words: Words) -> None:
    """Raises Violation."""
    facts = history.log.facts
    rebuilt = empty_agenda()
    rebuilt.feed(facts)
    for process in history.processes:
        process.feed()
        _same(process.model, rebuilt)
    put_back(rebuilt)
    if history.rng.random() * RARELY < 1:
        catalogue, orders, ledger = (_both(each, facts, history.rng) for each in (CATALOGUE, ORDERS, LEDGER))
        _catalogue_is_true(Catalogue(catalogue), words)
        _orders_are_true(Orders(orders), words)
        _ledger_is_true(ledger, history)
        for model in (catalogue, orders, ledger):
            model.close()


def _both(projection: Projection, facts: Sequence[AnyRecorded], rng: Random) -> ReadModel:
    """The projection, fed in pieces that overlap, and found equal to the one that is fed at once."""
    pieces, at_once = ReadModel(projection, MEMORY), ReadModel(projection, MEMORY)
    at_once.feed(facts)
    while pieces.position < len(facts):
        again = max(0, pieces.position - rng.randint(0, 3))
        pieces.feed(facts[again : pieces.position + rng.randint(1, 5)])
    _same(pieces, at_once)
    at_once.close()
    return pieces


def _same(fed: ReadModel, rebuilt: ReadModel) -> None:
    if fed.held or rebuilt.held:
        raise Violation(SAME, f"{fed.projection.name} holds back {fed.held or rebuilt.held}")
    if (one := dump(fed)) != (other := dump(rebuilt)):
        raise Violation(SAME, f"{fed.projection.name} has {one}, its rebuild {other}")


# ── Is it true? ───────────────────────────────────────────────────────────────────────────────────


def _catalogue_is_true(catalogue: Catalogue, words: Words) -> None:
    page = catalogue.for_sale()
    free = {ticket_id for ticket_id, (standing, _) in words.tickets.items() if standing == "free"}
    if {item.id for item in page.items} != free or page.total != len(free):
        raise Violation(TRUE, f"for sale are {free}, the catalogue has {page}")


def _orders_are_true(orders: Orders, words: Words) -> None:
    found = [item for buyer in {*BUYERS, *SELLERS} for item in orders.of_buyer(buyer).items]
    shown = {item.id: STATUS.get(item.status, "open") for item in found}
    true = {order_id: standing for order_id, (standing, _) in words.orders.items()}
    if shown != true:
        raise Violation(TRUE, f"the orders are {true}, shown as {shown}")


def _ledger_is_true(ledger: ReadModel, history: History) -> None:
    shown = Counter(ledger.rows("SELECT kind, payment, order_id, amount FROM entry"))
    moved = Counter(
        (entry.kind, entry.attempt, entry.order, entry.amount) for entry in history.provider.ledger
    )
    if shown != moved:
        raise Violation(TRUE, f"the provider moved {moved}, the ledger shows {shown}")
