"""The log for notebooks and scripts: events as Arrow tables, states as values, questions in SQL.

    from deploy.notebook import Past

    past = Past("var")
    past.events(types=["TicketSold"]).to_pandas()

Everything here only reads, also while a server is running. Moments are positions of the log or times with
their zone, as text or as datetime; without one it is the log as it is now. docs/analysis.md has examples.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from deploy.analysis_extra import need
from deploy.exporting import Source, known_types, source, write_events, write_table
from deploy.failing import WRONG_SETTINGS, Failed, explain
from deploy.log_beside import Log, opened
from deploy.places import Places
from deploy.reading import EMBEDDED, ESDB
from deploy.settings import BadSettings, Settings
from deploy.when import Span, position, span
from domain.decider import Decider
from domain.deciders import DECIDERS
from gateways.analysis.arrow import arrow_schema, record_batch
from gateways.analysis.columns import EVENTS, Columns, Table
from gateways.analysis.questions import BadQuestion
from gateways.damage import StoreDamaged
from processmanager.desk import UnreadableStream
from processmanager.ports import StoreUnavailable

if TYPE_CHECKING:
    import pyarrow

S = TypeVar("S")
T = TypeVar("T")
Moment = int | str | datetime | None


class CannotTell(Exception):
    """What was asked for cannot be told. Says why in one line."""


class Past:
    """One log. ``where``: a data directory, or ``esdb://…``. Nothing is opened before it is asked.

    Every method raises CannotTell for a moment, stream, type or table that there is not.
    """

    def __init__(self, where: str | Path = "var") -> None:
        try:
            need("deploy.notebook", "duckdb", "pyarrow")
        except Failed as missing:
            raise CannotTell(str(missing)) from None
        text = str(where)
        self._told = Settings(store=text) if text.startswith(ESDB) else Settings(data=Path(text).expanduser())

    def events(
        self, since: Moment = None, until: Moment = None, types: Sequence[str] | None = None
    ) -> "pyarrow.Table":
        """Events as an Arrow table, with the columns of ``admitone export``."""

        async def read() -> "pyarrow.Table":
            only, rows = known_types(None if types is None else ",".join(types)), _Kept(EVENTS)
            async with self._log() as log:
                part = await span(log, _text(since), _text(until))
                await write_events(log, part, only, rows, None, lambda _: None)
            return rows.table()

        return _run(read)

    def table(self, name: str, at: Moment = None) -> "pyarrow.Table":
        """A table of a read model (``orders.placed_order``), as it is or was, as an Arrow table."""

        async def read() -> "pyarrow.Table":
            wanted: Source = source(name)
            if wanted.projection is None:
                raise Failed("events are told by events()", WRONG_SETTINGS)
            rows = _Kept(wanted.table)
            async with self._log() as log:
                until = Span(last=await position(log, _text(at), "at"))
                await write_table(log, until, wanted, rows, None, lambda _: None)
            return rows.table()

        return _run(read)

    def state(self, stream: str, at: Moment = None) -> Any:
        """The state of one stream (``ticket-5f2c…``), as the domain knows it."""

        async def read() -> Any:
            category, _, key = stream.partition("-")
            decider = next((each for each in DECIDERS if each.category == category), None)
            if decider is None or not key:
                raise Failed(f"{stream} is no stream of tickets, orders, payments or parking")
            async with self._log() as log:
                return (await log.state(decider, key, await position(log, _text(at), "at"))).state

        return _run(read)

    def fold(self, decider: Decider[Any, S, Any], at: Moment = None) -> dict[str, S]:
        """Every state of one kind, by its id. Any decider will do, one of your own too, of a category that
        is in the log. A stream that holds an event which cannot be read is left out."""

        key = len(decider.category) + 1
        return {stream[key:]: state for stream, state in self._states([decider], at)}

    def states(self, at: Moment = None) -> Iterator[tuple[str, Any]]:
        """Every stream (``ticket-5f2c…``) with its state, each once and in no order, while the log is read:
        memory does not grow with the log. A stream that holds an event which cannot be read is left out."""
        return self._states(DECIDERS, at)

    def _states(self, deciders: Sequence[Decider[Any, Any, Any]], at: Moment) -> Iterator[tuple[str, Any]]:
        async def read() -> AsyncGenerator[Mapping[str, Any], None]:
            async with self._log() as log:
                until = await position(log, _text(at), "at")
                async with aclosing(log.states(deciders, until)) as parts:
                    async for part in parts:
                        yield part

        for part in _each(read):
            yield from part.items()

    def sql(self, sql: str, as_of: Moment = None, **values: str) -> "pyarrow.Table":
        """The answer of ``admitone sql`` as an Arrow table. ``values``: for ``$name`` in the SQL."""
        from deploy.asking import filled, workplace
        from gateways.analysis.warehouse import check

        async def read() -> "pyarrow.Table":
            check(sql)
            with workplace() as folder:
                async with self._log() as log:
                    until = await position(log, _text(as_of), "as_of")
                    questions = await filled(log, until, sql, folder, lambda _: None)
                try:
                    return questions.arrow(sql, values)
                finally:
                    questions.close()

        return _run(read)

    @asynccontextmanager
    async def _log(self) -> AsyncGenerator[Log, None]:
        if self._told.store == EMBEDDED and not Places(self._told.data).log.is_file():
            raise Failed(f"there is no log in {self._told.data}/")
        async with opened(self._told) as log_beside:
            yield log_beside


class _Kept:
    """Rows that are kept, as Arrow's batches."""

    def __init__(self, table: Table) -> None:
        self._schema = arrow_schema(table)
        self._batches: list[Any] = []

    def write(self, columns: Columns) -> None:
        self._batches.append(record_batch(columns, self._schema))

    def close(self) -> None:
        """There is no file to end."""

    def table(self) -> "pyarrow.Table":
        import pyarrow as pa

        return pa.Table.from_batches(self._batches, self._schema)


def _text(moment: Moment) -> str | None:
    if isinstance(moment, datetime):
        return moment.isoformat(timespec="microseconds")
    return None if moment is None else str(moment)


def _run(action: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """In a thread of its own, because a notebook has an event loop that is running already."""
    with ThreadPoolExecutor(1, thread_name_prefix="past") as pool, _told():
        return pool.submit(lambda: asyncio.run(action())).result()


def _each(action: Callable[[], AsyncGenerator[T, None]]) -> Iterator[T]:
    """The same, of what comes piece by piece."""
    with ThreadPoolExecutor(1, thread_name_prefix="past") as pool, _told():
        runner, pieces = asyncio.Runner(), action()

        async def piece() -> T | None:
            return await anext(pieces, None)

        try:
            while (found := pool.submit(lambda: runner.run(piece())).result()) is not None:
                yield found
        finally:
            pool.submit(lambda: runner.run(pieces.aclose())).result()
            pool.submit(runner.close).result()


@contextmanager
def _told() -> Iterator[None]:
    """What is wrong, in one line."""
    try:
        yield
    except (BadQuestion, UnreadableStream) as error:
        raise CannotTell(str(error)) from None
    except (Failed, BadSettings, StoreDamaged, StoreUnavailable) as error:
        raise CannotTell(explain(error).line) from None
