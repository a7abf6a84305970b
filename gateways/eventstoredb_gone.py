"""What is no longer in a stream: cut off, deleted, or ended for good. It is named, never passed over."""

from collections.abc import Sequence

from esdbclient import RecordedEvent
from msgspec import DecodeError, Struct, field, json

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


def notes(hidden: dict[str, str], event: RecordedEvent) -> bool:
    """Whether this is no event, but EventStoreDB's own note of a stream, and what it says is then kept.

    hidden: streams of which something is no longer shown, and why. A later note may take that back.
    """
    if event.stream_name.startswith("$$"):
        stream = event.stream_name[2:]
        hidden.pop(stream, None)
        if why := _hides(event.data):
            hidden[stream] = why
        return True
    if event.stream_position == _EVERYTHING:
        hidden[event.stream_name] = "it was ended for good"
        return True
    return False


def _hides(metadata: bytes) -> str | None:
    """What a stream's metadata keeps from being shown."""
    try:
        said = json.decode(metadata, type=_Limits)
    except DecodeError:  # counts as no metadata, with the server too
        return None
    if said.before == _EVERYTHING:
        return "it was deleted"
    if said.before > 0:
        return f"it was cut off before revision {said.before}"
    if said.count is not None or said.age is not None:
        return "it is being cut off: its metadata has $maxCount or $maxAge"
    return None


class _Limits(Struct, frozen=True):
    """What of a stream's metadata has an effect on what is shown."""

    before: int = field(default=0, name="$tb")
    count: int | None = field(default=None, name="$maxCount")
    age: int | None = field(default=None, name="$maxAge")


def says_deleted(metadata: Sequence[RecordedEvent]) -> bool:
    """Whether a stream's metadata hides everything, which is how EventStoreDB deletes."""
    try:
        return bool(metadata and json.decode(metadata[0].data)["$tb"] == _EVERYTHING)
    except (DecodeError, KeyError, TypeError):
        return False
