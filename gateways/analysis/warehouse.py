"""The log and the read models as a DuckDB database: filled a batch at a time, then only read.

What is asked may come from anybody who can type. So the database is closed when it is filled and opened
again for reading; files, networks, extensions and settings are out of reach; one statement is run, and
only one that reads; and whatever takes too long is ended.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow
from msgspec import Struct

from domain.decider import AnyRecorded
from domain.money import THREE_DECIMALS, ZERO_DECIMALS
from gateways.analysis.arrow import GROUP, arrow_schema, record_batch
from gateways.analysis.columns import EVENTS, Columns, Table, event_columns
from gateways.analysis.event_views import views
from gateways.analysis.questions import MAJOR, BadQuestion

MEMORY = "256MB"
"""The most that a question may keep in memory."""

SPILL = "4GB"
"""The most that it may put on disk besides. It is gone afterwards."""

PAGE = 10_000
"""Rows of an answer that are fetched at once."""

_READING = {"SELECT", "EXPLAIN"}
_LOCKED = """
SET TimeZone = 'UTC';
SET autoinstall_known_extensions = false;
SET autoload_known_extensions = false;
SET allow_community_extensions = false;
SET python_enable_replacements = false;
SET enable_external_access = false;
SET lock_configuration = true;
"""


class Answer(Struct, frozen=True):
    """``names``: of the columns. ``rows``: to be gone through once."""

    names: list[str]
    rows: Iterator[tuple[Any, ...]]


class Warehouse:
    """The database while it is filled."""

    def __init__(self, folder: Path, models: Sequence[Table]) -> None:
        """folder: an empty directory for the database. models: tables of read models, by their full names."""
        self._path = folder / "log.duckdb"
        self._database = duckdb.connect(str(self._path), config={"memory_limit": MEMORY})
        self._pending: dict[str, list[pyarrow.RecordBatch]] = {}
        self._make(EVENTS)
        for view in views():
            self._database.execute(view)
        words = [", ".join(f"'{each}'" for each in group) for group in (ZERO_DECIMALS, THREE_DECIMALS)]
        self._database.execute(MAJOR.format(none=words[0], three=words[1]))
        for schema in dict.fromkeys(table.name.partition(".")[0] for table in models):
            self._database.execute(f"CREATE SCHEMA {schema}")
        for table in models:
            self._make(table)

    def _make(self, table: Table) -> None:
        types = {"integer": "BIGINT", "text": "VARCHAR", "time": "TIMESTAMPTZ", "json": "JSON"}
        columns = ", ".join(f'"{each.name}" {types[each.kind]}' for each in table.columns)
        self._database.execute(f"CREATE TABLE {table.name} ({columns})")

    def take(self, page: Sequence[AnyRecorded]) -> None:
        """The next events of the log."""
        self.fill(EVENTS, event_columns(page))

    def fill(self, table: Table, columns: Columns) -> None:
        """More rows of a table that was made."""
        batch = record_batch(columns, arrow_schema(table))
        pending = self._pending.setdefault(table.name, [])
        pending.append(batch)
        if sum(batch.num_rows for batch in pending) >= GROUP:
            self._insert(table.name)

    def _insert(self, table: str) -> None:
        self._database.register("batch", pyarrow.Table.from_batches(self._pending.pop(table)))
        self._database.execute(f"INSERT INTO {table} SELECT * FROM batch")  # noqa: S608 - our own name
        self._database.unregister("batch")

    def opened(self) -> "Questions":
        """End the filling, and take questions."""
        for table in list(self._pending):
            self._insert(table)
        self._database.close()
        return Questions(self._path)


class Questions:
    """The database while it is read."""

    def __init__(self, path: Path) -> None:
        limits = {"memory_limit": MEMORY, "max_temp_directory_size": SPILL}
        spill = str(path.with_suffix(".spill"))
        self._database = duckdb.connect(str(path), read_only=True, config={**limits, "temp_directory": spill})
        self._database.execute(_LOCKED)

    def ask(self, sql: str, values: dict[str, str]) -> Answer:
        """Raises BadQuestion. May run as long as it likes: see ``interrupt``."""
        check(sql)
        try:
            asked = self._database.execute(sql, values or None)
            return Answer([column[0] for column in asked.description or ()], self._rows(asked))
        except duckdb.Error as error:
            raise BadQuestion(said(error)) from None

    def _rows(self, asked: Any) -> Iterator[tuple[Any, ...]]:
        try:
            while rows := asked.fetchmany(PAGE):
                yield from rows
        except duckdb.Error as error:
            raise BadQuestion(said(error)) from None

    def arrow(self, sql: str, values: dict[str, str]) -> Any:
        """The whole answer as an Arrow table. Raises BadQuestion."""
        check(sql)
        try:
            return self._database.sql(sql, params=values or None).to_arrow_table()
        except duckdb.Error as error:
            raise BadQuestion(said(error)) from None

    def interrupt(self) -> None:
        """End what is being asked, from another thread."""
        self._database.interrupt()

    def close(self) -> None:
        self._database.close()


def check(sql: str) -> None:
    """Raises BadQuestion unless this is one statement that reads. Runs nothing."""
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise BadQuestion(said(error)) from None
    if len(statements) != 1:
        raise BadQuestion(f"one statement at a time, not {len(statements)}")
    kind = statements[0].type.name
    if kind not in _READING:
        raise BadQuestion(f"the log is only read here: {kind} is not possible, SELECT is")


def said(error: Exception) -> str:
    """DuckDB's own words, without the picture of the line, nor advice on settings that cannot be changed."""
    if isinstance(error, duckdb.OutOfMemoryException):
        return "the question needs more memory than one may take: ask for less at once"
    return " ".join(str(error).split("\n\nLINE")[0].split())
