"""Proof of the chains of a log, in the log's order: whether each event is what was written, in its place.

Memory does not grow with the log: only of so many streams is the last event remembered. Of another one
its reader looks up the event before, in the log itself.
"""

from collections.abc import Callable

from msgspec import Struct

from gateways.chain import LINK, NOTHING_BEFORE, carried, chain_of, framed, parted, stand_in

REMEMBERED = 50_000
"""Streams of which the last event is remembered, and as many again that were met before them."""

_Last = tuple[int, bytes | None]
"""Of a stream: the revision of its last event, and that event's link if it has a chain."""


Tell = Callable[[int, int], None]
"""How far it is, as a position, and which is the last."""


class Verified(Struct, frozen=True, kw_only=True):
    """What was found to be as it was written.

    unchained: events of before there were chains. sealed_behind: the position behind which the order of the
    whole log is sealed, if it is. head: the log's head mark, if it has seals.
    """

    events: int
    streams: int
    unchained: int
    sealed_behind: int | None = None
    head: str | None = None


class Flawed(Exception):
    """Says in one line which is the first event that is not as it was written, and what is wrong."""


class Chains:
    """Takes events in the log's order. streams: that began. unchained: events of before there were chains."""

    def __init__(self) -> None:
        self.streams = 0
        self.unchained = 0
        self._young: dict[str, _Last] = {}
        self._old: dict[str, _Last] = {}

    def lacks(self, stream: str, revision: int) -> bool:
        """Whether the event before this one is to be looked up first, and told with ``learn``."""
        return revision > 0 and stream not in self._young and stream not in self._old

    def learn(self, stream: str, revision: int, metadata: bytes) -> None:
        """An event that stands before what is taken next."""
        chain = carried(metadata)
        self._remember(stream, revision, chain[:LINK] if chain else None)

    def link(self, stream: str, revision: int) -> bytes | None:
        """What an event with a chain goes on from; None if that wants a closer look, with ``take``."""
        last = self._young.get(stream)
        if last is not None:
            return last[1] if last[0] == revision - 1 else None
        return NOTHING_BEFORE if revision == 0 and stream not in self._old else None

    def go_on(self, stream: str, revision: int, chain: bytes) -> None:
        """The event behind ``link`` has this chain, as it was proved to."""
        if revision == 0:
            self.streams += 1
            if len(self._young) >= REMEMBERED:
                self._make_room()
        self._young[stream] = revision, chain[:LINK]

    def take(
        self, stream: str, revision: int, position: int, type_: str, id_: bytes, data: bytes, metadata: bytes
    ) -> bytes:
        """The event's chain, or what stands for it. Raises Flawed, and ValueError for what is no text."""
        last = self._young.get(stream) or self._old.get(stream)
        if last is not None and last[0] == revision - 1:
            before = last[1]
        else:
            self._refuse_out_of_place(stream, revision, position, last)
            before = None
            self.streams += 1
        frame = framed(stream.encode(), revision, id_, type_.encode(), data)
        bare, chain = parted(metadata)
        if chain is None:
            if before is not None:
                raise Flawed(
                    f"{_named(stream, revision, position)} was put in or altered: "
                    "it carries no chain, and the event before it in its stream does"
                )
            self.unchained += 1
        elif chain != chain_of(before or NOTHING_BEFORE, frame, bare):
            raise Flawed(
                f"{_named(stream, revision, position)} was altered, or does not follow on what stands before "
                "it in its stream: its chain does not match"
            )
        self._remember(stream, revision, chain[:LINK] if chain else None)
        return chain or stand_in(frame, bare)

    @staticmethod
    def _refuse_out_of_place(stream: str, revision: int, position: int, last: _Last | None) -> None:
        """Nothing stands before the first event of a stream, and any other follows on one."""
        if last is not None or revision != 0:
            why = f"it stands behind revision {last[0]}" if last else f"revision {revision - 1} is missing"
            raise Flawed(f"{_named(stream, revision, position)} is out of its place: {why}")

    def _remember(self, stream: str, revision: int, link: bytes | None) -> None:
        if len(self._young) >= REMEMBERED:
            self._make_room()
        self._young[stream] = revision, link

    def _make_room(self) -> None:
        self._young, self._old = {}, self._young


def _named(stream: str, revision: int, position: int) -> str:
    return f"the event at position {position} ({stream} revision {revision})"
