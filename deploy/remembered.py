"""Times in the log of a data directory, from the read model that remembers them: so that a command need not
read the whole log to find one. What it says is checked against the log before it is believed."""

import sqlite3
from contextlib import aclosing, closing, suppress
from datetime import datetime
from pathlib import Path

from deploy import log_reader
from deploy.parts import PAST, model_file
from deploy.places import Places
from projections.outside import Outside, Unusable
from projections.projection import micros, moment

_NEAR = "SELECT position, at FROM moment WHERE at <= ? ORDER BY at DESC LIMIT 1"


async def near(places: Places, at: datetime) -> int:
    """A position up to which nothing was recorded after ``at``; mostly the last such, and 0 if none is known.

    Raises StoreUnavailable.
    """
    known = [found for slot in places.read_models.glob("*") if (found := _asked(model_file(slot, PAST), at))]
    for position, when in sorted(known, reverse=True):
        async with aclosing(log_reader.facts(places.log, after=position - 1)) as facts:  # type: ignore[type-var]  # a generator
            async for fact in facts:
                if (fact.position, fact.metadata.at) == (position, when):
                    return position
                break
    return 0


def _asked(path: Path, at: datetime) -> tuple[int, datetime] | None:
    with suppress(Unusable, sqlite3.Error), closing(Outside(PAST, path)) as outside:
        for position, when in outside.rows(_NEAR, micros(at)):
            return position, moment(when)
    return None
