"""Read models against the log: what each file holds must be what a rebuild in memory gives."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from deploy.doctor import SERVE, Finding
from deploy.parked import model_files
from deploy.parts import MODELS
from deploy.places import Places
from domain.decider import AnyRecorded
from projections.file import HOUSEKEEPING, MEMORY, Unusable, check, connect
from projections.held import load
from projections.projection import Projection
from projections.read_model import ReadModel


class ModelChecks:
    """Rebuilds, beside the files of all processes, what each should hold at the position that it is at."""

    def __init__(self, places: Places) -> None:
        """Raises sqlite3.Error."""
        by_name = {projection.name: projection for projection in MODELS}
        self._checks = [
            checked
            for path in model_files(places)
            if path.stem in by_name and (checked := _ModelCheck.begin(by_name[path.stem], path))
        ]

    def take(self, page: Sequence[AnyRecorded]) -> None:
        """The next facts of the log."""
        for checked in self._checks:
            checked.take(page)

    def findings(self) -> Iterator[Finding]:
        """Ends the checks."""
        for checked in self._checks:
            with closing(checked):
                yield from checked.findings()


class _ModelCheck:
    """One file, seen as it was when the check began, whatever is written to it meanwhile."""

    def __init__(self, projection: Projection, path: Path, snapshot: sqlite3.Connection) -> None:
        self._path = path
        self._snapshot = snapshot
        self._position, self._last_id = snapshot.execute("SELECT position, last_id FROM feed").fetchone()
        self._is_of_this_log = not self._position
        self._held = load(snapshot)
        self._rebuild = ReadModel(projection, MEMORY)

    @classmethod
    def begin(cls, projection: Projection, path: Path) -> "_ModelCheck | None":
        """None for a file that its next process will make anew, or is just making."""
        snapshot = connect(path, read_only=True)
        try:
            snapshot.execute("BEGIN")
            check(projection, snapshot)
            if snapshot.execute("SELECT partial FROM feed").fetchone() == (0,):
                return cls(projection, path, snapshot)
        except Unusable:
            pass
        except BaseException:
            snapshot.close()
            raise
        snapshot.close()
        return None

    def close(self) -> None:
        self._rebuild.close()
        self._snapshot.close()

    def take(self, page: Sequence[AnyRecorded]) -> None:
        if page and page[-1].position >= self._position:
            page = [fact for fact in page if fact.position <= self._position]
        if page and page[-1].position == self._position:
            self._is_of_this_log = str(page[-1].id) == self._last_id
        self._rebuild.feed(page)

    def findings(self) -> Iterator[Finding]:
        if not self._is_of_this_log:
            yield Finding(f"{self._path} was made from another log; whoever serves makes it anew", SERVE)
            return
        for held in self._held.values():
            what = f"{self._path} holds back {held.stream} at revision {held.revision}: {held.error}"
            yield Finding(what, f"admitone parked retry {held.stream}")
        if self._held:
            return  # what is held back is missing, and said to be
        for (table,) in self._snapshot.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
            if table not in HOUSEKEEPING and not table.startswith("sqlite_"):
                yield from self._compare(table)

    def _compare(self, table: str) -> Iterator[Finding]:
        sql = f"SELECT * FROM {table}"  # noqa: S608 - a name from the file's own schema
        held, rebuilt = set(self._snapshot.execute(sql)), set(self._rebuild.rows(sql))
        if wrong := held ^ rebuilt:
            example = ", ".join(str(value) for value in min(wrong, key=str))
            what = f"{self._path}: {table} differs from what the log says, as in ({example})"
            yield Finding(what, f"rm {self._path}* && admitone serve")
