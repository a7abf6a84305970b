"""A backup in a directory: segments that are never altered, and a manifest that says how many count.

A run of ``admitone backup`` writes its segments, then replaces the manifest. What a killed run leaves is
behind the end that the manifest tells, so the backup is as it was before; the next run clears it away.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from itertools import count, takewhile
from pathlib import Path

from msgspec import DecodeError, Struct, ValidationError, json
from msgspec.structs import replace

from gateways.backup.cipher import Key
from gateways.backup.durable import PART, write_whole
from gateways.backup.segment import (
    BackupDamaged,
    Header,
    Version,
    check_key,
    decode,
    digest,
    encode,
    header_of,
    refuse_newer,
)
from gateways.raw_log import RawEvent

MANIFEST = "manifest.json"
_SUFFIX = ".segment"


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is in a backup.

    made_by: the version of Admit One. log: the log's identity. store: of what kind it was, which is what
    positions are of. taken: when the last run began; all that was answered before is in it. head: the
    SHA-256 of the last segment. key: the name of the key. check: over all the rest; signature: the same with
    the key.
    """

    format: int
    made_by: str
    log: str
    store: str
    taken: datetime
    position: int
    events: int
    segments: int
    head: str
    key: str | None = None
    check: str = ""
    signature: str = ""


class Folder:
    """The backup in one directory. Whoever writes holds its lease."""

    def __init__(self, path: Path, key: Key | None) -> None:
        self.path = path
        self._key = key

    def __str__(self) -> str:
        return str(self.path)

    def manifest(self) -> Manifest | None:
        """What is in it; None for an empty directory or none. Raises BackupDamaged, BadKey, OSError."""
        place = self.path / MANIFEST
        try:
            content = place.read_bytes()
        except FileNotFoundError:
            if any(self.path.glob(f"*{_SUFFIX}")):
                raise BackupDamaged(f"{self} is not complete: {MANIFEST} is missing") from None
            return None
        try:
            refuse_newer(json.decode(content, type=Version).format, str(place))
            manifest = json.decode(content, type=Manifest)
        except (DecodeError, ValidationError, UnicodeDecodeError):
            raise BackupDamaged(f"{place} is damaged") from None
        if _check(manifest) != manifest.check:
            raise BackupDamaged(f"{place} is damaged")
        check_key(manifest.key, self._key, str(self))
        if self._signature(manifest) != manifest.signature:
            raise BackupDamaged(f"{place} was altered by somebody without the key")
        return manifest

    def clear_away(self, manifest: Manifest) -> None:
        """Remove what a killed run has left. Raises OSError."""
        for part in self.path.glob(f"*{PART}"):
            part.unlink()
        for number in self._behind(manifest.segments):
            self._file(number).unlink()

    def names(self) -> frozenset[str]:
        """What lies in the directory. Raises OSError."""
        return frozenset(path.name for path in self.path.iterdir())

    def take_back(self, there: frozenset[str]) -> None:
        """Remove what a failed run has added, and nothing that a manifest counts.

        there: the names from before it. Raises BackupDamaged, BadKey, OSError.
        """
        manifest = self.manifest()
        counted = manifest.segments if manifest else 0
        written = {self._file(number) for number in self._behind(counted)} | {*self.path.glob(f"*{PART}")}
        if not counted:
            written.add(self.path / MANIFEST)
        for path in written:
            if path.name not in there:
                path.unlink(missing_ok=True)

    def _behind(self, number: int) -> Iterator[int]:
        """The numbers of the segments that follow on this one."""
        return takewhile(lambda each: self._file(each).exists(), count(number + 1))

    def add(self, events: Sequence[RawEvent], log: str, number: int, before: str) -> str:
        """Write a segment; gives its SHA-256. It counts from when a manifest says so. Raises OSError."""
        content = encode(events, log, number, before, self._key)
        write_whole(self._file(number), content)
        return digest(content)

    def conclude(self, manifest: Manifest) -> None:
        """Replace the manifest. Raises OSError."""
        manifest = replace(manifest, key=self._key.name if self._key else None)
        manifest = replace(manifest, check=_check(manifest), signature=self._signature(manifest))
        write_whole(self.path / MANIFEST, json.format(json.encode(manifest)) + b"\n")

    def verified(self, manifest: Manifest) -> list[Header]:
        """The headers of all segments, once every byte has been checked. Raises BackupDamaged, OSError.

        From the last to the first: the manifest vouches for the last, and each for the one before.
        """
        headers, wanted, behind = list[Header](), manifest.head, manifest.position
        for number in range(manifest.segments, 0, -1):
            header = self._checked(number, wanted, manifest)
            if header.number != number or header.last > behind or header.log != manifest.log:
                raise BackupDamaged(f"{self._file(number)} is out of its place")
            headers.append(header)
            wanted, behind = header.before, header.first - 1
        if wanted or sum(header.events for header in headers) != manifest.events:
            raise BackupDamaged(f"{self} is not complete")
        return headers[::-1]

    def _checked(self, number: int, wanted: str, manifest: Manifest) -> Header:
        content = self._content(number)
        if digest(content) == wanted:
            return header_of(content, str(self._file(number)))
        header = header_of(content, str(self._file(number)))
        if header.log != manifest.log:
            raise BackupDamaged(f"{self._file(number)} is of another log")
        raise BackupDamaged(f"{self._file(number)} is damaged")

    def _content(self, number: int) -> bytes:
        try:
            return self._file(number).read_bytes()
        except FileNotFoundError:
            raise BackupDamaged(f"{self} is not complete: {self._file(number).name} is missing") from None

    def events(self, number: int) -> list[RawEvent]:
        """What is in a segment. Raises BackupDamaged, BadKey, OSError."""
        return decode(self._content(number), str(self._file(number)), self._key)

    def last(self, manifest: Manifest) -> RawEvent:
        """The last event, from a segment that was checked. Raises BackupDamaged, BadKey, OSError."""
        self._checked(manifest.segments, manifest.head, manifest)
        return self.events(manifest.segments)[-1]

    def _file(self, number: int) -> Path:
        return self.path / f"{number:08d}{_SUFFIX}"

    def _signature(self, manifest: Manifest) -> str:
        return self._key.sign(_bare(manifest)) if self._key else ""


def _check(manifest: Manifest) -> str:
    return sha256(_bare(manifest)).hexdigest()


def _bare(manifest: Manifest) -> bytes:
    return json.encode(replace(manifest, check="", signature=""))
