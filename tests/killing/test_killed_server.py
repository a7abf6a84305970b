"""The server as it is started is killed (SIGKILL) while Stripe works for it, and started again."""

import asyncio
from pathlib import Path

from tests.deploy.running import PATIENCE, Running, running
from tests.live.crowd import KEY, ask, list_tickets, pay, reserve, said, show
from tests.stripe.faults import Action, Fault
from tests.stripe.running import RunningStripe, running_stripe

HELD: list[tuple[str, Action]] = [
    ("payment_intents.create", "hold"),
    ("payment_intents.create", "hold_reply"),
    ("payment_intents.capture", "hold"),
    ("payment_intents.capture", "hold_reply"),
]
"""A purchase at each: the money is being set aside, and was; is being taken, and was."""


async def test_a_server_that_is_killed_while_stripe_works_for_it_ends_each_purchase_once(
    tmp_path: Path,
) -> None:
    async with running_stripe(tmp_path) as double:
        told = {"stripe_secret_key": double.key, "stripe_url": double.url, "jwt_key": KEY}
        told |= {"rate_limit": "off", "retry_delays": "0.2,0.4,0.8,1.6,3.2,6.4"}
        with running(tmp_path / "data", "--no-demo", **told) as server:
            orders = await _reserved(server, len(HELD))
            for operation, action in HELD:
                await double.control.fault(Fault(operation=operation, action=action))
            paying = asyncio.create_task(ask(server.port, [pay(order, "buyer") for order in orders]))
            await _until_all_struck(double)
            server.kill()
            assert await paying == [None] * len(orders)
        with running(tmp_path / "data", "--no-demo", **told) as server:
            # What the dead process had asked for arrives only now.
            await double.control.clear_faults()
            await _until_complete(server, orders)
        sums = await double.control.orders()
        assert [(sums[each].captures, sums[each].kept, sums[each].open) for each in orders] == [
            (1, 2000, 0)
        ] * len(orders)


async def _reserved(server: Running, count: int) -> list[str]:
    tickets = await list_tickets(server.port, count)
    answers = await ask(server.port, [reserve(each, "buyer") for each in tickets])
    return [said(answer)["id"] for answer in answers if answer is not None]


async def _until_all_struck(double: RunningStripe) -> None:
    async with asyncio.timeout(PATIENCE):
        while not all(fault.struck for fault in await double.control.faults()):  # noqa: ASYNC110 -- another process
            await asyncio.sleep(0.02)


async def _until_complete(server: Running, orders: list[str]) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            answers = await ask(server.port, [show(f"/api/orders/{each}", "buyer") for each in orders])
            if [said(each)["status"] for each in answers if each is not None] == ["complete"] * len(orders):
                return
            await asyncio.sleep(0.1)
