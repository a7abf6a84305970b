"""A log out of a backup, into a store with nothing in it."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from shutil import rmtree

from deploy.failing import WRONG_SETTINGS, Failed
from deploy.places import Places
from deploy.raw_stores import embedded
from gateways.backup.durable import sync_folder
from gateways.backup.folder import Manifest
from gateways.backup.log import BackupLog
from gateways.codec import Codec
from gateways.embedded_mark import HeadMark
from gateways.leases import Lease
from gateways.raw_log import RawLog
from processmanager import moments

_WORKPLACE = ".restoring"


async def position(backup: BackupLog, manifest: Manifest, text: str | None) -> int:
    """The position that ``--until`` means, as everywhere (processmanager/moments.py); the last for no text.

    Raises Failed for what is not in the backup.
    """
    if text is None:
        return manifest.position
    try:
        wanted = moments.parse(text)
        if isinstance(wanted, int):
            return await _checked(backup, manifest, wanted)
        moments.check_time(wanted, datetime.now(UTC))
        return await _last_by(backup, wanted, manifest.taken)
    except moments.BadMoment as error:
        raise Failed(f"--until {text}: {error}", WRONG_SETTINGS) from None


async def _checked(backup: BackupLog, manifest: Manifest, wanted: int) -> int:
    if wanted > manifest.position:
        raise moments.BadMoment(f"the backup ends at position {manifest.position}")
    async with aclosing(backup.pages(0, wanted)) as pages:  # type: ignore[type-var]  # a generator
        async for _ in pages:
            return wanted
    raise moments.BadMoment("nothing had been recorded by then")


async def _last_by(backup: BackupLog, at: datetime, taken: datetime) -> int:
    """The last position before the first fact that was recorded after ``at``. Raises BadMoment."""
    if at > taken:
        raise moments.BadMoment(f"the backup knows nothing of what came after {taken:%Y-%m-%dT%H:%M:%SZ}")
    codec, last = Codec(), 0
    async with aclosing(backup.pages(0, backup.until)) as pages:  # type: ignore[type-var]  # a generator
        async for page in pages:
            for event in page:
                _, metadata = codec.decode(event.type, event.data, event.metadata)
                if metadata.at > at:
                    break
                last = event.position
            else:
                continue
            break
    if last == 0:
        raise moments.before_the_log(at)
    return last


@asynccontextmanager
async def new_log(places: Places) -> AsyncIterator[RawLog]:
    """A log in a data directory that has none: it appears there when it is complete, or not at all.

    Read models of an earlier log are removed then: they are made anew. Raises Failed, OSError.
    """
    _refuse_log(places)
    new = not places.root.exists()
    workplace = places.root / _WORKPLACE
    lease = Lease(workplace / "lease")
    if not lease.try_take():
        raise Failed(f"another restore into {places.root}/ is running")
    try:
        for left in workplace.glob(f"{places.log.name}*"):  # by one that was killed
            left.unlink()
        path = workplace / places.log.name
        async with embedded(path) as log:
            yield log
        if path.is_file():
            _put_in_place(path, places)
    finally:
        rmtree(workplace, ignore_errors=True)
        lease.release()
        if new and not any(places.root.iterdir()):
            places.root.rmdir()


def _refuse_log(places: Places) -> None:
    """What SQLite has left of an older log beside a new one would be taken for a part of it."""
    found = sorted(path.name for path in places.root.glob(f"{places.log.name}*"))
    if found:
        raise Failed(
            f"{places.root}/ is not empty, it has {', '.join(found)}. "
            "Restore into another directory, or move that away first"
        )


def _put_in_place(path: Path, places: Places) -> None:
    beside = sorted(each.name for each in path.parent.glob(f"{path.name}-*"))
    if beside:
        raise Failed(f"SQLite still holds {', '.join(beside)} of the restored log open: try again")
    _refuse_log(places)  # it may have been made meanwhile
    rmtree(places.read_models, ignore_errors=True)
    path.replace(places.log)
    HeadMark.of(path).replace(HeadMark.of(places.log))
    sync_folder(places.root)
