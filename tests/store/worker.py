"""Another process on the same log, started from a clean one that has imported all that it needs."""

import asyncio
import multiprocessing
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, TypeAlias

from domain.decider import NO_STREAM
from gateways.embedded import EmbeddedStore
from processmanager.ports import OutcomeUnknown, StoreUnavailable, WrongRevision
from tests.store.contract import event, events

_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload([__name__])

Work: TypeAlias = Callable[[EmbeddedStore, str, Connection], Coroutine[Any, Any, None]]


@contextmanager
def started(work: Work, path: Path, name: str) -> Iterator[tuple[ForkServerProcess, Connection]]:
    """A process that does ``work`` on the log, and the end of the pipe that it reports to."""
    ours, theirs = _PROCESSES.Pipe(duplex=False)
    process = _PROCESSES.Process(target=_main, args=(work, path, name, theirs))
    process.start()
    theirs.close()
    try:
        yield process, ours
    finally:
        process.kill()
        process.join()
        process.close()
        ours.close()


def _main(work: Work, path: Path, name: str, report: Connection) -> None:
    async def run() -> None:
        store = await EmbeddedStore.open(path)
        await work(store, name, report)
        await store.close()

    asyncio.run(run())
    report.send(None)


async def append_for_ever(store: EmbeddedStore, name: str, report: Connection) -> None:
    """Three streams of two events an append, eight at a time. Reports each append that was answered."""

    async def one(stream: str) -> None:
        for revision in range(-1, 1_000_000, 2):
            batch = events(2)
            await store.append(stream, batch, revision)
            report.send((stream, revision, [proposed.id for proposed in batch]))

    await asyncio.gather(*[one(f"parking-{name}-{number}") for number in range(8)])


async def append_own(store: EmbeddedStore, name: str, report: Connection) -> None:
    """Three hundred appends to streams of this process's own."""
    for number in range(30):
        streams = [f"parking-{name}-{number}-{n}" for n in range(10)]
        await asyncio.gather(*[store.append(stream, events(2), NO_STREAM) for stream in streams])


async def contend(store: EmbeddedStore, name: str, report: Connection) -> None:
    """A hundred appends to one stream that others append to as well, each repeated until it is in."""
    for number in range(100):
        while True:
            head = len(await store.read("parking-contended")) - 1
            try:
                await store.append("parking-contended", [event(f"{name}-{number}")], head)
            except WrongRevision:
                continue
            break


async def sell_once(store: EmbeddedStore, name: str, report: Connection) -> None:
    """Fifty streams that everybody wants to begin. Reports which it got."""
    for number in range(50):
        try:
            await store.append(f"parking-wanted-{number}", [event(name)], NO_STREAM)
        except WrongRevision:
            continue
        report.send(number)


async def open_only(store: EmbeddedStore, name: str, report: Connection) -> None:
    """Open the log and one append, no more."""
    try:
        await store.append(f"parking-{name}", [event()], NO_STREAM)
    except (StoreUnavailable, OutcomeUnknown) as error:
        report.send(str(error))
