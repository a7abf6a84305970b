"""What EventStoreDB has set aside for an operator: the consumer group's parked signals, and our own facts.

The signals can be given out again all together only: the store knows no single one.
"""

from collections.abc import Sequence
from contextlib import aclosing
from datetime import datetime
from inspect import unwrap
from typing import Any

from esdbclient import AsyncEventStoreDBClient, RecordedEvent
from esdbclient.exceptions import NotFound
from msgspec import DecodeError, Struct, json

from domain.decider import AnyRecorded
from domain.parking import parking
from gateways.codec import Codec
from gateways.eventstoredb_address import Address
from gateways.eventstoredb_calls import Calls, read_stream_once, whole
from gateways.eventstoredb_follow import SILENCE, Following
from gateways.eventstoredb_group import GROUP, group_info_once
from gateways.eventstoredb_looks import as_recorded, first_look, last_event, position_of, reading, streams_of
from gateways.eventstoredb_pages import up_to

PATIENCE = 10.0
"""Seconds that a call may be in trouble: an operator is waiting, and nobody else."""

START = 6.0
"""Seconds for which the start tries to reach the store."""

_PARKED = f"$persistentsubscription-$all::{GROUP}-parked"
_BY_US = "Client explicitly NAK'ed message."

replay_once = unwrap(AsyncEventStoreDBClient.replay_parked_events)


class ParkedSignal(Struct, frozen=True):
    """A fact that was set aside. reason: in the store's words, empty if we asked for it."""

    fact: AnyRecorded
    reason: str
    since: datetime


class _About(Struct, frozen=True):
    """What the store notes about a signal that it sets aside."""

    reason: str = ""


class ParkedSignals:
    """Looks at what is set aside, and has it given out again."""

    @classmethod
    async def open(cls, uri: str) -> "ParkedSignals":
        """Connect. Raises BadAddress, NotAuthorised, StoreUnavailable."""
        found = cls(Address(uri))
        await first_look(found._address, START, found._newest)
        return found

    def __init__(self, address: Address) -> None:
        """``open`` is the way in: this looks at nothing."""
        self._address = address
        self._codec = Codec()
        self._calls = Calls(address, PATIENCE)
        self._streams = streams_of([parking.category])

    async def facts(self) -> Sequence[AnyRecorded]:
        """All facts about parking, in order. Raises StoreUnavailable."""
        until = await self._newest(self._calls)
        found: list[AnyRecorded] = []
        if until:
            following = Following(self._address, self._streams, 0, self._latest, SILENCE)
            async with aclosing(up_to(following, until)) as batches:
                async for batch in batches:
                    found += [as_recorded(event, self._codec) for event in batch]
        return found

    async def signals(self) -> Sequence[ParkedSignal]:
        """What the store has set aside, longest first; what no longer exists is not among it."""
        try:
            events = await reading(
                self._calls,
                lambda client, timeout: whole(
                    read_stream_once(client, _PARKED, resolve_links=True, timeout=timeout)
                ),
            )
        except NotFound:
            return ()
        return [self._signal(event) for event in events]

    async def count(self) -> int:
        """How many signals would be given out again. Raises StoreUnavailable."""
        try:
            info = await self._calls.call(
                lambda client, timeout: group_info_once(client, GROUP, timeout=timeout)
            )
        except NotFound:
            return 0
        return int(info.parked_message_count)

    async def replay(self) -> None:
        """Have all of them given out again, their tries anew. Raises StoreUnavailable, OutcomeUnknown."""
        try:
            await self._calls.call(lambda client, timeout: replay_once(client, GROUP, timeout=timeout))
        except NotFound:
            return

    async def close(self) -> None:
        await self._calls.close()

    async def _latest(self) -> int:
        return await self._newest(self._calls)

    async def _newest(self, calls: Calls) -> int:
        return position_of(await last_event(calls, self._streams))

    def _signal(self, event: RecordedEvent) -> ParkedSignal:
        link = event.link
        assert link is not None
        fact = as_recorded(event, self._codec)
        since = link.recorded_at or fact.metadata.at
        return ParkedSignal(fact, _reason(link), since)


def _reason(link: Any) -> str:
    try:
        said = json.decode(link.metadata, type=_About).reason
    except DecodeError:
        return "for no reason that could be read"
    return " ".join(said.removeprefix(_BY_US).split())
