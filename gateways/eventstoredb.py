"""EventStoreDB behind the store port, through esdbclient's asynchronous client.

An answer that was lost is never taken for a failure: the append is repeated with the same ids at the same
revision, which EventStoreDB recognises, then the stream is looked at, and only then is the outcome unknown.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, suppress
from datetime import timedelta
from logging import getLogger
from uuid import UUID

from esdbclient import NewEvent, RecordedEvent, StreamState
from esdbclient.exceptions import NotFound, StreamIsDeleted, WrongCurrentVersion
from msgspec.structs import replace

from domain.decider import NO_STREAM, AnyProposed, AnyRecorded, Unreadable
from domain.deciders import DECIDERS
from gateways.codec import Codec
from gateways.eventstoredb_address import Address, BadAddress
from gateways.eventstoredb_calls import CLOSED, Calls, append_once, read_from_once
from gateways.eventstoredb_follow import SILENCE, Following
from gateways.eventstoredb_gone import gap, notes, says_deleted, whole_from
from gateways.eventstoredb_group import ConsumerGroup
from gateways.eventstoredb_links import Links, chained
from gateways.eventstoredb_looks import (
    as_recorded,
    first_look,
    last_event,
    page_of,
    position_of,
    reading,
    streams_of,
    with_metadata,
)
from gateways.eventstoredb_raw import raw_stream
from gateways.eventstoredb_trouble import NotAuthorised, TooLarge
from gateways.raw_log import RawEvent
from processmanager.ports import OutcomeUnknown, WrongRevision

__all__ = ["BadAddress", "EventStoreDBStore", "NotAuthorised", "TooLarge"]

log = getLogger("admitone.eventstoredb")

PATIENCE = 1.4
"""Seconds for which a call tries to get through. With the look behind it: less than two."""

START = 6.0
"""Seconds for which the start tries to reach the store."""

LOOK = 0.4
"""Seconds for finding out, at the end, whether an append whose answer was lost is there."""

STREAMS = streams_of(decider.category for decider in DECIDERS)
"""Ours, whatever else lives in the database."""

_PAGE = 500
_LONGEST_STREAM = 2**53


class EventStoreDBStore:
    """The log in EventStoreDB: one node, or a cluster whose leader is followed."""

    kind = "eventstoredb"

    @classmethod
    async def open(
        cls, uri: str, codec: Codec | None = None, *, patience: float = PATIENCE, silence: float = SILENCE
    ) -> "EventStoreDBStore":
        """Connect, and see that the log can be used.

        patience: seconds for which a call tries to get through. silence: seconds without a message after
        which a follower looks whether it has missed something.
        Raises BadAddress, NotAuthorised, StoreUnavailable; each says in one line what to do.
        """
        address = Address(uri)
        store = cls(address, codec or Codec(), patience, silence)
        try:
            await store._first_look()
        except BaseException:
            await store.close()
            raise
        return store

    def __init__(self, address: Address, codec: Codec, patience: float, silence: float) -> None:
        """``open`` is the way in: this looks at nothing."""
        self._address = address
        self._codec = codec
        self._silence = silence
        self._calls = Calls(address, patience)
        self._looks = Calls(address, LOOK)
        self._followings: set[Following] = set()
        self._groups: list[ConsumerGroup] = []
        self._links = Links()
        self._head = 0
        self._again: asyncio.Task[None] | None = None

    async def read(self, stream: str, after: int = NO_STREAM) -> Sequence[AnyRecorded]:
        """As the port says. What is gone from the stream comes as one ``Unreadable`` in its place."""
        events: list[RecordedEvent] = []
        next_ = after + 1
        try:
            while True:
                page = await self._page(self._calls, stream, next_, _PAGE)
                events += page
                if len(page) < _PAGE:
                    break
                next_ = page[-1].stream_position + 1
        except (NotFound, StreamIsDeleted) as error:
            return await self._missing(stream, after, deleted=isinstance(error, StreamIsDeleted))
        if events:
            self._links.saw(events[-1])
        return whole_from(stream, after + 1, [self._recorded(event) for event in events], self._head)

    async def raw(self, stream: str) -> Sequence[RawEvent]:
        """All of a stream as it is stored. Raises StoreUnavailable."""
        return await raw_stream(self._calls, stream)

    async def append(self, stream: str, events: Sequence[AnyProposed], expected: int) -> int:
        """As the port says. Raises also TooLarge, and ValueError for what cannot be written as UTF-8."""
        if not NO_STREAM <= expected < _LONGEST_STREAM:
            raise WrongRevision(f"{stream} is never at revision {expected}")
        if not events:
            return await self._append_nothing(stream, expected)
        stream.encode()  # a name that cannot be written is found out here, not inside a call
        before = self._links.behind(stream, expected) or await self._link(stream, expected)
        encoded, link = chained(self._codec, stream, events, expected, before)
        try:
            position = await self._calls.call(
                lambda client, timeout: append_once(
                    client,
                    stream,
                    current_version=StreamState.NO_STREAM if expected == NO_STREAM else expected,
                    events=encoded,
                    timeout=timeout,
                )
            )
        except WrongCurrentVersion as error:
            raise WrongRevision(str(error)) from None
        except StreamIsDeleted:
            raise WrongRevision(f"{stream} was deleted") from None
        except OutcomeUnknown as error:
            position = await self._settle(stream, encoded, expected, error)
        if not position:
            # An append that stands there already, but can no longer be read, has no position.
            raise WrongRevision(f"{stream} was cut off")
        self._head = max(self._head, position)
        self._links.remember(stream, expected + len(events), link)
        return int(position)

    async def follow(self, after: int = 0) -> AsyncIterator[Sequence[AnyRecorded]]:
        """As the port says, in batches of at most 500. Goes on after every kind of disconnection.

        Raises StoreUnavailable when the store is closed, and StoreDamaged when the log ends before
        ``after``: who has read further than there is has read another log, or this one has lost its end.
        """
        self._calls.refuse_closed()
        streams = with_metadata(STREAMS)
        following = Following(self._address, streams, after, self._newest, self._silence)
        self._followings.add(following)
        try:
            async with aclosing(following.batches()) as batches:  # type: ignore[type-var]  # a generator
                async for batch in batches:
                    if found := [fact for event in batch async for fact in self._told(event)]:
                        self._head = max(self._head, found[-1].position)
                        yield found
        finally:
            self._followings.discard(following)
        self._calls.refuse_closed()

    def group(self, delays: tuple[timedelta, ...]) -> ConsumerGroup:
        """Where the log's facts are given out among processes. It does nothing until it is asked for them.

        delays: how long a failing purchase is left alone before each further try.
        """
        group = ConsumerGroup(self._address, STREAMS, delays, self._recorded, self._silence)
        self._groups.append(group)
        return group

    def head(self) -> int:
        """The last position that this process knows of, 0 for an empty log. Raises StoreUnavailable."""
        self._calls.refuse_closed()
        return self._head

    async def reaches(self, position: int) -> bool:
        """Whether the log goes as far as ``position``: asked of the store, if this process has not seen it.

        Raises StoreUnavailable.
        """
        return position <= self.head() or await self._from(self._looks, position) is not None

    async def id_at(self, position: int) -> UUID | None:
        """The id of the event at ``position``, or of the next one; None if nothing can be read from there.

        Raises StoreUnavailable.
        """
        found = await self._from(self._calls, position)
        return found.id if found else None

    async def _from(self, calls: Calls, position: int) -> RecordedEvent | None:
        found = await reading(calls, lambda client, timeout: read_from_once(client, position, timeout))
        return found[0] if found else None

    def health(self) -> str | None:
        """None, or in one line what is wrong: calls fail, or the log is not being followed.

        Whoever asks has it looked at again: without a call nobody would notice that the store is back.
        """
        if self._calls.closed:
            return CLOSED
        if self._calls.problem and (self._again is None or self._again.done()):
            self._again = asyncio.create_task(self._look_again())
        problems = [self._calls.problem, *(following.problem for following in self._followings)]
        return next((problem for problem in problems if problem), None)

    async def close(self) -> None:
        """End the followers, close the connections. A second call does nothing."""
        for following in (*self._followings, *self._groups):
            following.close()
        if self._again is not None:
            self._again.cancel()
        await self._calls.close()
        await self._looks.close()

    # ── How ───────────────────────────────────────────────────────────────────────────────────────

    async def _look_again(self) -> None:
        with suppress(Exception):  # what is wrong is kept, for the next one who asks
            await self._newest()
        await asyncio.sleep(LOOK)

    async def _first_look(self) -> None:
        newest = await first_look(self._address, START, lambda calls: last_event(calls, STREAMS))
        self._head = position_of(newest)

    async def _newest(self) -> int:
        return position_of(await last_event(self._calls, STREAMS))

    async def _page(self, calls: Calls, stream: str, first: int, limit: int) -> list[RecordedEvent]:
        stream.encode()
        return await page_of(calls, stream, first, limit)

    async def _link(self, stream: str, revision: int) -> bytes:
        """The link behind an event that this process has neither read nor written."""
        try:
            found = await self._page(self._calls, stream, revision, 1)
        except (NotFound, StreamIsDeleted):
            found = []
        if not found or found[0].stream_position != revision:
            raise WrongRevision(f"{stream} has no revision {revision}")
        return self._links.saw(found[0])

    async def _settle(
        self, stream: str, events: Sequence[NewEvent], expected: int, error: OutcomeUnknown
    ) -> int:
        """Look where the events should stand. If they are not there, they may still be on their way."""
        try:
            found = await self._page(self._looks, stream, expected + 1, len(events))
        except Exception:
            raise error from None
        if not found:
            raise error
        if [each.id for each in found] == [each.id for each in events]:
            return int(found[-1].commit_position or 0)
        raise WrongRevision(f"{stream} was written by another")

    async def _append_nothing(self, stream: str, expected: int) -> int:
        events = await self.read(stream, max(expected - 1, NO_STREAM))
        if (events[-1].revision if events else NO_STREAM) != expected:
            raise WrongRevision(f"{stream} is not at revision {expected}")
        return events[-1].position if events else 0

    async def _missing(self, stream: str, after: int, *, deleted: bool) -> Sequence[AnyRecorded]:
        """No events, or one that says that there have been some."""
        if not deleted:
            try:
                metadata = await self._page(self._calls, f"$${stream}", 0, 1)
            except NotFound:
                return ()
            if not says_deleted(metadata):
                return ()
        return [gap(stream, after + 1, self._head, "the stream was deleted")]

    async def _told(self, event: RecordedEvent) -> AsyncIterator[AnyRecorded]:
        """The event, or a gap where it is EventStoreDB's note that a stream was cut off or deleted."""
        hidden: dict[str, str] = {}
        if not notes(hidden, event):
            yield self._recorded(event)
        for stream, why in hidden.items():
            log.warning("%s: %s is not shown whole any more: %s", self._address, stream, why)
            for first in (await self.read(stream))[:1]:
                if isinstance(first.event, Unreadable):
                    yield replace(first, position=position_of(event))

    def _recorded(self, event: RecordedEvent) -> AnyRecorded:
        return as_recorded(event, self._codec)
