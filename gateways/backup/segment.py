"""One file of a backup: some events of the log as bytes, compressed, and encrypted if there is a key.

Its first line is a header in JSON, which is not secret: it holds no data of any event. Each header names the
SHA-256 of the file before, so the whole is a chain of which none can be altered, left out or put in.
"""

import zlib
from collections.abc import Sequence
from hashlib import sha256

from msgspec import DecodeError, Struct, ValidationError, json, msgpack

from gateways.backup.cipher import Altered, BadKey, Key
from gateways.raw_log import RawEvent

FORMAT = 1
"""The version of segments and manifests. A greater one was made by a newer Admit One."""

LARGEST = 64 * 1024 * 1024
"""Bytes that the events of a segment may come to; what says more is no segment of ours."""

_LEVEL = 6
_pack = msgpack.Encoder(uuid_format="bytes").encode
_unpack = msgpack.Decoder(list[RawEvent]).decode


class BackupDamaged(Exception):
    """A backup that is damaged, incomplete, mixed, or of a newer version. Says which in one line."""


class Header(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a segment says of itself.

    log: the identity of the log. number: from 1. before: the SHA-256 of the segment before, empty for the
    first. first, last: positions. size: bytes before compression. key: the name of the key, if there is one.
    """

    format: int
    log: str
    number: int
    before: str
    first: int
    last: int
    events: int
    size: int
    categories: frozenset[str]
    key: str | None = None


class Version(Struct):
    """What every version writes."""

    format: int


def identity(first: RawEvent) -> str:
    """The identity of the log that begins with this event: the same for ever, in every store."""
    without_position = (first.stream, first.revision, first.id, first.type, first.data, first.metadata)
    return sha256(_pack(without_position)).hexdigest()


def digest(content: bytes) -> str:
    """What a segment is known by in the one behind it."""
    return sha256(content).hexdigest()


def encode(events: Sequence[RawEvent], log: str, number: int, before: str, key: Key | None) -> bytes:
    """The file of a segment."""
    packed = _pack(events)
    header = Header(
        format=FORMAT,
        log=log,
        number=number,
        before=before,
        first=events[0].position,
        last=events[-1].position,
        events=len(events),
        size=len(packed),
        categories=frozenset(event.stream.partition("-")[0] for event in events),
        key=key.name if key else None,
    )
    line = json.encode(header) + b"\n"
    body = zlib.compress(packed, _LEVEL)
    return line + (key.encrypt(body, line) if key else body)


def header_of(content: bytes, name: str) -> Header:
    """Raises BackupDamaged. ``name``: the segment's, for people."""
    line = content.partition(b"\n")[0]
    try:
        refuse_newer(json.decode(line, type=Version).format, name)
        return json.decode(line, type=Header)
    except (DecodeError, ValidationError, UnicodeDecodeError):
        raise BackupDamaged(f"{name} is damaged") from None


def refuse_newer(version: int, name: str) -> None:
    """Raises BackupDamaged for what this version does not know."""
    if version > FORMAT:
        raise BackupDamaged(f"{name} was made by a newer version of Admit One: restore it with that one")


def decode(content: bytes, name: str, key: Key | None) -> list[RawEvent]:
    """The events of a segment. Raises BackupDamaged, BadKey."""
    header = header_of(content, name)
    check_key(header.key, key, name)
    line, _, body = content.partition(b"\n")
    try:
        if key is not None:
            body = key.decrypt(body, line + b"\n")
        if header.size > LARGEST:
            raise BackupDamaged(f"{name} is damaged")
        events = _unpack(inflated(body, header.size))
    except (Altered, zlib.error, DecodeError, ValidationError, ValueError):
        raise BackupDamaged(f"{name} is damaged") from None
    if len(events) != header.events or (events[0].position, events[-1].position) != (
        header.first,
        header.last,
    ):
        raise BackupDamaged(f"{name} is damaged: it does not hold what it says")
    return events


def check_key(wanted: str | None, key: Key | None, name: str) -> None:
    """Raises BadKey unless ``key`` is the one by the name of ``wanted``."""
    if wanted is not None and key is None:
        raise BadKey(f"{name} is encrypted: say --key-file")
    if wanted is None and key is not None:
        raise BadKey(f"{name} is not encrypted: leave --key-file out, or begin a backup in another directory")
    if key is not None and wanted != key.name:
        raise BadKey(f"{name} was encrypted with another key")


def inflated(body: bytes, size: int) -> bytes:
    """What was compressed. Raises ValueError unless it has this size, zlib.error."""
    inflating = zlib.decompressobj()
    plain = inflating.decompress(body, size + 1)
    if len(plain) != size or not inflating.eof or inflating.unused_data:
        raise ValueError(len(plain))
    return plain
