"""Reconciliation: the provider's books, payments, orders and tickets held against one another.

By ``admitone reconcile``, which reads the whole log anew, and every now and then by whoever feeds the read
models, from the rows that are there already.
"""

import asyncio
from collections.abc import AsyncIterable, Callable, Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from logging import getLogger
from pathlib import Path

from deploy.doctor import SETTLING
from deploy.reconciled import KEPT, Report, read_report, write_report
from domain.decider import AnyRecorded
from projections.comparing import Comparison
from projections.differences import Difference
from projections.provider_books import BooksUnavailable, ProviderBooks
from projections.read_model import ReadModel
from projections.reconciliation import RECONCILIATION

log = getLogger("admitone.reconciliation")

SKEW = timedelta(minutes=5)
"""How far the provider's clock and ours may differ."""
MOST_PAGES = 100_000
"""Pages of each kind that ``admitone reconcile`` reads at most."""

UNCHECKED = 64 * 1024 * 1024
"""Bytes that the rows of a whole log may take up on the disk beside their file while they are made."""

Progress = Callable[[str, int], None]
"""Told of how much of what was read so far."""


class Reconciliation:
    """One reconciliation. ``take_books``, then ``differences``; ``report`` tells of what was gone through."""

    def __init__(self, at: datetime, since: datetime | None = None) -> None:
        self._at = at
        self._since = since
        self._comparison = Comparison()
        self._has_books = False
        self._lines = self._found = 0
        self._kept: list[Difference] = []

    def close(self) -> None:
        self._comparison.close()

    async def take_books(self, books: ProviderBooks, most: int, progress: Progress) -> None:
        """Read what the provider holds. Raises BooksUnavailable."""
        async for page in books.pages(self._since, self._at, most):
            self._comparison.take(page)
            self._lines += len(page)
            progress("lines of the provider's books", self._lines)
        self._has_books = True

    def differences(self, model: Path) -> Iterator[Difference]:
        """What differs between them and the read model at ``model``; in that alone where none were read.

        Raises sqlite3.Error, Unusable.
        """
        comparison, quiet = self._comparison, self._at - SETTLING
        comparison.against(model)
        began = None if self._since is None else self._since + SKEW
        for found in comparison.with_provider(quiet, began) if self._has_books else comparison.in_log(quiet):
            self._found += 1
            if self._found <= KEPT:
                self._kept.append(found)
            yield found

    def report(self, hidden: Sequence[str] = (), trouble: str = "") -> Report:
        """hidden: streams that the store no longer shows whole. trouble: why no books were read."""
        comparison = self._comparison
        return Report(
            self._at,
            self._since,
            self._lines,
            comparison.payments(),
            self._found,
            tuple(self._kept),
            tuple({*comparison.held_back(), *hidden}),
            trouble,
        )


async def read_log(pages: AsyncIterable[Sequence[AnyRecorded]], model: Path, progress: Progress) -> None:
    """Make the read model of a whole log in a file at ``model``."""
    with closing(ReadModel(RECONCILIATION, model)) as rows:
        rows.leave_upkeep()
        async for page in pages:
            rows.feed(page)
            if rows.unchecked_bytes() > UNCHECKED:
                await asyncio.to_thread(rows.begin_log_anew)
            progress("the log", rows.position)
        rows.resume_upkeep()


# ── Every now and then ────────────────────────────────────────────────────────────────────────────

LOOK_BACK = timedelta(days=1)
"""How far back the provider's books are read, each time."""
PAGES = 500
"""Pages of each kind that are read at most, each time: fifty thousand attempts."""
FIRST = 60.0
"""Seconds after the start before which none is begun."""
CATCH_UP = 10.0
"""Seconds that the read model is given to show what the log has."""


class Regular:
    """Reconciles every ``every`` with the rows of ``model``, and leaves the last report at ``place``."""

    def __init__(
        self,
        books: Callable[[], ProviderBooks],
        model: ReadModel,
        head: Callable[[], int],
        now: Callable[[], datetime],
        every: timedelta,
        place: Path,
    ) -> None:
        self._books = books
        self._model = model
        self._head = head
        self._now = now
        self._every = every
        self._place = place

    async def run(self) -> None:
        """Until cancelled. Several processes that leave their report at one place take turns."""
        await asyncio.sleep(FIRST)
        while True:
            last = read_report(self._place)
            rest = self._every if last is None else last.at + self._every - self._now()
            if last is None or rest <= timedelta(0):
                await self.once()
                rest = self._every
            await asyncio.sleep(max(rest.total_seconds(), 1.0))

    async def once(self) -> Report:
        """Reconcile now; what could not be done is said in the report."""
        at = self._now()
        try:
            report = await self._reconciled(at)
        except Exception as error:
            # Whatever broke, the next one may succeed; and it is said.
            log.exception("the reconciliation broke off")
            report = Report(at, trouble=f"{type(error).__name__}: {error}")
        await asyncio.to_thread(write_report, self._place, report)
        log.log(20 if report.well else 30, "reconciliation: %s", report.said())
        for found in report.differences[:10]:
            log.warning("%s: %s (%s)", found.kind, found.what, found.repair)
        return report

    async def _reconciled(self, at: datetime) -> Report:
        with closing(Reconciliation(at, at - LOOK_BACK)) as reconciliation:
            trouble, books = "", self._books()
            try:
                await reconciliation.take_books(books, PAGES, lambda *_: None)
            except BooksUnavailable as why:
                trouble = str(why)
            finally:
                await books.close()
            if not await self._model.wait(self._head(), CATCH_UP):
                return Report(at, trouble="the read model is behind the log")
            return await asyncio.to_thread(_gone_through, reconciliation, Path(self._model.path), trouble)


def _gone_through(reconciliation: Reconciliation, model: Path, trouble: str) -> Report:
    for _ in reconciliation.differences(model):
        pass
    return reconciliation.report((), trouble)
