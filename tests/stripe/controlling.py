"""The control API from Python. Each verb raises ControlRefused with the double's reason."""

import asyncio
from collections.abc import Sequence
from typing import Any, TypeVar

import httpx
import msgspec

from tests.stripe.books import Sums
from tests.stripe.faults import Fault
from tests.stripe.forging import Flaw
from tests.stripe.service import Seen
from tests.stripe.shapes import Dispute, PaymentIntent, Refund
from tests.stripe.webhooks import Delivery, Rule, Target

T = TypeVar("T")


class ControlRefused(Exception):
    """The double does not do it; the text says why."""


class Control:
    """What a test may ask of the double beside Stripe's API."""

    def __init__(self, url: str) -> None:
        # Plain HTTP on this machine: without certificates to read, a client is made 30 times as fast.
        self._client = httpx.AsyncClient(
            base_url=f"{url}/_control/", trust_env=False, verify=False, timeout=10
        )

    async def close(self) -> None:
        await self._client.aclose()

    # ── The ledger ────────────────────────────────────────────────────────────────────────────────

    async def orders(self, by: str = "order") -> dict[str, Sums]:
        """The sums of each value of the intents' metadata ``by``. An order with two currencies is refused."""
        found = await self._get("orders", list[Sums], by=by)
        sums = {each.order: each for each in found}
        if len(sums) != len(found):
            raise ControlRefused("an order was paid in two currencies")
        return sums

    async def balance(self) -> dict[str, int]:
        """The account's balance in each currency, before fees."""
        return await self._get("balance", dict[str, int])

    async def calls(self, operation: str | None = None) -> list[Seen]:
        """The calls to the API so far, oldest first."""
        seen = await self._get("calls", list[Seen])
        return [call for call in seen if operation in (None, call.operation)]

    async def forget_calls(self) -> None:
        await self._send("DELETE", "calls", Any)

    # ── Faults and time ───────────────────────────────────────────────────────────────────────────

    async def fault(self, fault: Fault) -> None:
        await self._post("faults", fault, Any)

    async def faults(self) -> list[Fault]:
        """The faults that are set, with how often each has struck."""
        return await self._get("faults", list[Fault])

    async def until_struck(self, times: int = 1) -> None:
        """Wait until the first fault has struck so often. Raises TimeoutError after ten seconds."""
        async with asyncio.timeout(10):
            while (await self.faults())[0].struck < times:  # noqa: ASYNC110 -- it happens in another process
                await asyncio.sleep(0.01)

    async def clear_faults(self) -> None:
        """No fault strikes any more, and the calls that are held go on."""
        await self._send("DELETE", "faults", Any)

    async def move_clock(self, by: float) -> None:
        """Put the double's clock forward by ``by`` seconds. Uncaptured intents end after seven days."""
        await self._post("clock", {"by": by}, Any)

    async def search_lag(self, seconds: float) -> None:
        """How long what is new is not found by a search."""
        await self._post("search_lag", {"seconds": seconds}, Any)

    # ── What banks and owners do ──────────────────────────────────────────────────────────────────

    async def authenticate(self, intent: str, ok: bool = True, after: float = 0.0) -> PaymentIntent:
        """The card's owner completes the authentication, or fails it, ``after`` seconds from now."""
        return await self._post("authenticate", {"intent": intent, "ok": ok, "after": after}, PaymentIntent)

    async def open_dispute(self, intent: str, reason: str = "fraudulent", inquiry: bool = False) -> Dispute:
        return await self._post("disputes", {"intent": intent, "reason": reason, "inquiry": inquiry}, Dispute)

    async def close_dispute(self, dispute: str, how: str) -> Dispute:
        """``how``: ``won`` or ``lost``."""
        return await self._post("disputes/close", {"dispute": dispute, "how": how}, Dispute)

    async def complete_refund(self, refund: str) -> Refund:
        return await self._post("refunds", {"refund": refund, "how": "succeeded"}, Refund)

    async def fail_refund(self, refund: str, reason: str = "expired_or_canceled_card") -> Refund:
        return await self._post("refunds", {"refund": refund, "how": "failed", "reason": reason}, Refund)

    # ── Webhooks ──────────────────────────────────────────────────────────────────────────────────

    async def send_webhooks_to(self, target: Target) -> None:
        await self._post("webhook", target, Any)

    async def rule(self, rule: Rule) -> None:
        """Drop, double, delay or hold what is like the rule, from now on."""
        await self._post("rules", rule, Any)

    async def clear_rules(self) -> None:
        await self._send("DELETE", "rules", Any)

    async def deliveries(self, state: str | None = None) -> list[Delivery]:
        """What was to be sent, in the order in which it happened."""
        found = await self._get("deliveries", list[Delivery])
        return [each for each in found if state in (None, each.state)]

    async def deliver(self, events: Sequence[str]) -> list[int]:
        """Send these events now, in this order, one after the other, as often as they are named."""
        return await self._post("deliver", {"events": list(events)}, list[int])

    async def forge(
        self,
        flaw: Flaw,
        *,
        event: str | None = None,
        type: str = "payment_intent.succeeded",  # noqa: A002 -- Stripe's own name for it
        object: dict[str, Any] | None = None,  # noqa: A002 -- Stripe's own name for it
    ) -> int:
        """Send a false webhook: the status that came back."""
        told = {"flaw": flaw, "event": event, "type": type, "object": object}
        return await self._post("forge", told, int)

    # ── How it is asked ───────────────────────────────────────────────────────────────────────────

    async def _get(self, path: str, shape: type[T], **query: str) -> T:
        return await self._send("GET", path, shape, query=query)

    async def _post(self, path: str, body: Any, shape: type[T]) -> T:
        return await self._send("POST", path, shape, body=msgspec.json.encode(body))

    async def _send(
        self,
        method: str,
        path: str,
        shape: type[T],
        *,
        body: bytes | None = None,
        query: dict[str, str] | None = None,
    ) -> T:
        answer = await self._client.request(method, path, content=body, params=query)
        if answer.status_code != 200:
            raise ControlRefused(answer.json()["error"]["message"])
        return msgspec.json.decode(answer.content, type=shape)
