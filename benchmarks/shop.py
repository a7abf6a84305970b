"""A shop to measure in: listings made straight in the log, signed-in buyers, and what they ask."""

import asyncio
from collections.abc import Generator, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import msgspec

from benchmarks.load import Answer, Script, request
from benchmarks.serving import KEY
from domain.ids import derived_id
from domain.money import Money
from domain.ticket import ListTicket, ticket
from gateways.clock import SystemClock
from gateways.embedded import EmbeddedStore
from gateways.sessions import Sessions
from processmanager.desk import Cause, Desk

SELLER = derived_id("bench", "seller")
TOGETHER = 128

_sessions = Sessions([KEY.encode()], lifetime=timedelta(days=1))


def ticket_id(number: int) -> str:
    return derived_id("bench", "ticket", str(number))


def cookie(buyer: int) -> str:
    """The session of a buyer."""
    return cookie_of(derived_id("bench", "buyer", str(buyer)))


def cookie_of(user: str) -> str:
    """The session of the account ``user``."""
    return f"session={_sessions.mint(user, f'{user}@example.com')}"


async def stock(data: Path, count: int) -> None:
    """List ``count`` tickets in the log of the data directory."""
    store = await EmbeddedStore.open(data / "log.sqlite")
    await fill(Desk(store, SystemClock()), range(count))
    await store.close()


async def fill(desk: Desk, numbers: Sequence[int]) -> None:
    """List the tickets with these numbers."""

    async def list_one(number: int) -> None:
        key = ticket_id(number)
        await desk.execute(
            ticket,
            key,
            ListTicket(SELLER, f"Concert {number}", Money(2000 + number % 5000, "usd")),
            Cause("bench", f"list:{key}", SELLER),
            new=True,
        )

    for first in range(0, len(numbers), TOGETHER):
        await asyncio.gather(*(list_one(number) for number in numbers[first : first + TOGETHER]))


# ── What a buyer does on his connection ───────────────────────────────────────────────────────────


def nothing(times: int) -> Script:
    for _ in range(times):
        yield request("POST", "/noop", b'{"ticketId":"0123456789abcdef01234567"}')


def reserve_each(tickets: Iterator[int], buyer: int) -> Script:
    """Reserve tickets of one's own, one after the other."""
    signed_in = cookie(buyer)
    for number in tickets:
        yield from _reserved(number, signed_in)


def buy_each(tickets: Iterator[int], buyer: int) -> Script:
    """Reserve and pay, one ticket after the other."""
    signed_in = cookie(buyer)
    for number in tickets:
        order = yield from _reserved(number, signed_in)
        body = msgspec.json.encode({"token": "tok_visa", "orderId": order})
        expect((yield request("POST", "/api/payments", body, cookie=signed_in)), 201)


def reserve_and_look(tickets: Iterator[int], buyer: int) -> Script:
    """Reserve and look at the order, one ticket after the other: as many requests as to buy it."""
    signed_in = cookie(buyer)
    for number in tickets:
        order = yield from _reserved(number, signed_in)
        expect((yield request("GET", f"/api/orders/{order}", cookie=signed_in)), 200)


def reserve_into(found: list[str], tickets: Iterator[int], buyer: int) -> Script:
    """Reserve tickets of one's own, and note their orders."""
    signed_in = cookie(buyer)
    for number in tickets:
        order = yield from _reserved(number, signed_in)
        found.append(order)


def pay(order: str, buyer: int) -> Script:
    """Pay for one order, and leave it open how that ends."""
    body = msgspec.json.encode({"token": "tok_visa", "orderId": order})
    yield request("POST", "/api/payments", body, cookie=cookie(buyer))


def contend(number: int, times: int, buyer: int) -> Script:
    """Ask again and again for the one ticket that everybody wants."""
    wanted = _reserve(number, cookie(buyer))
    for _ in range(times):
        yield wanted


def read_again(path: str, times: int, buyer: int) -> Script:
    wanted = request("GET", path, cookie=cookie(buyer))
    for _ in range(times):
        expect((yield wanted), 200)


def _reserved(number: int, signed_in: str) -> Generator[bytes, Answer, str]:
    """Reserve a ticket; the id of the order."""
    answer = yield _reserve(number, signed_in)
    expect(answer, 201)
    order: str = msgspec.json.decode(answer.body)["id"]
    return order


def _reserve(number: int, signed_in: str) -> bytes:
    return request("POST", "/api/orders", b'{"ticketId":"%s"}' % ticket_id(number).encode(), cookie=signed_in)


def expect(answer: Answer, status: int) -> None:
    """Raises AssertionError for another answer: what is measured must have worked."""
    if answer.status != status:
        raise AssertionError(f"expected {status}, got {answer.status}: {answer.body[:200]!r}")
