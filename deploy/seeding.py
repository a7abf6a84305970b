"""A new service begins with read models that another one has made: copied whole, while that one goes on.

What is copied is at some position of the log and is fed from there. Whoever feeds it finds out if it is of
another version or another log, and makes it anew.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import structlog

from deploy.parts import MODELS, model_file
from deploy.places import Places
from deploy.settings import BadSettings, option_name
from projections.file import Unusable, check, connect
from projections.projection import Projection

log = structlog.get_logger("admitone.seeding")


def seed(slot: Path, source: Path) -> None:
    """Copy into ``slot`` each read model that it does not have, from the data directory ``source``.

    The one that is furthest is taken. Raises BadSettings when there is none for a model that is missing.
    """
    missing = [each for each in MODELS if not model_file(slot, each).exists()]
    for projection in missing:
        found = list(_usable(projection, Places(source)))
        if not found:
            raise BadSettings(
                f"{option_name('models_from')}: there is no read model {projection.name} of this version in "
                f"{source}/: leave the option out, and it is made from the log"
            )
        position, path = max(found)
        _copy(path, model_file(slot, projection))
        log.info("a read model was copied", name=projection.name, source=str(path), position=position)


def _usable(projection: Projection, places: Places) -> Iterator[tuple[int, Path]]:
    """The files of ``projection`` that can be used, and how far each is."""
    for path in sorted(places.read_models.glob(f"*/{projection.name}.sqlite")):
        with closing(connect(path, read_only=True)) as connection:
            try:
                check(projection, connection)
                ((position,),) = _rows(connection, "SELECT position FROM feed")
            except (Unusable, sqlite3.DatabaseError) as error:
                log.warning("a read model is not copied", source=str(path), reason=str(error))
                continue
        yield position, path


def _rows(connection: sqlite3.Connection, sql: str) -> Sequence[tuple[int]]:
    return connection.execute(sql).fetchall()


def _copy(source: Path, target: Path) -> None:
    """All in one step, so that it is one moment's state whoever goes on writing; then it gets its name."""
    unfinished = target.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    with closing(connect(source, read_only=True)) as from_, closing(connect(unfinished)) as to:
        from_.backup(to)
    os.replace(unfinished, target)
