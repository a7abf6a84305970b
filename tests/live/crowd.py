"""A crowd at a running shop: signed-in sellers and buyers that ask over real connections."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from benchmarks.load import Answer, Script, drive, request
from domain.ids import derived_id
from gateways.sessions import Sessions

KEY = "a-key-that-is-only-for-these-tests-0123"

_sessions = Sessions([KEY.encode()])


def signed_in(name: str) -> str:
    """The cookie of a person; who is validly signed in need not have an account in these tests."""
    return f"session={_sessions.mint(derived_id('crowd', name), f'{name}@example.com')}"


async def ask(port: int, requests: Sequence[bytes]) -> list[Answer | None]:
    """Send each request on a connection of its own, all at once; None where the connection broke."""
    answers: list[Answer | None] = [None] * len(requests)

    def script(number: int) -> Script:
        answers[number] = yield requests[number]

    async def one(number: int) -> None:
        try:
            await drive(port, [script(number)])
        except OSError:
            answers[number] = None

    await asyncio.gather(*(one(number) for number in range(len(requests))))
    return answers


async def list_tickets(port: int, count: int, *, seller: str = "seller") -> list[str]:
    """List ``count`` tickets and give their ids."""
    asked = [
        request(
            "POST", "/api/tickets", _json(title=f"Seat {number}", price="20.00"), cookie=signed_in(seller)
        )
        for number in range(count)
    ]
    return [_id(answer) for answer in await ask(port, asked)]


def reserve(ticket: str, buyer: str) -> bytes:
    return request("POST", "/api/orders", _json(ticketId=ticket), cookie=signed_in(buyer))


def pay(order: str, buyer: str, token: str = "tok_visa") -> bytes:
    body = _json(orderId=order, token=token)
    return request("POST", "/api/payments", body, cookie=signed_in(buyer))


def show(path: str, person: str) -> bytes:
    return request("GET", path, cookie=signed_in(person))


def said(answer: Answer) -> Any:
    return json.loads(answer.body)


def _id(answer: Answer | None) -> str:
    assert answer is not None
    assert answer.status == 201, answer
    found: str = said(answer)["id"]
    return found


def _json(**fields: str) -> bytes:
    return json.dumps(fields).encode()
