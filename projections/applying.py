"""How events become rows: a batch at once, and one by one when something in the batch fails.

An event that cannot be applied holds back its stream, and no other: the stream's later events wait
until the first one is applied, or skipped by an operator.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime

from domain.decider import AnyRecorded, Unreadable
from projections import held as holding
from projections.file import is_files_fault
from projections.held import Held, RetryRule
from projections.projection import Projection, Statement

log = logging.getLogger("admitone.projections")


class NotReadable(Exception):
    """The projection needs an event that this version cannot read."""


class Applier:
    """Applies events inside the connection's open transaction, and remembers what it holds back."""

    def __init__(
        self,
        projection: Projection,
        connection: sqlite3.Connection,
        rule: RetryRule,
        now: Callable[[], datetime],
    ) -> None:
        self._projection = projection
        self._connection = connection
        self._execute = connection.cursor().execute
        self._rule = rule
        self._now = now
        self._types = frozenset(projection.events)
        self._of_no_interest = projection.of_no_interest
        self._categories = projection.categories
        self.recall()

    def recall(self) -> None:
        """Take what is held back from the file: after a rollback, or after an operator wrote to it."""
        self.held = holding.load(self._connection)

    def statements(self, batch: Iterable[AnyRecorded]) -> list[Statement]:
        """What the events of ``batch`` do. One that raises holds back its stream instead."""
        statements: list[Statement] = []
        apply, types, held = self._projection.apply, self._types, self.held
        for recorded in batch:
            kind = type(recorded.event)
            if kind in types and recorded.stream not in held:
                try:
                    statements += tuple(apply(recorded))
                except Exception as error:
                    statements.append(self._hold(recorded, error))
            elif kind is Unreadable and recorded.stream not in held and self._needs(recorded):
                statements.append(self._hold(recorded, NotReadable(recorded.event.reason)))
        return statements

    def run(self, statements: Iterable[Statement]) -> None:
        execute = self._execute
        for sql, values in statements:
            execute(sql, values)

    def apply_singly(self, batch: Iterable[AnyRecorded]) -> None:
        """Apply ``batch``, in which some statement fails: find it, at the price of a savepoint each."""
        for recorded in batch:
            if recorded.stream not in self.held and (failure := self._try(recorded)):
                self.run([self._hold(recorded, failure)])

    def retry(self, held: Held, events: Iterable[AnyRecorded]) -> None:
        """Apply ``events``, which are the stream from where it is held, as far as it goes."""
        for recorded in events:
            if failure := self._try(recorded):
                if recorded.revision == held.revision:
                    self._keep_holding(held, failure)
                    return
                self.run([self._hold(recorded, failure)])
                break
        else:
            log.info("%s: %s goes on", self._projection.name, held.stream)
        self.run([holding.settling(held)])
        self.recall()

    def _try(self, recorded: AnyRecorded) -> Exception | None:
        """Apply one event, wholly or not at all. Gives what went wrong."""
        self._execute("SAVEPOINT single")
        try:
            if type(recorded.event) in self._types:
                self.run(self._projection.apply(recorded))
            elif type(recorded.event) is Unreadable and self._needs(recorded):
                return NotReadable(recorded.event.reason)
        except Exception as error:
            if is_files_fault(error):
                raise
            self._execute("ROLLBACK TO single")
            return error
        finally:
            with suppress(sqlite3.OperationalError):  # in trouble, SQLite may have rolled back everything
                self._execute("RELEASE single")
        return None

    def _needs(self, unreadable: AnyRecorded) -> bool:
        """Whether an unreadable event may matter here: not if its type is known, and of no interest."""
        return unreadable.category in self._categories and unreadable.event.type not in self._of_no_interest

    def _hold(self, recorded: AnyRecorded, error: Exception) -> Statement:
        held = holding.first_failure(recorded, _words(error), self._now(), self._rule)
        self.held[recorded.stream] = held
        self._tell(held, "held back")
        return holding.saving(held)

    def _keep_holding(self, held: Held, error: Exception) -> None:
        held = holding.next_failure(held, _words(error), self._now(), self._rule)
        self.held[held.stream] = held
        self._tell(held, "parked" if held.parked else "held back")
        self.run([holding.saving(held)])

    def _tell(self, held: Held, what: str) -> None:
        log.warning(
            "%s: %s is %s at revision %d after %d tries: %s",
            self._projection.name, held.stream, what, held.revision, held.tries, held.error,
        )  # fmt: skip


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
