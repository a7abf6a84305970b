"""The provider's books held against payments, orders and tickets, in constant memory.

What the provider holds is written into a database of its own that goes when it is closed, beside the read
model of projections/reconciliation.py; joins of the two are read row by row. What to think of a row is said
in projections/differences.py.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from domain.money import Money
from projections import differences
from projections.differences import AtProvider, Difference, Fact, InLog
from projections.file import check
from projections.projection import micros
from projections.provider_books import GivenBack, Held, Line, Questioned
from projections.reconciliation import RECONCILIATION

T = TypeVar("T")

_BOOKS = """
CREATE TABLE held(
    reference TEXT PRIMARY KEY, payment TEXT NOT NULL, purchase TEXT NOT NULL, amount INTEGER NOT NULL,
    currency TEXT NOT NULL, standing TEXT NOT NULL, taken INTEGER NOT NULL, made INTEGER NOT NULL, known TEXT
) WITHOUT ROWID;
CREATE TABLE given(
    reference TEXT PRIMARY KEY, attempt TEXT NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL,
    standing TEXT NOT NULL, made INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE questioned(
    reference TEXT PRIMARY KEY, attempt TEXT NOT NULL, standing TEXT NOT NULL, made INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE told(kind TEXT NOT NULL, stream TEXT NOT NULL, PRIMARY KEY (kind, stream)) WITHOUT ROWID;
"""
_INDEXES = """
CREATE INDEX held_by_payment ON held(known);
CREATE INDEX held_by_purchase ON held(purchase);
CREATE INDEX given_by_attempt ON given(attempt);
CREATE INDEX questioned_by_attempt ON questioned(attempt);
"""
_KNOW = """UPDATE held SET known = coalesce((SELECT id FROM payment WHERE id = held.payment),
    (SELECT id FROM payment WHERE payment.reference = held.reference))"""

_LEFT = """CASE WHEN {p}.standing IN ('taken', 'refunding', 'disputed') THEN {p}.amount - coalesce((
    SELECT sum(coalesce(amount, {p}.amount)) FROM refund WHERE payment = {p}.id AND standing = 'done'
), 0) ELSE 0 END"""
_VIEWS = f"""
CREATE TEMP VIEW book AS SELECT
    p.id, p.purchase, p.amount, p.currency, p.standing, p.reference, p.event, p.position,
    {_LEFT.format(p="p")} AS kept,
    EXISTS (SELECT 1 FROM refund WHERE payment = p.id AND standing = 'pending') AS going,
    o.id AS order_id, o.standing AS order_standing, o.payment AS counts, o.amount AS priced,
    o.currency AS order_currency, coalesce(s.sold AND s.purchase = p.purchase, 0) AS sold,
    EXISTS (SELECT 1 FROM payment q WHERE q.id = o.payment AND q.id <> p.id AND {_LEFT.format(p="q")} > 0)
        AS rival,
    max(p.at, coalesce(o.at, 0), iif(s.purchase = p.purchase, s.at, 0)) AS at, p.made,
    coalesce((SELECT minded FROM parking WHERE purchase = p.purchase), 0) AS minded
    FROM payment p LEFT JOIN purchase o ON o.id = p.purchase LEFT JOIN sale s ON s.ticket = o.ticket;
CREATE TEMP VIEW keeps AS SELECT h.*, iif(
    EXISTS (SELECT 1 FROM questioned WHERE attempt = h.reference AND standing = 'lost'), 0,
    taken - coalesce((SELECT sum(amount) FROM given WHERE attempt = h.reference AND standing = 'done'), 0)
) AS kept FROM held h;
"""  # noqa: S608 - made of the texts above

_BOOK = """b.id, b.purchase, b.amount, b.currency, b.standing, b.reference, b.event, b.position, b.kept,
    b.going, b.order_id, b.order_standing, b.counts, b.priced, b.order_currency, b.sold, b.rival"""
_QUIET = "b.at <= :quiet AND NOT b.minded"
_PAYMENTS = f"SELECT {_BOOK} FROM book b WHERE {_QUIET} ORDER BY b.id"  # noqa: S608 - made of the texts above
_SALES = """SELECT s.ticket, s.purchase, s.event, s.position FROM sale s JOIN purchase o ON o.id = s.purchase
    WHERE s.sold AND max(s.at, o.at) <= :quiet
    AND NOT EXISTS (SELECT 1 FROM parking WHERE purchase = o.id AND minded)
    AND NOT EXISTS (SELECT 1 FROM payment WHERE purchase = o.id
        AND (standing IN ('taken', 'refunding', 'disputed') OR at > :quiet))
    AND NOT EXISTS (SELECT 1 FROM keeps WHERE purchase = o.id AND kept > 0) ORDER BY s.ticket"""
_HELD = f"""SELECT h.reference, h.payment, h.purchase, h.amount, h.currency, h.standing, h.taken, h.kept,
    EXISTS (SELECT 1 FROM purchase o JOIN payment q ON q.id = o.payment
        JOIN keeps g ON g.reference = q.reference
        WHERE o.id = h.purchase AND g.reference <> h.reference AND g.kept > 0), {_BOOK}
    FROM keeps h LEFT JOIN book b ON b.id = h.known
    WHERE h.made <= :quiet AND (h.payment <> '' OR h.known IS NOT NULL)
    AND (b.id IS NULL OR ({_QUIET})) ORDER BY h.reference"""  # noqa: S608 - made of the texts above
_MISSING = f"""SELECT {_BOOK} FROM book b WHERE {_QUIET} AND b.made >= :since AND b.reference <> ''
    AND NOT EXISTS (SELECT 1 FROM held WHERE reference = b.reference)
    ORDER BY b.id"""  # noqa: S608 - made of the texts above
_REFUNDS_THERE = f"""SELECT b.id, b.event, b.position, g.reference, g.amount, g.currency, g.standing,
    r.standing, coalesce(r.amount, b.amount), b.currency
    FROM given g JOIN book b ON b.reference = g.attempt
    LEFT JOIN refund r ON r.payment = b.id AND r.reference = g.reference
    WHERE g.made <= :quiet AND {_QUIET} ORDER BY g.reference"""  # noqa: S608 - made of the texts above
_REFUNDS_HERE = f"""SELECT b.id, b.event, b.position, r.reference, coalesce(r.amount, b.amount), b.currency,
    r.standing FROM refund r JOIN book b ON b.id = r.payment
    WHERE {_QUIET} AND r.made >= :since AND r.standing = 'done'
    AND NOT EXISTS (SELECT 1 FROM given WHERE reference = r.reference)
    ORDER BY b.id, r.reference"""  # noqa: S608 - made of the texts above
_DISPUTES_THERE = f"""SELECT b.id, b.event, b.position, q.reference, d.standing, q.standing
    FROM questioned q JOIN book b ON b.reference = q.attempt
    LEFT JOIN dispute d ON d.payment = b.id AND d.reference = q.reference
    WHERE q.made <= :quiet AND {_QUIET} ORDER BY q.reference"""  # noqa: S608 - made of the texts above
_DISPUTES_HERE = f"""SELECT b.id, b.event, b.position, d.reference, d.standing, NULL
    FROM dispute d JOIN book b ON b.id = d.payment WHERE {_QUIET} AND d.made >= :since
    AND NOT EXISTS (SELECT 1 FROM questioned WHERE reference = d.reference)
    ORDER BY b.id, d.reference"""  # noqa: S608 - made of the texts above


class Comparison:
    """What the provider's books and a read model say of each other: ``take``, then ``against``, then ask.

    The provider's lines come first and the log after, so that the log is never behind them.
    """

    def __init__(self) -> None:
        # A database without a name is kept in a temporary file, as far as it does not fit into the cache.
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False, uri=True)
        self._db.executescript(_BOOKS)

    def against(self, model: Path) -> None:
        """Have the read model in the file at ``model`` on the other side.

        Raises sqlite3.Error, Unusable when there is no such read model.
        """
        self._db.execute("ATTACH ? AS log", (f"{model.absolute().as_uri()}?mode=ro",))
        check(RECONCILIATION, self._db)
        self._db.executescript(_VIEWS)

    def close(self) -> None:
        self._db.close()

    def take(self, lines: Iterable[Line]) -> None:
        """Note what the provider holds."""
        self._db.execute("BEGIN")
        for line in lines:
            made = 0 if line.made is None else micros(line.made)
            match line:
                case Held(reference, payment, order, amount, standing, taken):
                    took = 0 if taken is None else taken.amount
                    money = (amount.amount, amount.currency)
                    self._note("held", reference, payment, order, *money, standing, took, made, None)
                case GivenBack(reference, of, amount, standing):
                    self._note("given", reference, of, amount.amount, amount.currency, standing, made)
                case Questioned(reference, of, standing):
                    self._note("questioned", reference, of, standing, made)
        self._db.execute("COMMIT")

    def _note(self, table: str, *values: Any) -> None:
        marks = ", ".join("?" * len(values))
        self._db.execute(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", values)  # noqa: S608 - our tables

    def payments(self) -> int:
        """How many payments the log has."""
        found: int = self._db.execute("SELECT count(*) FROM payment").fetchone()[0]
        return found

    def held_back(self) -> list[str]:
        """The streams that the read model could not apply; nothing is said of them."""
        return [stream for (stream,) in self._db.execute("SELECT DISTINCT stream FROM held_back ORDER BY 1")]

    def in_log(self, quiet: datetime) -> Iterator[Difference]:
        """What does not fit within the log. quiet: what was written to since then is left alone."""
        params = {"quiet": micros(quiet)}
        for row in self._db.execute(_PAYMENTS, params):
            if found := differences.in_log(InLog(*row)):
                yield found
        for row in self._db.execute(_SALES, params):
            yield differences.sold_for_nothing(*row)

    def with_provider(self, quiet: datetime, since: datetime | None = None) -> Iterator[Difference]:
        """What does not fit, in the log and between it and what was taken. To be asked once.

        quiet: as for ``in_log``. since: what began in the log before this, the provider was not asked for.
        """
        self._db.executescript(_INDEXES + _KNOW)
        for found in self.in_log(quiet):
            self._db.execute("INSERT OR IGNORE INTO told VALUES (?, ?)", (found.kind, found.stream))
            yield found
        params = {"quiet": micros(quiet), "since": 0 if since is None else micros(since)}
        for found in self._between(params):
            told = "SELECT 1 FROM told WHERE (kind, stream) = (?, ?)"
            if not self._db.execute(told, (found.kind, found.stream)).fetchone():
                yield found

    def _between(self, params: dict[str, int]) -> Iterator[Difference]:
        for row in self._db.execute(_HELD, params):
            log = InLog(*row[9:]) if row[9] is not None else None
            yield from _some(differences.at_provider(AtProvider(*row[:9]), log))
        for row in self._db.execute(_MISSING, params):
            yield differences.missing(InLog(*row))
        for payment, event, position, name, amount, currency, there, here, noted, own in self._db.execute(
            _REFUNDS_THERE, params
        ):
            fact, given = Fact(payment, event, position), Money(amount, currency)
            if there == here == "done" and given != Money(noted, own):
                yield differences.refund_amounts(fact, name, Money(noted, own), given)
            yield from _some(differences.refund(fact, name, given, here, there))
        for payment, event, position, name, amount, currency, here in self._db.execute(_REFUNDS_HERE, params):
            given = Money(amount, currency)
            yield from _some(differences.refund(Fact(payment, event, position), name, given, here, None))
        for asked in (_DISPUTES_THERE, _DISPUTES_HERE):
            for payment, event, position, name, here, there in self._db.execute(asked, params):
                yield from _some(differences.dispute(Fact(payment, event, position), name, here, there))


def _some(found: T | None) -> tuple[T, ...]:
    return () if found is None else (found,)
