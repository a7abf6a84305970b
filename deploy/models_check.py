"""Read models against the log: what each file holds must be what a rebuild from nothing gives."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from deploy.comparing import Comparison
from deploy.doctor import SERVE, Finding
from deploy.parked import model_files
from deploy.parts import MODELS
from deploy.places import Places
from domain.decider import AnyRecorded
from projections.outside import Outside, Unusable
from projections.projection import Projection
from projections.rebuild import Rebuild


class ModelChecks:
    """Rebuilds, beside the files of all processes, what each should hold at the position that it is at."""

    def __init__(self, places: Places, workplace: Path) -> None:
        """workplace: an empty directory for the rebuilds. Raises sqlite3.Error."""
        by_name = {projection.name: projection for projection in MODELS}
        self._checks = [
            ModelCheck(by_name[path.stem], path, workplace / f"{number}.sqlite")
            for number, path in enumerate(model_files(places))
            if path.stem in by_name and is_whole(by_name[path.stem], path)
        ]

    def take(self, page: Sequence[AnyRecorded]) -> None:
        """The next facts of the log."""
        for checked in self._checks:
            checked.take(page)

    def finished(self) -> Iterator["ModelCheck"]:
        """Ends the checks, one after the other."""
        for checked in self._checks:
            checked.finish()
            yield checked
            checked.close()

    def findings(self) -> Iterator[Finding]:
        """Ends the checks. One finding for each thing that is wrong."""
        for checked in self.finished():
            yield from checked.findings()


def is_whole(projection: Projection, path: Path) -> bool:
    """Whether the file is no one that its next process will make anew, or is just making."""
    with suppress(Unusable):
        outside = Outside(projection, path)
        try:
            return outside.rows("SELECT partial FROM feed") == [(0,)]
        finally:
            outside.close()
    return False


class ModelCheck:
    """One file, seen as it was when the check began, whatever is written to it meanwhile."""

    def __init__(self, projection: Projection, path: Path, workplace: Path) -> None:
        self.path = path
        self._rebuild = Rebuild(projection, workplace, "")
        self._rebuild.save()
        self.comparison = Comparison(path, workplace)
        self.is_of_this_log = not self.comparison.position

    def close(self) -> None:
        self.comparison.close()

    def take(self, page: Sequence[AnyRecorded]) -> None:
        """The next facts of the log."""
        for fact in page if page and page[-1].position >= self.comparison.position else ():
            if fact.position == self.comparison.position:
                self.is_of_this_log = str(fact.id) == self.comparison.last_id
        self._rebuild.take(page, self.comparison.position)

    def finish(self) -> None:
        """The whole log was taken."""
        self._rebuild.finish()

    def findings(self) -> Iterator[Finding]:
        """What is wrong, in one line each."""
        if not self.is_of_this_log:
            yield Finding(f"{self.path} was made from another log; whoever serves makes it anew", SERVE)
            return
        for held in self.comparison.held:
            what = f"{self.path} holds back {held.stream} at revision {held.revision}: {held.error}"
            yield Finding(what, f"admitone parked retry {held.stream}")
        if self.comparison.held:
            return  # what is held back is missing, and said to be
        for table in self.comparison.tables():
            example = next((str(row) for row in self.comparison.rows(table.table, 1)), "")
            what = f"{self.path} differs from what the log says: {table}, as in ({example})"
            yield Finding(what, f"admitone rebuild {self.path.stem}")
