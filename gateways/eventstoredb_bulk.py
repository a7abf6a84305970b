"""Many appends to EventStoreDB in one call, in an order that holds across streams.

One append after another waits for the network each time. The server takes the appends of one BatchAppend
call in the order in which they come, so here the next one is on its way before the last is answered. The
positions in the answers must rise: that is looked at, not hoped for.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

from esdbclient import AsyncEventStoreDBClient, NewEvent, StreamState
from esdbclient.common import handle_rpc_error
from esdbclient.exceptions import StreamIsDeleted, WrongCurrentVersion
from msgspec import Struct

from gateways.eventstoredb_address import Address
from gateways.eventstoredb_calls import apart
from gateways.eventstoredb_trouble import refusal, trouble
from gateways.raw_log import RawEvent
from processmanager.ports import StoreUnavailable, WrongRevision

UNANSWERED = 64
"""Appends that may be on their way: enough to hide the network, few enough to be refused at once."""

MOST_EVENTS, MOST_BYTES = 100, 500_000
"""In one append."""

ANSWER = 15.0
"""Seconds for the oldest append on its way to be answered, and for connecting."""

# The client has everything that such a call needs, but no method that keeps one open.
# ruff: noqa: SLF001


class _Sent(Struct, eq=False):
    """An append on its way. position: where it stands, once that is answered."""

    stream: str
    expected: int | StreamState
    position: int = 0


class OrderedAppends:
    """One BatchAppend call, opened with the first append, and anew after it has failed."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._client: AsyncEventStoreDBClient | None = None
        self._call: Any = None
        self._reading: asyncio.Task[None] | None = None
        self._sent: deque[_Sent] = deque()
        """In the order in which they were sent, from the first that is not answered on."""
        self._by_id: dict[UUID, _Sent] = {}
        self._answered = asyncio.Condition()
        self._position = 0
        self._is_over = False

    async def append(self, events: Sequence[RawEvent]) -> None:
        """Send them on their way, as soon as there is room.

        Raises StoreUnavailable, and WrongRevision when something else stands in a stream; then nobody knows
        how many of those on their way were written, and the next append begins a new call.
        """
        try:
            for run in _runs(events):
                await self._wait(UNANSWERED - 1)
                await self._send(run)
        except BaseException:
            await self._break_off()
            raise

    async def settle(self) -> None:
        """Wait until all of them are answered. Raises as ``append``."""
        try:
            await self._wait(0)
        except BaseException:
            await self._break_off()
            raise

    async def close(self) -> None:
        await self._break_off()

    async def _send(self, run: Sequence[RawEvent]) -> None:
        stream, revision = run[0].stream, run[0].revision
        expected = StreamState.NO_STREAM if revision == 0 else revision - 1
        if self._call is None:
            await self._open()
        assert self._client is not None
        id_, sent = uuid4(), _Sent(stream, expected)
        request = _wire(self._client)._construct_batch_append_req(
            stream_name=stream,
            current_version=expected,
            events=[_new(event) for event in run],
            correlation_id=id_,
            timeout=ANSWER,
        )
        self._sent.append(sent)
        self._by_id[id_] = sent
        with suppress(Exception):  # whoever reads the answers finds out why it failed
            await self._call.write(request)

    async def _open(self) -> None:
        self._client = self._address.client()
        try:
            await apart(self._client.connect(), ANSWER)
        except Exception as error:
            raise self._explained(error) from None
        wire = _wire(self._client)
        self._call = wire._stub.BatchAppend(
            metadata=wire._metadata(self._client._call_metadata, requires_leader=True),
            credentials=self._client._call_credentials,
        )
        self._position = 0
        self._is_over = False
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        """Take the answers in, mostly in the order of the appends."""
        try:
            async for answer in self._call:
                self._take(answer)
                async with self._answered:
                    self._answered.notify_all()
        finally:
            self._is_over = True
            async with self._answered:
                self._answered.notify_all()

    def _take(self, answer: Any) -> None:
        sent = self._by_id.pop(_uuid(answer.correlation_id))
        sent.position = _wire(self._client)._convert_batch_append_resp(answer, sent.stream, sent.expected)
        if not sent.position:
            raise WrongRevision(f"{self._address}: {sent.stream} was cut off or deleted")
        while self._sent and self._sent[0].position:
            answered = self._sent.popleft()
            if answered.position <= self._position:
                raise WrongRevision(f"{self._address}: {answered.stream} is elsewhere in the log already")
            self._position = answered.position

    async def _wait(self, most: int) -> None:
        """Until at most ``most`` appends are unanswered."""
        if len(self._sent) <= most:
            return
        reading = self._reading
        assert reading is not None
        try:
            async with asyncio.timeout(ANSWER), self._answered:
                await self._answered.wait_for(lambda: len(self._sent) <= most or self._is_over)
        except TimeoutError:
            raise StoreUnavailable(f"{self._address}: it did not answer in time") from None
        if len(self._sent) > most:
            await asyncio.wait({reading})
            raise self._explained(reading.exception())

    def _explained(self, error: BaseException | None) -> Exception:
        """What ended the call, in the port's words."""
        if type(error).__module__.partition(".")[0] == "grpc":
            error = handle_rpc_error(error)
        if isinstance(error, WrongCurrentVersion | StreamIsDeleted):
            return WrongRevision(f"{self._address}: {error}")
        if isinstance(error, StoreUnavailable | WrongRevision):
            return error
        if not isinstance(error, Exception):
            return StoreUnavailable(f"{self._address}: it ended the call")
        found = trouble(error)
        return refusal(error) or (StoreUnavailable(f"{self._address}: {found.reason}") if found else error)

    async def _break_off(self) -> None:
        """Let go of the call and its client, whatever is still on its way."""
        call, self._call = self._call, None
        reading, self._reading = self._reading, None
        client, self._client = self._client, None
        self._sent.clear()
        self._by_id.clear()
        if call is not None:
            call.cancel()
        if reading is not None:
            reading.cancel()
            await asyncio.wait({reading})
            if not reading.cancelled():
                reading.exception()
        if client is not None:
            with suppress(Exception):
                await apart(client.close(), 1)


def _wire(client: AsyncEventStoreDBClient | None) -> Any:
    """What builds the client's requests and reads its answers."""
    assert client is not None
    return client._connection.streams


def _uuid(message: Any) -> UUID:
    """An id in either of the forms in which servers write it."""
    if message.HasField("structured"):
        most, least = message.structured.most_significant_bits, message.structured.least_significant_bits
        return UUID(int=(most % 2**64) << 64 | least % 2**64)
    return UUID(message.string)


def _runs(events: Sequence[RawEvent]) -> Iterator[Sequence[RawEvent]]:
    """Events that stand one behind the other in one stream, for one append."""
    run: list[RawEvent] = []
    size = 0
    for event in events:
        length = len(event.data) + len(event.metadata) + 2 * len(event.type)
        follows = run and event.stream == run[0].stream and event.revision == run[-1].revision + 1
        if run and (not follows or len(run) == MOST_EVENTS or size + length > MOST_BYTES):
            yield run
            run, size = [], 0
        run.append(event)
        size += length
    if run:
        yield run


def _new(event: RawEvent) -> NewEvent:
    return NewEvent(
        event.type,
        event.data,
        event.metadata,
        "application/json" if event.is_json else "application/octet-stream",
        event.id,
    )
