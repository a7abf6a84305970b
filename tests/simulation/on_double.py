"""The outside of a history over the wire: EventStoreDB's double, reached through the real adapter.

People, provider, virtual time and chance are those of every history. But a message to the log is a call
of the adapter, several of them at once, and what goes wrong with it goes wrong in the double and on its
wires. The wire takes the time that it takes, so a seed begins the same history again, and does not
repeat it exactly.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from random import Random
from typing import Any, TypeVar

from domain.decider import AnyProposed, AnyRecorded
from gateways.eventstoredb import EventStoreDBStore
from processmanager.ports import EventStore, StoreUnavailable
from tests.eventstoredb.cluster import Cluster
from tests.eventstoredb.wire import Wire
from tests.simulation import wire_weather
from tests.simulation.deadlines import Deadlines
from tests.simulation.log import Log
from tests.simulation.mirror import Mirror
from tests.simulation.violation import Violation
from tests.simulation.voyages import Voyage, Voyages
from tests.simulation.weather import Weather
from tests.simulation.world import Outside

T = TypeVar("T")

PATIENCE = 0.25
"""Seconds of real time for which the adapters try to get through: a history has much to do."""
RECOVERY = 15.0
"""Seconds of real time within which all must be well again once nothing goes wrong any more."""

RECOVERS = "the store is reached and followed again once faults have ended"


class OnDouble(Outside):
    """A double of its own for each history, with one node or three, and an adapter for each process."""

    option = " --wire"

    def __init__(self, rng: Random, story: list[str] | None) -> None:
        self.rng = rng
        self._loop = asyncio.new_event_loop()
        self._closing = AsyncExitStack()
        self.double: Cluster = Cluster(rng.choice((1, 1, 3)))
        self.wires: list[Wire] = []
        self._adapters: list[EventStoreDBStore] = []
        self.run(self._open())
        self.log = self.mirror = Mirror(self.double.log)
        self.scheduler = self._voyages = Voyages(rng, story, self._loop, self.mirror.catch_up)
        self.weather = Weather(rng, wire_weather.KINDS)
        self._told = [Told(self, adapter) for adapter in self._adapters]
        self._is_calm = False

    async def _open(self) -> None:
        await self._closing.enter_async_context(self.double)
        for _ in range(2):
            adapter = await EventStoreDBStore.open(await self._address(), patience=PATIENCE)
            self._closing.push_async_callback(adapter.close)
            self._adapters.append(adapter)

    async def _address(self) -> str:
        if len(self.double.nodes) > 1:
            return self.double.cluster_uri()
        wire = await self._closing.enter_async_context(Wire(self.double.nodes[0].endpoint))
        self.wires.append(wire)
        return f"esdb://{wire.address}?Tls=false"

    def run(self, work: Awaitable[T]) -> T:
        """Let the wire go on until this is done."""
        return self._loop.run_until_complete(work)

    # ── What a history needs ──────────────────────────────────────────────────────────────────────

    def store(self, process: int, deadlines: Deadlines) -> EventStore:
        return WiredStore(self, self._adapters[process - 1])

    def heard(self, process: int) -> Log:
        return self._told[process - 1]

    def close(self) -> None:
        for told in self._told:
            told.stop()
        self.run(self._closing.aclose())
        if abandoned := asyncio.all_tasks(self._loop):
            for task in abandoned:
                task.cancel()
            self.run(asyncio.wait(abandoned, timeout=RECOVERY))
        self.run(self._loop.shutdown_asyncgens())
        self._loop.close()

    def set_sail(self, work: Callable[[], Coroutine[Any, Any, T]]) -> "asyncio.Task[T]":
        """Begin a call, in whatever weather there is."""
        if self.stays_calm():
            self.calm_down()
        for kind, strike in wire_weather.STRIKES.items():
            if self.weather.strikes(kind):
                strike(self)
        return self._voyages.launch(work())

    # ── Peace ─────────────────────────────────────────────────────────────────────────────────────

    def stays_calm(self) -> bool:
        """Whether nothing goes wrong with the log any more."""
        return not self.weather.may_strike(wire_weather.STRIKES)

    def calm_down(self) -> None:
        """The faults have ended: wait until the adapters have noticed, for virtual time would run away."""
        nothing_happened = not self.weather.foul and not self.weather.struck
        if self._is_calm or nothing_happened:
            return
        self._is_calm = True
        self.double.faults.clear()
        for wire in self.wires:
            wire.answer_limit = None
        self.run(self._recovered())

    async def _recovered(self) -> None:
        problem: str | None = "nobody looked"
        try:
            async with asyncio.timeout(RECOVERY):
                while problem:
                    problem = await self._problem()
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise Violation(RECOVERS, str(problem)) from None

    async def _problem(self) -> str | None:
        for adapter in self._adapters:
            try:
                await adapter.read("order-nobody")
            except StoreUnavailable as error:
                return str(error)
            if problem := adapter.health():
                return problem
        return None

    def hear_all(self, told: "Told") -> None:
        """Wait until a follower has been told of everything."""
        self.calm_down()
        self.run(self._all_heard(told))

    async def _all_heard(self, told: "Told") -> None:
        try:
            async with asyncio.timeout(RECOVERY):
                while len(told) < self.log.head:
                    told.complain()
                    await asyncio.sleep(0.001)
        except TimeoutError:
            raise Violation(RECOVERS, f"{len(told)} of {self.log.head} events were told") from None


class WiredStore:
    """The EventStore port: each call is a voyage of the adapter's."""

    def __init__(self, outside: OnDouble, adapter: EventStoreDBStore) -> None:
        self._outside = outside
        self._adapter = adapter

    async def read(self, stream: str, after: int = -1) -> Sequence[AnyRecorded]:
        return await self._voyage(f"read {stream} after {after}", lambda: self._read(stream, after))

    async def append(self, stream: str, events: Sequence[AnyProposed], expected: int) -> int:
        names = ", ".join(type(each.event).__name__ for each in events)
        label = f"append to {stream} at {expected}: {names}"
        return await self._voyage(label, lambda: self._append(stream, events, expected))

    def follow(self, after: int = 0) -> Any:
        raise NotImplementedError("here the history feeds the read models")

    def _voyage(self, label: str, work: Callable[[], Coroutine[Any, Any, T]]) -> Voyage[T]:
        return Voyage(label, lambda: self._outside.set_sail(work))

    async def _read(self, stream: str, after: int) -> Sequence[AnyRecorded]:
        return [self._outside.mirror.placed(fact) for fact in await self._adapter.read(stream, after)]

    async def _append(self, stream: str, events: Sequence[AnyProposed], expected: int) -> int:
        return self._outside.mirror.place(await self._adapter.append(stream, events, expected))


class Told(Log):
    """The log as an adapter's follower tells it to one process."""

    def __init__(self, outside: OnDouble, adapter: EventStoreDBStore) -> None:
        self._outside = outside
        self._facts: list[AnyRecorded] = []
        self._task = outside.run(self._begin(adapter))

    async def _begin(self, adapter: EventStoreDBStore) -> "asyncio.Task[None]":
        return asyncio.create_task(self._listen(adapter))

    async def _listen(self, adapter: EventStoreDBStore) -> None:
        async for batch in adapter.follow(0):
            for fact in batch:
                placed = self._outside.mirror.placed(fact)
                if placed.position != len(self._facts) + 1:
                    raise Violation(
                        "the log is told in order, each event once", f"{placed} after {len(self)}"
                    )
                self._facts.append(placed)

    def __len__(self) -> int:
        return len(self._facts)

    @property
    def facts(self) -> list[AnyRecorded]:  # type: ignore[override]  # it is the follower that fills it
        """What was told so far; everything, once nothing goes wrong any more."""
        if self._outside.stays_calm():
            self._outside.hear_all(self)
        self.complain()
        return self._facts

    def complain(self) -> None:
        """Raises what ended the follower, if anything did."""
        if self._task.done():
            self._task.result()

    def stop(self) -> None:
        self._task.cancel()
        self._outside.run(asyncio.wait({self._task}))
