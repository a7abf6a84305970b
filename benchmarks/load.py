"""A load generator: many keep-alive connections, each following a script, all latencies kept.

It speaks just enough HTTP/1.1 to cost little beside the server that it measures: one write and one
parse a request, on a Protocol without streams.
"""

import asyncio
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import TypeAlias, cast

from msgspec import Struct

DEADLINE = 600.0
"""Seconds after which a run is given up; no measurement here takes that long."""


class Answer(Struct, frozen=True):
    status: int
    head: bytes
    body: bytes


Script: TypeAlias = Generator[bytes, Answer, None]
"""What one connection does: yields a request, is sent its answer, and so on until it returns."""


class Outcome(Struct, frozen=True):
    """seconds: from the first request to the last answer. latencies: seconds, one a request."""

    seconds: float
    latencies: Sequence[float]
    statuses: dict[int, int]

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds

    def quantile(self, share: float) -> float:
        """The latency in milliseconds that ``share`` of all requests did not exceed."""
        return quantile(self.latencies, share)


def quantile(latencies: Sequence[float], share: float) -> float:
    """The one, in milliseconds, that ``share`` of these (in seconds) did not exceed."""
    ordered = sorted(latencies)
    return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def request(
    method: str, path: str, body: bytes = b"", *, cookie: str = "", headers: Iterable[str] = ()
) -> bytes:
    """The bytes of one request with a JSON body."""
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", *headers]
    if cookie:
        lines.append(f"cookie: {cookie}")
    if body:
        lines.append("content-type: application/json")
    lines.append(f"content-length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def drive(port: int, scripts: Sequence[Script], *, pause: float = 0.0, spread: float = 0.0) -> Outcome:
    """Run every script on a connection of its own, all at once, to their ends.

    pause: seconds that each connection rests between an answer and its next request.
    spread: seconds over which the connections begin, one after the other, so that they do not march in step.
    """
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    statuses: dict[int, int] = {}

    def record(seconds: float, status: int) -> None:
        latencies.append(seconds)
        statuses[status] = statuses.get(status, 0) + 1

    connections = []
    for script in scripts:
        _, connection = await loop.create_connection(lambda: _Connection(record, pause), "127.0.0.1", port)
        connections.append((connection, script))
    began = time.perf_counter()
    ends = []
    async with asyncio.timeout(DEADLINE):
        for connection, script in connections:
            ends.append(connection.follow(script))
            if spread:
                await asyncio.sleep(spread / len(connections))
        await asyncio.gather(*ends)
    return Outcome(time.perf_counter() - began, latencies, statuses)


class _Connection(asyncio.Protocol):
    def __init__(self, record: Callable[[float, int], None], pause: float) -> None:
        self._record = record
        self._pause = pause
        self._received = b""
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def follow(self, script: Script) -> asyncio.Future[None]:
        self._script = script
        self._end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._advance(None)
        return self._end

    def _advance(self, answer: Answer | None) -> None:
        try:
            wanted = next(self._script) if answer is None else self._script.send(answer)
        except StopIteration:
            self._transport.close()
            self._end.set_result(None)
        except Exception as error:
            self._transport.close()
            self._end.set_exception(error)
        else:
            self._sent_at = time.perf_counter()
            self._transport.write(wanted)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head_end = self._received.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = self._received[:head_end]
        body_end = head_end + 4 + _content_length(head)
        if len(self._received) < body_end:
            return
        body, self._received = self._received[head_end + 4 : body_end], self._received[body_end:]
        status = int(head[9:12])
        self._record(time.perf_counter() - self._sent_at, status)
        found = Answer(status, head, body)
        if self._pause:
            asyncio.get_running_loop().call_later(self._pause, self._advance, found)
        else:
            self._advance(found)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._end.done():
            self._end.set_exception(exc or ConnectionError("the server closed a connection in use"))


def _content_length(head: bytes) -> int:
    at = head.lower().find(b"content-length:")
    if at < 0:
        return 0
    end = head.find(b"\r\n", at)
    return int(head[at + 15 : end if end >= 0 else len(head)])
