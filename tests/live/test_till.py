"""``admitone serve`` with Stripe: the till beside the workers is killed, replaced, stopped while many pay."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.load import Answer
from tests.deploy.running import PATIENCE, Running, eventually, running
from tests.live.crowd import KEY, ask, list_tickets, pay, reserve, said, show
from tests.stripe.faults import Action, Fault
from tests.stripe.running import RunningStripe, running_stripe

PURCHASES = 8


@pytest.fixture
async def double(tmp_path: Path) -> AsyncIterator[RunningStripe]:
    async with running_stripe(tmp_path) as running_one:
        yield running_one


@contextmanager
def shop(tmp_path: Path, double: RunningStripe, **more: str) -> Iterator[Running]:
    told = {"stripe_secret_key": double.key, "stripe_url": double.url, "jwt_key": KEY, "rate_limit": "off"}
    with running(tmp_path / "data", "--no-demo", **told, **more) as server:
        yield server


async def reserved(server: Running, count: int = PURCHASES) -> list[str]:
    answers = await ask(
        server.port, [reserve(each, "buyer") for each in await list_tickets(server.port, count)]
    )
    return [said(answer)["id"] for answer in answers if answer is not None]


def paying(server: Running, orders: list[str]) -> "asyncio.Task[list[Answer | None]]":
    return asyncio.create_task(ask(server.port, [pay(each, "buyer") for each in orders]))


async def until_complete(server: Running, orders: list[str]) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            answers = await ask(server.port, [show(f"/api/orders/{each}", "buyer") for each in orders])
            if {said(each)["status"] for each in answers if each is not None} == {"complete"}:
                return
            await asyncio.sleep(0.1)


async def each_was_taken_once(double: RunningStripe, orders: list[str]) -> None:
    sums = await double.control.orders()
    assert {(sums[each].captures, sums[each].kept, sums[each].open) for each in orders} == {(1, 2000, 0)}


@pytest.mark.parametrize("action", ["hold", "hold_reply"])
@pytest.mark.parametrize("step", ["create", "capture"])
async def test_whoever_is_paying_when_the_till_is_killed_has_paid_once_in_the_end(
    tmp_path: Path, double: RunningStripe, step: str, action: Action
) -> None:
    with shop(tmp_path, double, workers="2") as server:
        orders = await reserved(server)
        fault = Fault(operation=f"payment_intents.{step}", action=action, times=None)
        await double.control.fault(fault)
        answers = paying(server, orders)
        await double.control.until_struck(PURCHASES)
        os.kill(server.tills()[0], signal.SIGKILL)
        await double.control.clear_faults()
        # Whom a slow machine gives no new till in time is told that it is not settled yet.
        assert {answer and answer.status for answer in await answers} <= {201, 503}
        await until_complete(server, orders)
    await each_was_taken_once(double, orders)


async def test_a_new_version_of_all_processes_comes_into_service_while_many_pay(
    tmp_path: Path, double: RunningStripe
) -> None:
    slow = Fault(operation="*", action="slow", seconds=0.2, times=None)
    with shop(tmp_path, double) as server:
        orders = await reserved(server, 4 * PURCHASES)
        old = server.tills() + server.workers()
        await double.control.fault(slow)
        server.signal(signal.SIGUSR2)
        statuses = []
        for first in range(0, len(orders), PURCHASES):
            answers = await paying(server, orders[first : first + PURCHASES])
            statuses += [answer and answer.status for answer in answers]
        assert statuses == [201] * len(orders)
        eventually(
            lambda: not set(old) & {*server.tills(), *server.workers()} and len(server.workers()) == 1,
            "all processes are new ones",
        )
    await each_was_taken_once(double, orders)


async def test_a_server_that_is_told_to_stop_lets_the_payments_at_the_till_finish(
    tmp_path: Path, double: RunningStripe
) -> None:
    with shop(tmp_path, double) as server:
        orders = await reserved(server)
        await double.control.fault(Fault(operation="payment_intents.capture", action="hold", times=None))
        answers = paying(server, orders)
        await double.control.until_struck(PURCHASES)
        server.signal()
        await double.control.clear_faults()
        assert [answer and answer.status for answer in await answers] == [201] * PURCHASES
        assert await asyncio.to_thread(server.ended) == 0
    await each_was_taken_once(double, orders)


async def test_without_a_till_all_but_paying_goes_on_and_payments_are_taken_up_afterwards(
    tmp_path: Path, double: RunningStripe
) -> None:
    with shop(tmp_path, double) as server:
        orders = await reserved(server, 1)
        os.kill(server.tills()[0], signal.SIGSTOP)  # it is there, and says nothing
        answers = paying(server, orders)
        assert len(await reserved(server, 3)) == 3
        ready = await ask(server.port, [show("/readyz", "buyer")])
        assert [answer and answer.status for answer in ready] == [200]
        assert [answer and answer.status for answer in await answers] == [503]
        await until_complete(server, orders)  # the projector asks Stripe itself
        os.kill(server.tills()[0], signal.SIGCONT)
        later = await reserved(server, 1)
        assert [answer and answer.status for answer in await paying(server, later)] == [201]
    await each_was_taken_once(double, [*orders, *later])
