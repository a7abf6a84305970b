"""A server is killed (SIGKILL) in the middle of work: nothing that was answered 201 is lost.

After each kill the same data directory is served again, and what had been answered is looked for. In the
end no ticket was sold twice, and the doctor finds log, read models, deadlines and money in agreement.
"""

import asyncio
import os
import random
from collections.abc import Sequence
from pathlib import Path

from benchmarks.load import Answer
from tests.deploy.running import admitone, running
from tests.live.crowd import KEY, ask, list_tickets, pay, reserve, said, show

KILLS = int(os.environ.get("ADMITONE_TEST_KILLS", "4"))
BUYERS = 48


async def test_nothing_that_was_answered_201_is_lost_when_the_server_is_killed(tmp_path: Path) -> None:
    chance = random.Random(7)
    data = tmp_path / "data"
    orders: dict[str, str] = {}
    paid: set[str] = set()
    for _ in range(KILLS):
        with running(data, "--no-demo", jwt_key=KEY, rate_limit="off") as server:
            await _all_is_there(server.port, orders, paid)
            tickets = await list_tickets(server.port, BUYERS)
            buying = asyncio.create_task(_buy_until_it_dies(server.port, tickets, orders, paid))
            await asyncio.sleep(chance.uniform(0.05, 0.4))
            server.kill()
            await buying
    with running(data, "--no-demo", jwt_key=KEY, rate_limit="off") as server:
        await _all_is_there(server.port, orders, paid)
    assert len(set(orders.values())) == len(orders), "a ticket was given to two orders"
    assert orders, "every server died before its first answer"
    diagnosis = admitone("doctor", "--data", str(data))
    assert diagnosis.returncode == 0, diagnosis.stdout + diagnosis.stderr


async def _buy_until_it_dies(
    port: int, tickets: Sequence[str], orders: dict[str, str], paid: set[str]
) -> None:
    """Reserve and pay in small waves, noting only what was answered."""
    for first in range(0, len(tickets), 8):
        wave = tickets[first : first + 8]
        reserved = await ask(port, [reserve(ticket, "buyer") for ticket in wave])
        mine = {said(answer)["id"]: said(answer)["ticket"]["id"] for answer in _made(reserved)}
        orders.update(mine)
        asked = list(mine)
        answers = await ask(port, [pay(order, "buyer") for order in asked])
        paid.update(
            order for order, answer in zip(asked, answers, strict=True) if answer and answer.status == 201
        )


def _made(answers: Sequence[Answer | None]) -> list[Answer]:
    return [answer for answer in answers if answer is not None and answer.status == 201]


async def _all_is_there(port: int, orders: dict[str, str], paid: set[str]) -> None:
    asked = list(orders)
    answers = await ask(port, [show(f"/api/orders/{order}", "buyer") for order in asked])
    for order, answer in zip(asked, answers, strict=True):
        assert answer is not None
        assert answer.status == 200, f"order {order} was answered 201 and is lost"
        assert said(answer)["ticket"]["id"] == orders[order]
        if order in paid:
            assert said(answer)["status"] == "complete", f"order {order} was paid for"
