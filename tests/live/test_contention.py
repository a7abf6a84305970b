"""Sixty-four people want one ticket, and two processes answer them."""

import os
from pathlib import Path

from tests.deploy.running import running
from tests.live.crowd import KEY, ask, list_tickets, reserve, said, show

CONTENDERS = 64
ROUNDS = int(os.environ.get("ADMITONE_TEST_ROUNDS", "20"))


async def test_of_64_contenders_at_two_workers_one_gets_the_ticket_in_every_round(tmp_path: Path) -> None:
    with running(tmp_path / "data", "--workers", "2", "--no-demo", jwt_key=KEY, rate_limit="off") as server:
        tickets = await list_tickets(server.port, ROUNDS)
        for ticket in tickets:
            answers = await ask(server.port, [reserve(ticket, f"b{n}") for n in range(CONTENDERS)])
            statuses = sorted(answer.status for answer in answers if answer is not None)
            assert statuses == [201] + [400] * (CONTENDERS - 1)
            refusals = {
                said(answer)["errors"][0]["message"] for answer in answers if answer and answer.status == 400
            }
            assert refusals == {"Ticket is already reserved"}
            (order,) = (said(answer)["id"] for answer in answers if answer and answer.status == 201)
            (shown,) = await ask(server.port, [show(f"/api/tickets/{ticket}", "anybody")])
            assert shown is not None
            assert said(shown)["orderId"] == order
