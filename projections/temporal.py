"""A projection that remembers: what other projections write, and every row as it was from when on.

It applies the others' own statements to tables like theirs, and triggers put each new version of a row
beside it, with the position of the event that made it. So what was true at a position is a question in
SQL, and it cannot differ from what the projection itself would have said there. Beside it stands at which
position each moment of time begins.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing

from msgspec import Struct

from domain.decider import AnyRecorded
from domain.deciders import DECIDERS
from projections.projection import Projection, Statement, micros


class Kept(Struct, frozen=True):
    """One table of ``projection`` whose rows are remembered.

    key: of its rows. born: the column with the position at which a row began. owner: the column that says
    whose it is, which never changes. whole: which rows are asked for when not for those of one owner.
    """

    projection: Projection
    table: str
    born: str
    owner: str
    whole: str
    key: str = "id"

    @property
    def past(self) -> str:
        """The table of its versions."""
        return f"{self.table}_past"

    def columns(self) -> dict[str, str]:
        """The types of its columns by their names, in their order."""
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.executescript(self.projection.tables)
            return {row[1]: row[2] for row in connection.execute(f"PRAGMA table_info({self.table})")}


_PRESENT = """
CREATE TABLE present(position INTEGER NOT NULL, at INTEGER NOT NULL);
INSERT INTO present VALUES (0, -9223372036854775807);
CREATE TABLE moment(position INTEGER PRIMARY KEY, at INTEGER NOT NULL);
CREATE TRIGGER later AFTER UPDATE OF at ON present WHEN new.at > old.at
    BEGIN INSERT INTO moment VALUES (new.position, new.at); END;
"""
"""present: the event that is being applied, and the latest time that any has borne. moment: each such time,
and the event that bore it first; so both rise together."""

_MOMENTS = "CREATE INDEX moments ON moment(at)"

_BEGIN = "UPDATE present SET position = ?, at = max(at, ?)"


def temporal(name: str, version: int, kept: Sequence[Kept]) -> Projection:
    """What the projections of ``kept`` write, with the past of their rows."""
    bases = [each.projection for each in kept]
    wanted = [(frozenset(base.events), base.apply) for base in bases]

    def apply(recorded: AnyRecorded) -> Iterable[Statement]:
        statements: list[Statement] = [(_BEGIN, (recorded.position, micros(recorded.metadata.at)))]
        kind = type(recorded.event)
        for events, change in wanted:
            if kind in events:
                statements += change(recorded)
        return statements

    versions = ".".join(str(base.version) for base in bases)
    return Projection(
        name=name,
        version=version,
        events=tuple(event for decider in DECIDERS for event in decider.events),
        tables="\n".join([f"-- of versions {versions}", _PRESENT, *(_remembered(each) for each in kept)]),
        apply=apply,
        upkeep=(_MOMENTS, *(statement for each in kept for statement in _indexes(each))),
    )


def _remembered(kept: Kept) -> str:
    columns = kept.columns()
    new = ", ".join(f"new.{name}" for name in columns)
    remember = f"INSERT OR REPLACE INTO {kept.past} SELECT {new}, position FROM present;"  # noqa: S608 - constants only
    return f"""{kept.projection.tables}
CREATE TABLE {kept.past}({", ".join(map(" ".join, columns.items()))}, since INTEGER NOT NULL,
    PRIMARY KEY ({kept.key}, since)) WITHOUT ROWID;
CREATE TRIGGER {kept.table}_made AFTER INSERT ON {kept.table} BEGIN {remember} END;
CREATE TRIGGER {kept.table}_changed AFTER UPDATE ON {kept.table} BEGIN {remember} END;
"""


def _indexes(kept: Kept) -> tuple[str, str]:
    return (
        f"CREATE INDEX {kept.past}_changes ON {kept.past}(since)",
        f"CREATE INDEX {kept.past}_owners ON {kept.past}({kept.owner}) WHERE since = {kept.born}",
    )
