"""What is no longer in a stream: cut off, deleted, or ended for good. It is named, never passed over."""

from collections.abc import Sequence

from esdbclient import RecordedEvent
from msgspec import DecodeError, json

from domain.decider import AnyRecorded, Recorded, Unreadable
from gateways.codec import NOTHING_KNOWN, derived_id

_EVERYTHING = 2**63 - 1


def gap(stream: str, revision: int, position: int, reason: str) -> AnyRecorded:
    """Stands for what is gone, so that nobody decides on a stream that is not whole."""
    event = Unreadable("(gone)", b"", reason)
    return Recorded(stream, revision, position, derived_id(stream, revision), event, NOTHING_KNOWN)


def whole_from(
    stream: str, revision: int, found: Sequence[AnyRecorded], position: int
) -> Sequence[AnyRecorded]:
    """What was found of a stream from ``revision`` on, with a gap in front if its beginning is not there.

    position: of the gap, where nothing at all was found.
    """
    if found and found[0].revision != revision:
        reason = f"revisions {revision} to {found[0].revision - 1} are gone: the stream was cut off"
        return [gap(stream, revision, found[0].position, reason), *found]
    if not found and not revision:
        # A stream that was never written is not found at all; this one is there and shows nothing.
        return [gap(stream, revision, position, "the stream was cut off behind its end")]
    return found


def says_deleted(metadata: Sequence[RecordedEvent]) -> bool:
    """Whether a stream's metadata hides everything, which is how EventStoreDB deletes."""
    try:
        return bool(metadata and json.decode(metadata[0].data)["$tb"] == _EVERYTHING)
    except (DecodeError, KeyError, TypeError):
        return False
