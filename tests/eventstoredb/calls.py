"""The call log: what clients asked of the nodes, how often, with which metadata, and how it ended."""

import asyncio
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from typing import Any

from tests.eventstoredb.answers import Failure


class Call:
    """One call. ``method``: as in ``Streams/Read``. ``node``: the number of the node that was asked."""

    def __init__(self, method: str, node: int, metadata: Mapping[str, str]) -> None:
        self.method = method
        self.node = node
        self.metadata = metadata
        self.requests = 0
        self.events = 0
        """Proposed events that came with it."""
        self.types: set[str] = set()
        """And of which types they were."""
        self.subscribes = False
        """Whether it is a catch-up subscription: a read without an end."""
        self.answers = 0
        self.status: str | None = None
        """The name of the gRPC status that ended it; None while it is open."""
        self.ending: Failure | None = None
        self._task = asyncio.current_task()
        self._is_writing = False

    @property
    def agent(self) -> str:
        """Which client called: ``async`` or ``sync``."""
        return "async" if "asyncio" in self.metadata.get("user-agent", "") else "sync"

    @property
    def requires_leader(self) -> bool:
        return self.metadata.get("requires-leader") == "true"

    def saw(self, request: Any) -> None:
        """Count a request, and the events in it."""
        self.requests += 1
        fields = request.DESCRIPTOR.fields_by_name
        if "proposed_messages" in fields:
            self._proposes(request.proposed_messages)
        elif "proposed_message" in fields and request.HasField("proposed_message"):
            self._proposes([request.proposed_message])
        elif self.method == "Streams/Read":
            self.subscribes = request.options.WhichOneof("count_option") == "subscription"

    def _proposes(self, messages: Sequence[Any]) -> None:
        self.events += len(messages)
        self.types.update(message.metadata.get("type", "") for message in messages)

    def end(self, failure: Failure) -> None:
        """End an open call from the server's side; with ``Failure("OK")``, silently."""
        if self.status is None and self._task is not None:
            self.ending = failure.anew()
            if not self._is_writing:
                self._task.cancel()

    async def writing(self, write: Awaitable[None]) -> None:
        """Send an answer. gRPC must not be disturbed in this, so an end that comes meanwhile waits.

        Raises Failure when the call is to end.
        """
        self._is_writing = True
        await write
        self._is_writing = False
        if self.ending is not None:
            raise self.ending

    def __repr__(self) -> str:
        return f"<{self.method} on node {self.node}: {self.status or 'open'}>"


class Calls:
    """All calls so far, in the order in which they arrived."""

    def __init__(self) -> None:
        self._calls: list[Call] = []

    def add(self, call: Call) -> None:
        self._calls.append(call)

    def __iter__(self) -> Iterator[Call]:
        return iter(tuple(self._calls))

    def of(self, method: str = "") -> list[Call]:
        """The calls of one method, or of all whose name ends so."""
        return [call for call in self._calls if call.method.endswith(method)]

    def open(self, method: str = "") -> list[Call]:
        return [call for call in self.of(method) if call.status is None]

    def count(self, method: str = "") -> int:
        return len(self.of(method))

    def end(self, method: str, failure: Failure) -> int:
        """End all open calls of a method; gives how many there were."""
        calls = self.open(method)
        for call in calls:
            call.end(failure)
        return len(calls)

    def end_subscriptions(self, failure: Failure) -> int:
        """End all catch-up subscriptions; gives how many there were."""
        subscriptions = [call for call in self.open("Streams/Read") if call.subscribes]
        for call in subscriptions:
            call.end(failure)
        return len(subscriptions)

    def clear(self) -> None:
        """Forget the calls that have ended."""
        self._calls = self.open()
