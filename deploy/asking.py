"""A question in SQL: the database that is filled for it, and its end when it takes too long."""

import os
import re
import resource
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLong
from contextlib import aclosing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from deploy.exporting import Tell, pages
from deploy.failing import FAILED, WRONG_SETTINGS, Failed, Failure, report
from deploy.log_beside import Log
from deploy.parts import PROJECTIONS
from deploy.when import Span
from gateways.analysis.columns import Table
from gateways.analysis.models import Rebuilt, tables
from gateways.analysis.questions import TIME, Question
from gateways.analysis.warehouse import Questions, Warehouse
from processmanager import moments
from projections.projection import Projection

T = TypeVar("T")

MEMORY = 1 << 30
"""Bytes that a question may take, with all that is read for it."""
GRACE = 5.0
"""Seconds that a question which was told to end may take to do so."""


@contextmanager
def workplace() -> Iterator[Path]:
    """A directory for the database, gone at the end."""
    with tempfile.TemporaryDirectory(prefix="admitone-") as folder:
        yield Path(folder)


async def filled(log: Log, until: int, sql: str, folder: Path, tell: Tell) -> Questions:
    """The log up to a position, and the read models that ``sql`` names, ready for questions."""
    by_projection = {projection: list(tables(projection).items()) for projection in PROJECTIONS}
    models = [table for each in by_projection.values() for _, table in each]
    warehouse = Warehouse(folder, models)
    wanted = {each: Rebuilt(each, folder) for each in by_projection if _named(each, sql)}
    async with aclosing(pages(log, Span(last=until), tell)) as part:
        async for page in part:
            warehouse.take(page)
            for model in wanted.values():
                model.take(page)
    for projection, model in wanted.items():
        _copy(model, by_projection[projection], warehouse)
    return warehouse.opened()


def _named(projection: Projection, sql: str) -> bool:
    """Whether ``sql`` may ask for a read model: it names it, or makes up names as it goes."""
    return re.search(rf"\b{projection.name}\b|\bquery(_table)?\s*\(", sql, re.IGNORECASE) is not None


def _copy(model: Rebuilt, of: Sequence[tuple[str, Table]], warehouse: Warehouse) -> None:
    held = model.finish()
    if held:
        raise Failed(f"{held[0].stream} cannot be applied to a read model, so its rows are not complete")
    for name, table in of:
        for batch in model.batches(name):
            warehouse.fill(table, batch)


def within(seconds: float, questions: Questions, folder: Path, action: Callable[[], T]) -> T:
    """What ``action`` on ``questions`` gives. Raises its errors, and Failed when it takes longer than that.

    DuckDB ends a question when it is told to; if it did not, the whole process would be ended.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="question")
    asked: Future[T] = pool.submit(action)
    try:
        return asked.result(seconds)
    except TooLong:
        failed = Failed(f"the question was ended after {seconds:g} seconds: see --timeout")
        raise failed from None
    finally:
        if not asked.done():
            questions.interrupt()
            _await_end(asked, folder)
        pool.shutdown()


def _await_end(asked: "Future[T]", folder: Path) -> None:
    try:
        asked.exception(GRACE)
    except TooLong:
        shutil.rmtree(folder, ignore_errors=True)
        report(Failure("the question did not end when it was told to, so the command is ended"))
        os._exit(FAILED)


def values_of(given: Sequence[str]) -> dict[str, str]:
    """Parameters from ``name=value`` texts. Raises Failed."""
    values = dict[str, str]()
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise Failed(f"--param must be name=value, not '{text}'", 2)
        values[name.strip()] = value
    return values


def completed(question: Question, given: Mapping[str, str]) -> dict[str, str]:
    """The parameters of a ready question: those given, and those that have a value by themselves.

    Times are read as everywhere, and given on in UTC. Raises Failed.
    """
    values = {**question.given, **given}
    if unknown := values.keys() - question.needs.keys():
        raise Failed(f"the question {question.name} has no parameter '{min(unknown)}'", WRONG_SETTINGS)
    for name, meaning in question.needs.items():
        if name not in values:
            wanted = f"--param {name}=… ({meaning})"
            raise Failed(f"the question {question.name} needs {wanted}", WRONG_SETTINGS)
        if meaning == TIME:
            values[name] = _utc(name, values[name])
    return values


def _utc(name: str, text: str) -> str:
    try:
        at = moments.parse_time(text)
        moments.check_time(at, datetime.now(UTC))
    except moments.BadMoment as error:
        raise Failed(f"--param {name}={text}: {error}", WRONG_SETTINGS) from None
    return at.isoformat()


@contextmanager
def bounded_memory() -> Iterator[None]:
    """No question takes so much memory that others on the machine go without.

    DuckDB keeps to a limit of its own, but for single values that are larger than it. Where the system does
    not tell what this process has, there is no limit but that.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[5])
    except OSError:
        yield
        return
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(
        resource.RLIMIT_DATA, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard)
    )
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
