"""A read model made from the log beside the one that serves, as fast as the disk takes it."""

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from domain.decider import AnyRecorded
from projections.held import Held
from projections.projection import Projection
from projections.read_model import ReadModel

SAVE_EVERY = 8_000
"""Events after which what was staged is saved."""
CHECKPOINT_AT = 64 * 2**20
"""Bytes of the write-ahead log, which nobody else would ever shorten."""


class Rebuild:
    """A new file at ``path``. kind: of which kind of store the log is."""

    def __init__(self, projection: Projection, path: Path, kind: str) -> None:
        self._model = ReadModel(projection, path)
        self._model.kind = kind
        self._model.leave_upkeep()
        self._staged = 0

    @property
    def position(self) -> int:
        """Up to where it was fed."""
        return self._model.position

    def take(self, page: Sequence[AnyRecorded], until: int | None = None) -> None:
        """Apply the next events of the log, those behind ``until`` left out."""
        if until is not None and page and page[-1].position > until:
            page = [fact for fact in page if fact.position <= until]
        self._model.stage(page)
        self._staged += len(page)
        if self._staged >= SAVE_EVERY:
            self.save()

    def save(self) -> None:
        """Make last what was applied."""
        self._model.save_all()
        self._staged = 0
        if self._model.unchecked_bytes() >= CHECKPOINT_AT:
            self._model.begin_log_anew()

    def finish(self) -> tuple[Held, ...]:
        """End the feeding. What could not be applied, and is missing."""
        self._model.resume_upkeep()
        held = self._model.held
        self._model.begin_log_anew()
        self._model.close()
        return held

    def close(self) -> None:
        """Give it up. What has been finished stays as it is."""
        with suppress(sqlite3.Error):  # it was closed
            self._model.abandon()
            self._model.close()
