"""Stores that are read or written as bytes, by the names that a user gives them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.failing import Failed
from deploy.places import Places
from deploy.reading import ESDB

if TYPE_CHECKING:
    from gateways.raw_log import RawLog


@asynccontextmanager
async def raw_source(name: str, option: str) -> AsyncIterator["RawLog"]:
    """The log in a data directory, or at esdb://…, that ``option`` names. Raises Failed, BadSettings."""
    if name.startswith(ESDB):
        async with _eventstoredb(option, name, frozenset()) as log:
            yield log
        return
    places = Places(_directory(name))
    if not places.log.is_file():
        raise Failed(f"there is no log in {places.root}/: {option} must be a data directory, or esdb://…")
    async with embedded(places.log) as log:
        yield log


@asynccontextmanager
async def raw_target(name: str, option: str, categories: frozenset[str]) -> AsyncIterator["RawLog"]:
    """The same to write to; what is not there yet is made. categories: of the streams that are written."""
    if name.startswith(ESDB):
        async with _eventstoredb(option, name, categories) as log:
            yield log
        return
    async with embedded(Places(_directory(name)).log) as log:
        yield log


@asynccontextmanager
async def embedded(path: Path) -> AsyncIterator["RawLog"]:
    """The log in a file. Raises StoreDamaged, StoreUnavailable."""
    from gateways.embedded_raw import EmbeddedRawLog

    log = EmbeddedRawLog(path)
    try:
        yield log
    finally:
        await log.close()


@asynccontextmanager
async def _eventstoredb(option: str, uri: str, categories: frozenset[str]) -> AsyncIterator["RawLog"]:
    from deploy.stores import named_by

    with named_by(option):
        from gateways.eventstoredb_raw import OURS, EventStoreDBRawLog

        log = await EventStoreDBRawLog.open(uri, OURS | categories)
    try:
        yield log
    finally:
        await log.close()


def _directory(name: str) -> Path:
    if "://" in name:
        # What is almost an address may hold a password, so it is not repeated.
        raise Failed(f"a store is a data directory, or an address that begins with {' or '.join(ESDB)}", 2)
    return Path(name).expanduser()
