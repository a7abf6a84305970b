"""What chains each event to the one before it in its stream, and how an event carries it.

The chain of an event is 48 bytes: its link (SHA-256), on which the next event goes on, and the first half
of a SHA-256 over the metadata too. The link covers what happened: the link before, the event's place in
its stream, its id, type and data. All of that follows from the event's id, so the link of an own append is
known even where another process was quicker with the same ids. When it was decided, and for whom, may then
be the other's, which is why only the second half covers it (docs/decisions/0013).

An event carries its chain as the last member of its metadata. Nothing in it depends on a position, so it
stays true when a log is copied. Events of before have none: the chain begins behind them.
"""

from binascii import Error, a2b_base64, b2a_base64
from hashlib import sha256
from struct import Struct

LINK = 32
"""Bytes of a link, with which a chain begins."""

NOTHING_BEFORE = bytes(LINK)
"""What the first event of a stream goes on from, and the first behind events without a chain."""

_HALF = 16
_TEXT = 4 * (LINK + _HALF) // 3
_BEGIN, _END = b'"chain":"', b'"}'
_MEMBER = len(_BEGIN) + _TEXT + len(_END)
_MEMBER_OF = b"," + _BEGIN + b"%b" + _END
_sizes = Struct(">QIIQ").pack


def framed(stream: bytes, revision: int, id_: bytes, type_: bytes, data: bytes) -> bytes:
    """What happened, and where in its stream, in a form that no two different events share."""
    return b"".join((_sizes(revision, len(stream), len(type_), len(data)), id_, stream, type_, data))


def chain_of(before: bytes, frame: bytes, metadata: bytes) -> bytes:
    """The chain of an event.

    before: the link of the event before it in its stream. frame: see ``framed``. metadata: without a chain.
    """
    hashed = sha256(before + frame)
    link = hashed.digest()
    hashed.update(metadata)
    return link + hashed.digest()[:_HALF]


def confirmed(
    before: bytes, stream: bytes, revision: int, id_: bytes, type_: bytes, data: bytes, metadata: bytes
) -> bytes | None:
    """The chain of an event, if its metadata carries just that.

    As ``framed``, ``chain_of`` and ``carrying`` together, written out for whoever has a whole log to go
    through; None may also mean that the metadata is of a rare form.
    """
    sizes = _sizes(revision, len(stream), len(type_), len(data))
    hashed = sha256(b"".join((before, sizes, id_, stream, type_, data)))
    link = hashed.digest()
    hashed.update(metadata[: -_MEMBER - 1] + b"}")
    chain = link + hashed.digest()[:_HALF]
    return chain if metadata.endswith(_MEMBER_OF % b2a_base64(chain, newline=False)) else None


def stand_in(frame: bytes, metadata: bytes) -> bytes:
    """What stands for an event without a chain where chains are listed. No chain is like it."""
    return chain_of(NOTHING_BEFORE, frame, metadata) + b"-"


def carrying(metadata: bytes, chain: bytes) -> bytes:
    """Metadata, a JSON object or nothing at all, with ``chain`` as its last member."""
    begin = metadata[:-1] + b"," if len(metadata) > len(b"{}") else b"{"
    return begin + _BEGIN + b2a_base64(chain, newline=False) + _END


def parted(metadata: bytes) -> tuple[bytes, bytes | None]:
    """Metadata without its chain, and the chain; None if it has none."""
    chain = carried(metadata)
    if chain is None:
        return (b"" if metadata == b"{}" else metadata), None
    before = metadata[: -_MEMBER - 1]
    return (before + b"}" if before else b""), chain


def carried(metadata: bytes) -> bytes | None:
    """The chain that an event carries; None if there is none."""
    if metadata[-_MEMBER : -_TEXT - len(_END)] != _BEGIN or metadata[-len(_END) :] != _END:
        return None
    try:
        return a2b_base64(metadata[-_TEXT - len(_END) : -len(_END)], strict_mode=True)
    except Error:
        return None


def link_behind(metadata: bytes) -> bytes:
    """What the event behind one with this metadata goes on from."""
    chain = carried(metadata)
    return chain[:LINK] if chain else NOTHING_BEFORE
