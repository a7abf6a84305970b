"""What is new in a log since the last time, into a backup."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import aclosing, contextmanager, suppress
from datetime import datetime
from importlib.metadata import version

from msgspec import Struct
from msgspec.structs import replace

from deploy.copying import Gapless, Tell
from deploy.undoing import directory, leased
from gateways.backup.cipher import BadKey
from gateways.backup.folder import Folder, Manifest
from gateways.backup.segment import FORMAT, BackupDamaged, identity
from gateways.raw_log import RawEvent, RawLog

SEGMENT = 8 * 1024 * 1024
"""Bytes of events in one segment, or a page more."""

_OVERHEAD = 64
"""Bytes that an event takes beside its name, data and metadata, about."""


class CannotBackUp(Exception):
    """The log and the backup do not allow it. Says in one line why, and what to do."""


class Added(Struct, frozen=True):
    """What a run has written, and does not count yet: what the manifest said before it, and is to say."""

    before: Manifest
    behind: Manifest


class BackedUp(Struct, frozen=True):
    """new: events that this run has added. events, segments: in all. position: of the last event."""

    new: int
    events: int
    segments: int
    position: int


@contextmanager
def writing(folder: Folder) -> Iterator[None]:
    """The right to write into ``folder``. If what follows fails, the backup in it is as it was before.

    Raises Failed when another backup has that right; OSError.
    """
    with directory(folder.path), leased(folder.path / "lease", f"another backup into {folder} is running"):
        there = folder.names()
        try:
            yield
        except BaseException:
            with suppress(BackupDamaged, BadKey):  # it was refused for that, and nothing was written
                folder.take_back(there)
            raise


async def add(source: RawLog, kind: str, folder: Folder, taken: datetime, tell: Tell) -> Added | None:
    """Write what ``source`` has and ``folder`` has not; None when both are empty.

    kind: of what kind the store is. taken: the present time. The caller is ``writing``. All that was
    answered before this began is in what was added. It counts from ``conclude`` on.
    Raises CannotBackUp, CannotCopy, BackupDamaged, BadKey, StoreDamaged, StoreUnavailable, OSError.
    """
    before = folder.manifest()
    end = await source.last()
    if before is not None and before.segments:
        await _check_place(source, kind, folder, before)
    elif end is None:
        return None
    else:
        # From now on a directory with segments and no manifest is one that has lost it.
        before = await _beginning(source, kind, end, taken)
        folder.conclude(before)
    folder.clear_away(before)
    behind = before
    if end is not None and end.position > before.position:
        behind = await _add(source, folder, before, end, tell)
    return Added(before, replace(behind, taken=taken, made_by=version("admitone")))


def conclude(folder: Folder, added: Added) -> BackedUp:
    """Have it count. Raises OSError."""
    folder.conclude(added.behind)
    new, behind = added.behind.events - added.before.events, added.behind
    return BackedUp(new, behind.events, behind.segments, behind.position)


async def _check_place(source: RawLog, kind: str, folder: Folder, manifest: Manifest) -> None:
    """Raises CannotBackUp unless what the backup ends with stands in ``source``, at the same position."""
    if manifest.store != kind:
        raise CannotBackUp(
            f"{folder} is of a log on {manifest.store}, whose positions are others than on {kind}: "
            "begin a backup in another directory"
        )
    last = await asyncio.to_thread(folder.last, manifest)
    found = await source.at(last.stream, last.revision)
    if found is None or not found.is_same(last) or found.position != last.position:
        raise CannotBackUp(
            f"{folder} is the backup of another log: its last event, {last}, does not stand at position "
            f"{last.position} of {source}. Begin a backup in another directory"
        )


async def _beginning(source: RawLog, kind: str, end: RawEvent, taken: datetime) -> Manifest:
    """The manifest of a backup with nothing in it."""
    async with aclosing(source.pages(0, end.position)) as pages:  # type: ignore[type-var]  # a generator
        async for page in pages:
            return Manifest(
                format=FORMAT,
                made_by=version("admitone"),
                log=identity(page[0]),
                store=kind,
                taken=taken,
                position=0,
                events=0,
                segments=0,
                head="",
            )
    raise CannotBackUp(f"{source} shows none of its events")


async def _add(source: RawLog, folder: Folder, before: Manifest, end: RawEvent, tell: Tell) -> Manifest:
    """Write what is behind ``before`` up to ``end``, a segment at a time."""
    writing, waiting, size, done = _Writing(folder, before), list[RawEvent](), 0, 0
    gapless = Gapless(source, whole=not before.events)
    try:
        async with aclosing(source.pages(before.position, end.position)) as pages:  # type: ignore[type-var]  # a generator
            async for page in pages:
                gapless.check(page)
                waiting += page
                size += sum(_OVERHEAD + len(e.stream) + len(e.data) + len(e.metadata) for e in page)
                if size >= SEGMENT:
                    await writing.begin(waiting)
                    waiting, size = [], 0
                done += len(page)
                tell("Backing up", done, 0)
        if waiting:
            await writing.begin(waiting)
    finally:
        await writing.end()
    return writing.manifest


class _Writing:
    """Writes one segment while the next one is read. manifest: of what is written."""

    def __init__(self, folder: Folder, before: Manifest) -> None:
        self._folder = folder
        self.manifest = before
        self._written: asyncio.Future[Manifest] | None = None

    async def begin(self, events: Sequence[RawEvent]) -> None:
        """Once the segment before is written. Raises what that has raised."""
        await self.end()
        # A task would begin when the event loop has its turn, and whoever reads a file gives it none.
        loop = asyncio.get_running_loop()
        self._written = loop.run_in_executor(None, _segment, self._folder, self.manifest, events)

    async def end(self) -> None:
        written, self._written = self._written, None
        if written is not None:
            self.manifest = await written


def _segment(folder: Folder, manifest: Manifest, events: Sequence[RawEvent]) -> Manifest:
    number = manifest.segments + 1
    head = folder.add(events, manifest.log, number, manifest.head)
    return replace(
        manifest,
        position=events[-1].position,
        events=manifest.events + len(events),
        segments=number,
        head=head,
    )
