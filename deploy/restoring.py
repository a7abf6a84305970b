"""A log out of a backup, into a store with nothing in it."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, aclosing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from shutil import rmtree

from deploy.failing import WRONG_SETTINGS, Failed
from deploy.places import Places
from deploy.undoing import directory, leased
from gateways.backup.durable import sync_folder
from gateways.backup.folder import Manifest
from gateways.backup.log import BackupLog
from gateways.codec import Codec
from gateways.embedded_mark import HeadMark
from processmanager import moments

_WORKPLACE, _LEASE = ".restoring", "lease"


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


def refuse(places: Places, *files: Path) -> None:
    """Raises Failed if there is anything of one of ``files`` in the data directory.

    What SQLite has left of an older file beside a new one would be taken for a part of it.
    """
    for file in files:
        if found := sorted(path.name for path in places.root.glob(f"{file.name}*")):
            raise Failed(
                f"{places.root}/ is not empty, it has {', '.join(found)}. "
                "Restore into another directory, or move that away first"
            )


@contextmanager
def workplace(places: Places) -> Iterator[Places]:
    """Where what is restored is made, on the disk that it will be on. It is gone at the end.

    Raises Failed when another restore into ``places`` is running; OSError.
    """
    made = Places(places.root / _WORKPLACE)
    with (
        directory(made.root),
        leased(made.root / _LEASE, f"another restore into {places.root}/ is running"),
    ):
        try:
            _clear(made)
            yield made
        finally:
            rmtree(made.root, ignore_errors=True)


def _clear(made: Places) -> None:
    """Remove what a restore that was killed has left."""
    for path in made.root.iterdir():
        if path.is_dir():
            rmtree(path)
        elif path.name != _LEASE:
            path.unlink()


def put_in_place(made: Places, places: Places) -> None:
    """Move what was restored into the data directory; if that fails it is as it was before.

    Read models of an earlier log go out with a new one: they are made anew. Raises Failed, OSError.
    """
    if beside := sorted(each.name for each in made.root.glob("*.sqlite-*")):
        raise Failed(f"SQLite still holds {', '.join(beside)} of what was restored open: try again")
    log, accounts = made.log.is_file(), made.accounts.is_file()
    # It may have been made meanwhile.
    refuse(places, *([places.log] if log else []), *([places.accounts] if accounts else []))
    moves = list[tuple[Path, Path]]()
    if log and places.read_models.exists():
        moves.append((places.read_models, made.read_models))
    if log:
        moves += [(made.log, places.log), (HeadMark.of(made.log), HeadMark.of(places.log))]
    if accounts:  # last: if a kill comes between, a log without accounts is noticed, and the reverse is not
        moves.append((made.accounts, places.accounts))
    _move(moves, places.root)


def _move(moves: Sequence[tuple[Path, Path]], folder: Path) -> None:
    """All of them, durably, into ``folder``, or none. Raises OSError."""
    with ExitStack() as undoing:
        for path, place in moves:
            path.rename(place)
            undoing.callback(place.rename, path)
        sync_folder(folder)
        undoing.pop_all()
