"""What must not be kept is not: canaries are sent through a server on Stripe, and every file is searched.

The server runs as it is started, with the log at its most talkative; Stripe is the double, over HTTP.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.reconciled import LastReport
from tests.deploy.running import Running, admitone, running
from tests.stripe.running import SECRET, RunningStripe, running_stripe
from tests.stripe.webhooks import Target

CARD = "5105105105105100"
SPACED, DASHED = "5105 1051 0510 5100", "5105-1051-0510-5100"
CARDS = (CARD, SPACED, DASHED, "5105+1051+0510+5100", "5105%201051%200510%205100")
OPERATOR = "canary key of an operator 5b8e20c4f7a1"
JWT_KEY = "canary key of the sessions 93d1f06ae52b"
PASSWORD = "canary-password"
PATIENCE = 20.0


def searched(folder: Path, canaries: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Which canary is in which file below ``folder``, in its raw bytes, free pages and all."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            kept = path.read_bytes()
            for canary in canaries:
                if canary.encode() in kept or canary.encode("utf-16-le") in kept:
                    yield str(path.relative_to(folder)), canary


class Canaries:
    """Buys through a server, and does everything with card numbers that it should not do."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self.secrets: list[str] = []
        self.refusals: list[str] = []

    async def signed_up(self, email: str) -> None:
        self._client.cookies.clear()
        await self._ask("POST", "/api/users/signup", json={"email": email, "password": PASSWORD})

    async def order(self) -> str:
        ticket = await self._ask("POST", "/api/tickets", json={"title": "Front row", "price": 20})
        return str(ticket.json()["id"])

    async def reserved(self, ticket: str) -> str:
        return str((await self._ask("POST", "/api/orders", json={"ticketId": ticket})).json()["id"])

    async def paid(self, order: str, token: str, **headers: str) -> dict[str, Any]:
        body = {"token": token, "orderId": order}
        told: dict[str, Any] = (await self._ask("POST", "/api/payments", json=body, headers=headers)).json()
        if "clientSecret" in told:
            self.secrets.append(told["clientSecret"])
        return told

    async def mistakes(self, ticket: str, order: str) -> None:
        """A card's number wherever a client could put it."""
        pay = "/api/payments"
        for number in (CARD, SPACED, DASHED, f"tok_{CARD}"):
            await self._ask("POST", pay, json={"token": number, "orderId": order})
            await self._ask("POST", pay, json={"token": "tok_visa", "orderId": number})
            await self._ask("POST", pay, data={"token": number, "orderId": order})
            await self._ask("POST", "/api/orders", json={"ticketId": number})
            await self._ask("POST", pay, content=f'{{"token": "{number}", "orderId": ')
            await self._ask("GET", f"/api/orders?card={number}")
        card = {"number": CARD, "cvc": "737", "exp": "12/34"}
        await self._ask("POST", pay, json={"token": {"card": card}, "orderId": order, "card": card})
        await self._ask("POST", pay, json={"card": card, "orderId": order})
        for path in (
            f"/api/orders/{CARD}",
            f"/api/v1/payments/{CARD}",
            f"/api/payments/{CARD}",
            f"/{DASHED}",
        ):
            await self._ask("GET", path)
        for name in (
            "x-request-id",
            "idempotency-key",
            "authorization",
            "user-agent",
            "referer",
            "traceparent",
        ):
            for number in (CARD, DASHED):
                await self._ask("POST", "/api/orders", json={"ticketId": ticket}, headers={name: number})
                await self._ask("GET", "/api/orders", headers={name: number})
        await self._ask("POST", "/api/users/signin", json={"email": CARD, "password": CARD})

    async def forgeries(self) -> None:
        hooks = "/api/webhooks/stripe"
        await self._ask("POST", hooks, json={"card": CARD}, headers={"stripe-signature": f"t=1,v1={CARD}"})
        await self._ask(
            "GET", "/api/v1/payments/x/dispute-pack", headers={"authorization": f"Bearer {PASSWORD}"}
        )

    async def _ask(self, method: str, path: str, **sent: Any) -> httpx.Response:
        answer = await self._client.request(method, path, **sent)
        if answer.status_code >= 400:
            self.refusals.append(answer.text)
            self.refusals.extend(answer.headers.values())
        return answer


@asynccontextmanager
async def serving(
    folder: Path, double: RunningStripe, **more: str
) -> AsyncIterator[tuple[Running, Canaries]]:
    told = {
        "stripe_secret_key": double.key,
        "stripe_url": double.url,
        "stripe_webhook_secrets": SECRET,
        "operator_key": OPERATOR,
        "jwt_key": JWT_KEY,
        "rate_limit": "off",
        "log_level": "debug",
        **more,
    }
    with running(folder / "var", **told) as server:
        await double.control.send_webhooks_to(
            Target(url=f"{server.url}/api/webhooks/stripe", secrets=[SECRET])
        )
        async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE) as client:
            yield server, Canaries(client)


@pytest.fixture
async def double(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningStripe]:
    """Its own ledger is not ours: it lies elsewhere."""
    async with running_stripe(tmp_path_factory.mktemp("stripe")) as running_one:
        yield running_one


async def test_no_card_data_no_secret_and_nobodys_name_is_in_any_file(
    tmp_path: Path, double: RunningStripe
) -> None:
    async with serving(tmp_path, double) as (server, canaries):
        await canaries.signed_up("canary-seller@example.test")
        tickets = [await canaries.order() for _ in range(6)]
        await canaries.signed_up("canary-buyer@example.test")
        orders = [await canaries.reserved(ticket) for ticket in tickets[:5]]
        await canaries.mistakes(tickets[5], orders[0])
        assert "id" in await canaries.paid(orders[0], "tok_visa")
        await canaries.paid(orders[1], "tok_chargeDeclined")
        await canaries.paid(orders[2], "tok_threeDSecure2Required")
        await canaries.paid(orders[3], "pm_card_visa", **{"idempotency-key": CARD})
        await double.kill()
        await canaries.paid(orders[4], "tok_visa")
        await double.start()
        await canaries.forgeries()
        words = ("--data", str(tmp_path / "var"))
        for command in (("reconcile",), ("doctor",), ("events",)):
            told = await asyncio.to_thread(admitone, *command, *words)
            (tmp_path / f"{command[0]}.out").write_text(told.stdout + told.stderr)
    assert len(canaries.secrets) == 1
    log = server.log.read_text()
    assert "/api/payments" in log, "the log is where it is looked for, and says something"
    assert len(canaries.refusals) > 50
    secrets = (double.key, SECRET, OPERATOR, JWT_KEY, PASSWORD, *canaries.secrets, *CARDS)
    assert list(searched(tmp_path, secrets)) == []
    mine = ("canary-seller", "canary-buyer")
    named = {name for name, _ in searched(tmp_path, mine)}
    assert {name.partition("-")[0] for name in named} == {"var/accounts.sqlite"}
    assert [text for text in canaries.refusals if any(each in text for each in (*secrets, *mine))] == []


async def test_a_key_that_stripe_does_not_take_is_told_without_itself(
    tmp_path: Path, double: RunningStripe
) -> None:
    wrong = "sk_test_canaryOfAWrongKey0001"
    async with serving(tmp_path, double, stripe_secret_key=wrong) as (server, canaries):
        await canaries.signed_up("canary-seller@example.test")
        ticket = await canaries.order()
        await canaries.signed_up("canary-buyer@example.test")
        await canaries.paid(await canaries.reserved(ticket), "tok_visa")
    assert "does not take the secret key" in server.log.read_text()
    assert list(searched(tmp_path, (wrong, wrong[-8:]))) == []
    assert LastReport(tmp_path / "var" / "reconciliation.json").check() is None
