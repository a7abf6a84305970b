"""One ticket sold over HTTP, told step by step: what ``admitone demo`` does with a running server."""

import secrets
from collections.abc import AsyncIterator
from typing import Any

import httpx
from msgspec import Struct

from deploy.demo_listings import MARK
from deploy.failing import Failed

SELLER, BUYER = "seller", "buyer"
_TOLD = "email title price status expiresAt".split()


class Step(Struct, frozen=True):
    """``request``: the id under which the log has what the step led to."""

    title: str
    asked: str
    answered: str
    request: str


class Shop:
    """Two people, each with a browser of their own, at one server."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._people = {name: httpx.AsyncClient(base_url=url, timeout=15) for name in (SELLER, BUYER)}

    async def close(self) -> None:
        for person in self._people.values():
            await person.aclose()

    async def steps(self) -> AsyncIterator[Step]:
        """Sign up, list, reserve, pay, look: each step once it is done. Raises Failed if one fails."""
        for name in (SELLER, BUYER):
            address = f"demo-{name}-{secrets.token_hex(4)}@example.com"
            who = {"email": address, "password": secrets.token_urlsafe(12)}
            _, step = await self._step(f"The {name} signs up", name, "POST", "/api/users/signup", who)
            yield step
        offer = {"title": f"{MARK} Front row, seat {secrets.randbelow(90) + 10}", "price": 49.5}
        ticket, step = await self._step("The seller lists a ticket", SELLER, "POST", "/api/tickets", offer)
        yield step
        order, step = await self._step(
            "The buyer reserves it", BUYER, "POST", "/api/orders", {"ticketId": ticket["id"]}
        )
        yield step
        _, step = await self._step(
            "and pays", BUYER, "POST", "/api/payments", {"token": "tok_visa", "orderId": order["id"]}
        )
        yield step
        order, step = await self._step("It is his", BUYER, "GET", f"/api/orders/{order['id']}")
        if order["status"] != "complete":
            raise Failed(f"the order is {order['status']} and not complete; see: admitone doctor")
        yield step

    async def _step(
        self, title: str, who: str, method: str, path: str, body: dict[str, Any] | None = None
    ) -> tuple[Any, Step]:
        request = f"demo-{secrets.token_hex(8)}"
        try:
            answer = await self._people[who].request(
                method, path, json=body, headers={"x-request-id": request}
            )
        except httpx.ConnectError:
            raise Failed(f"no server answers at {self._url}; start one with: admitone serve") from None
        except httpx.HTTPError as error:
            raise Failed(f"{method} {path} failed: {type(error).__name__} {error}".strip()) from None
        for cookie in self._people[who].cookies.jar:
            cookie.secure = False  # behind a proxy that speaks https, this still talks to the server itself
        if not answer.is_success:
            raise Failed(f"{method} {path} was answered {answer.status_code}: {_reason(answer)}")
        content = answer.json()
        return content, Step(title, f"{method} {path}", f"{answer.status_code} {_in_short(content)}", request)


def _reason(answer: httpx.Response) -> str:
    try:
        return "; ".join(error["message"] for error in answer.json()["errors"])
    except (ValueError, KeyError, TypeError):
        return "this is not an Admit One"


def _in_short(content: dict[str, Any]) -> str:
    told = [name for name in _TOLD if name in content] or ["id"]
    return " ".join(f"{name}={content[name]}" for name in told)
