"""The links on which the next events of streams go on, as far as this process has seen them.

A link stands for what is in the log for good, so what is remembered of it never becomes wrong.
"""

from collections.abc import Sequence

from esdbclient import NewEvent, RecordedEvent

from domain.decider import NO_STREAM, AnyProposed
from gateways.chain import LINK, NOTHING_BEFORE, carrying, chain_of, framed, link_behind
from gateways.codec import Codec

REMEMBERED = 25_000
"""Streams of which the last link is remembered, and as many again that were met before them."""


class Links:
    """Of many streams the last link that was seen, and its revision."""

    def __init__(self) -> None:
        self._young: dict[str, tuple[int, bytes]] = {}
        self._old: dict[str, tuple[int, bytes]] = {}

    def behind(self, stream: str, revision: int) -> bytes | None:
        """What the event behind this revision goes on from; None if that is not known."""
        if revision == NO_STREAM:
            return NOTHING_BEFORE
        last = self._young.get(stream) or self._old.get(stream)
        return last[1] if last and last[0] == revision else None

    def saw(self, event: RecordedEvent) -> bytes:
        """Remember an event that was read; the link behind it."""
        link = link_behind(event.metadata)
        self.remember(event.stream_name, event.stream_position, link)
        return link

    def remember(self, stream: str, revision: int, link: bytes) -> None:
        """What an event of ours at this revision is followed on from."""
        if len(self._young) >= REMEMBERED and stream not in self._young:
            self._young, self._old = {}, self._young
        self._young[stream] = revision, link


def chained(
    codec: Codec, stream: str, events: Sequence[AnyProposed], expected: int, link: bytes
) -> tuple[list[NewEvent], bytes]:
    """The events as they are appended behind ``expected``, and the link of the last one.

    link: what the first goes on from. Raises ValueError for what cannot be written as UTF-8.
    """
    name, new = stream.encode(), []
    for revision, proposed in enumerate(events, expected + 1):
        encoded = codec.encode(proposed)
        frame = framed(name, revision, proposed.id.bytes, encoded.type.encode(), encoded.data)
        chain = chain_of(link, frame, encoded.metadata)
        new.append(NewEvent(encoded.type, encoded.data, carrying(encoded.metadata, chain), id=proposed.id))
        link = chain[:LINK]
    return new, link
