"""Whatever happens to the store at whatever step of a purchase, while others buy over HTTP: no harm is done.

No ticket is sold twice, no answer of 201 is lost, nobody is charged twice, and all comes to its end once
the fault has ended. Two processes serve; the faults are those that EventStoreDB's clients have to survive.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias

import pytest
from msgspec import Struct

from gateways.eventstoredb import PATIENCE
from tests.eventstoredb import faults
from tests.eventstoredb.answers import Failure, aborted, group_dropped, too_slow, unavailable
from tests.eventstoredb.cluster import Cluster
from tests.eventstoredb.faults import (
    Action,
    delay_answer,
    hold,
    lose,
    lose_while,
    meanwhile,
    refuse,
    repeat,
    swallow,
)
from tests.eventstoredb.shoppers import STEPS, Served, Shoppers
from tests.eventstoredb.test_serving import serving
from tests.eventstoredb.wire import Wire
from tests.http.shop import opened

THOROUGH = os.environ.get("ADMITONE_TEST_FAULTS") == "all"
"""Every fault at every step. Otherwise every fault at a third of the steps, all steps among them."""
SHARE = 3
WRITES, READS, SIGNALS = "Streams/BatchAppend", "Streams/Read", "PersistentSubscriptions/Read"
HOLD = timedelta(seconds=3)
DELAYS = tuple(timedelta(seconds=2**number) for number in range(5))
LONG = 1.5 * PATIENCE
"""Seconds: longer than the adapter tries to get through."""


class Scene(Struct, frozen=True):
    """The double, and the wire between it and the shops, where there is one."""

    double: Cluster
    wire: Wire | None = None

    def soon(self, seconds: float, happening: Callable[[], object]) -> None:
        asyncio.get_running_loop().call_later(seconds, happening)


@asynccontextmanager
async def scene(nodes: int) -> AsyncIterator[tuple[Scene, str]]:
    """And the address at which the shops find the store."""
    async with Cluster(nodes) as double:
        if nodes > 1:
            yield Scene(double), double.cluster_uri()
            return
        async with Wire(double.nodes[0].endpoint) as wire:
            yield Scene(double, wire), f"esdb://{wire.address}?Tls=false"


def _restart(here: Scene, *, forget_ids: bool) -> Action:
    tasks = []
    return lose_while(lambda: tasks.append(asyncio.create_task(here.double.restart(forget_ids=forget_ids))))


def _not_ready(here: Scene) -> Action:
    def begin() -> None:
        (node,) = here.double.nodes
        node.ready = False
        here.soon(1.0, lambda: setattr(node, "ready", True))

    return meanwhile(begin)


def _other_leader(here: Scene) -> None:
    followers = [node for node in here.double.nodes if node is not here.double.leader]
    here.double.elect(followers[0])


def _no_leader(here: Scene) -> Action:
    def begin() -> None:
        here.double.elect(None)
        here.soon(1.0, lambda: here.double.elect(here.double.nodes[1]))

    return meanwhile(begin)


def _ended(failure: Callable[[], Failure]) -> Callable[[Scene], Action]:
    return lambda here: meanwhile(lambda: here.double.calls.end_subscriptions(failure()))


def _told_twice(here: Scene) -> Action:
    here.double.faults.add(READS, repeat(), times=None, subscribes=True)
    here.double.faults.add(SIGNALS, repeat(), times=None)

    def begin() -> None:
        here.double.calls.end_subscriptions(unavailable())
        here.double.calls.end(SIGNALS, unavailable())

    return meanwhile(begin)


def _group_dropped(here: Scene) -> Action:
    return meanwhile(lambda: here.double.calls.end(SIGNALS, group_dropped("$all", "admitone")))


def _cut(here: Scene) -> Action:
    assert here.wire is not None
    wire = here.wire
    return meanwhile(lambda: setattr(wire, "answer_limit", 40))


def _vanished(here: Scene) -> Action:
    assert here.wire is not None
    wire = here.wire

    def begin() -> None:
        wire.stall()
        here.soon(1.0, wire.resume)

    return lose_while(begin)


Broken: TypeAlias = faults.Fault


class Fault(Struct, frozen=True):
    """times: how many appends of the step it strikes. seconds: or all of them, for so long.
    nodes: how many the cluster has.
    """

    action: Callable[[Scene], Action]
    times: int | None = 1
    seconds: float | None = None
    nodes: int = 1

    def set(self, here: Scene, step: str) -> Broken:
        times = None if self.seconds else self.times
        broken = here.double.faults.add(WRITES, self.action(here), times=times, proposes=step)
        if self.seconds:
            here.soon(self.seconds, broken.stop)
        return broken


FAULTS = {
    "unavailable": Fault(lambda _: refuse(unavailable()), seconds=LONG),
    "commit_then_drop": Fault(lambda _: lose(unavailable()), times=2),
    "hang": Fault(lambda _: hold(), seconds=LONG),
    "commit_then_hang": Fault(lambda _: swallow(), seconds=LONG),
    "commit_then_abort": Fault(lambda _: lose(aborted()), times=2),
    "commit_then_reset": Fault(lambda _: lose(Failure("INTERNAL", "stream reset")), times=2),
    "slow": Fault(lambda _: delay_answer(0.9), times=3),
    "not_ready": Fault(_not_ready),
    "not_leader": Fault(lambda here: meanwhile(lambda: _other_leader(here)), nodes=3),
    "no_leader": Fault(_no_leader, nodes=3),
    "subscription_ended": Fault(_ended(unavailable)),
    "subscription_ended_in_silence": Fault(_ended(lambda: Failure("OK"))),
    "consumer_too_slow": Fault(_ended(too_slow)),
    "told_twice": Fault(_told_twice),
    "signals_dropped": Fault(_group_dropped),
    "cut_after_some_bytes": Fault(_cut),
    "peer_vanished": Fault(_vanished),
    "restart_with_its_ids": Fault(lambda here: _restart(here, forget_ids=False)),
    "restart_without_its_ids": Fault(lambda here: _restart(here, forget_ids=True)),
}


def _steps(fault: str) -> list[str]:
    names = [step.__name__ for step in STEPS]
    return names if THOROUGH else names[list(FAULTS).index(fault) % SHARE :: SHARE]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", FAULTS)
async def test_no_fault_of_the_store_does_harm_under_load(tmp_path: Path, name: str) -> None:
    fault = FAULTS[name]
    async with scene(fault.nodes) as (here, uri), AsyncExitStack() as closing:
        told = {"store": uri, "hold": HOLD, "retry_delays": DELAYS}
        shops = [await closing.enter_async_context(opened(tmp_path, **told)) for _ in range(2)]
        shoppers = Shoppers(shops)
        for step in _steps(name):
            await _wave(here, shoppers, fault, step, f"{name}-{step}")
        await shoppers.all_is_well(here.double, tmp_path)


@pytest.mark.timeout(300)
async def test_a_running_server_with_two_workers_survives_one_fault_after_the_other(tmp_path: Path) -> None:
    """As it is started, over real connections: three processes of its own, and the projector."""
    data = tmp_path / "data"
    alone = {name: fault for name, fault in FAULTS.items() if fault.nodes == 1}
    async with scene(1) as (here, uri):
        told = ("--no-demo", "--workers", "2", "--hold", str(HOLD.seconds), "--store", uri)
        async with serving(data, *told, retry_delays=",".join(str(each.seconds) for each in DELAYS)) as port:
            shoppers = Shoppers([Served(port)])
            for number, (name, fault) in enumerate(alone.items()):
                step = STEPS[number % len(STEPS)].__name__
                await _wave(here, shoppers, fault, step, f"{name}-{step}")
            await shoppers.all_is_well(here.double, data)


async def _wave(here: Scene, shoppers: Shoppers, fault: Fault, step: str, name: str) -> None:
    broken = fault.set(here, step)
    await shoppers.crowd(name)
    assert broken.struck, f"nobody came to {step}"
    here.double.faults.clear()
