"""The control API: what only a test may do. JSON under ``/_control/``; nothing of it is Stripe's.

Its verbs are told in ``tests/stripe/controlling.py``, which calls them from Python.
"""

import asyncio
from typing import Any, Literal

import msgspec
from msgspec import Struct

from tests.stripe import books, disputes, forging, refunds
from tests.stripe.bank import Bank
from tests.stripe.confirming import authenticated
from tests.stripe.errors import invalid, refused
from tests.stripe.faults import Fault
from tests.stripe.intents import expire_old
from tests.stripe.searching import LAG
from tests.stripe.service import Service
from tests.stripe.shapes import Charge, Dispute, PaymentIntent, Refund
from tests.stripe.webhooks import Rule, Target, Webhooks, check_known


class Authentication(Struct, kw_only=True):
    intent: str
    ok: bool
    after: float = 0.0


class OpenDispute(Struct, kw_only=True):
    intent: str
    reason: str = "fraudulent"
    inquiry: bool = False


class CloseDispute(Struct, kw_only=True):
    dispute: str
    how: Literal["won", "lost"]


class EndRefund(Struct, kw_only=True):
    refund: str
    how: Literal["succeeded", "failed"]
    reason: str = "expired_or_canceled_card"


class Move(Struct, kw_only=True):
    """Put the clock forward by ``by`` seconds; backwards if negative."""

    by: float


class Deliver(Struct, kw_only=True):
    events: list[str]


class SearchLag(Struct, kw_only=True):
    seconds: float


class Control:
    """The verbs by their path below ``/_control/``."""

    def __init__(self, bank: Bank, service: Service, webhooks: Webhooks) -> None:
        self._bank = bank
        self._service = service
        self._webhooks = webhooks

    async def answer(self, method: str, path: str, query: dict[str, Any], body: bytes) -> Any:
        """Raises StripeError."""
        try:
            if method == "GET":
                return self._look(path, query)
            if method == "DELETE":
                return self._clear(path)
            return await self._act(path, body)
        except msgspec.DecodeError as error:
            raise invalid(f"control: {error}") from None

    def _look(self, path: str, query: dict[str, Any]) -> Any:
        match path:
            case "orders":
                return books.by_order(self._bank.ledger, query.get("by", "order"))
            case "balance":
                return books.balance(self._bank.ledger)
            case "calls":
                return list(self._service.seen)
            case "faults":
                return self._service.faults.all
            case "deliveries":
                return list(self._webhooks.deliveries())
            case "clock":
                return {"now": self._bank.clock.now(), "ahead": self._bank.clock.ahead}
        raise _unknown(path)

    def _clear(self, path: str) -> Any:
        match path:
            case "faults":
                self._service.faults.clear()
            case "rules":
                self._webhooks.rules.clear()
            case "calls":
                self._service.seen.clear()
            case _:
                raise _unknown(path)
        return {}

    async def _act(self, path: str, body: bytes) -> Any:
        match path:
            case "faults":
                self._service.faults.add(msgspec.json.decode(body, type=Fault))
            case "rules":
                self._webhooks.rules.append(msgspec.json.decode(body, type=Rule))
            case "webhook":
                self._webhooks.target = msgspec.json.decode(body, type=Target)
                self._bank.webhook = self._webhooks.target.url is not None
            case "deliver":
                wanted = msgspec.json.decode(body, type=Deliver)
                check_known(self._bank, wanted.events)
                return await self._webhooks.deliver(wanted.events)
            case "forge":
                return await forging.send(self._webhooks, msgspec.json.decode(body, type=forging.Forgery))
            case _:
                return await self._change(path, body)
        return {}

    async def _change(self, path: str, body: bytes) -> Any:
        """What changes the ledger, in a transaction."""
        bank = self._bank
        if path == "authenticate":
            await asyncio.sleep(msgspec.json.decode(body, type=Authentication).after)
        with bank.ledger.transaction():
            match path:
                case "authenticate":
                    told = msgspec.json.decode(body, type=Authentication)
                    return authenticated(bank, _intent(bank, told.intent), told.ok)
                case "disputes":
                    opened = msgspec.json.decode(body, type=OpenDispute)
                    charge = _charge(bank, opened.intent)
                    return disputes.open_dispute(bank, None, charge, opened.reason, inquiry=opened.inquiry)
                case "disputes/close":
                    closed = msgspec.json.decode(body, type=CloseDispute)
                    dispute = bank.find(Dispute, "dispute", closed.dispute)
                    return disputes.end(bank, None, dispute, closed.how)
                case "refunds":
                    ended = msgspec.json.decode(body, type=EndRefund)
                    refund = bank.find(Refund, "refund", ended.refund)
                    if ended.how == "succeeded":
                        return refunds.complete(bank, refund)
                    return refunds.fail(bank, refund, ended.reason)
                case "clock":
                    bank.clock.ahead += msgspec.json.decode(body, type=Move).by
                    bank.ledger.remember("ahead", str(bank.clock.ahead))
                    expire_old(bank)
                    return {"now": bank.clock.now(), "ahead": bank.clock.ahead}
                case "search_lag":
                    lag = msgspec.json.decode(body, type=SearchLag).seconds
                    bank.ledger.remember(LAG, str(lag))
                    return {}
        raise _unknown(path)


def _intent(bank: Bank, name: str) -> PaymentIntent:
    return bank.find(PaymentIntent, "payment_intent", name)


def _charge(bank: Bank, intent: str) -> Charge:
    found = bank.ledger.get(Charge, _intent(bank, intent).latest_charge or "")
    if found is None:
        raise refused(f"{intent} has no charge that could be disputed")
    return found


def _unknown(path: str) -> Exception:
    return refused(f"There is no control verb {path!r}", status=404)
