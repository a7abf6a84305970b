"""Calls to Stripe through its own SDK: each bounded in time, and with errors that say what they mean.

What is done about trouble, in one place: a call that has no clear answer raises Unclear, and whoever asked
repeats it later under the same key. A refusal that is an answer (a declined card, a step that comes too
late) passes through as the SDK raises it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from logging import getLogger
from typing import Any, TypeVar, cast

import stripe
from msgspec import Struct
from stripe.params import (
    EventListParams,
    PaymentIntentCreateParams,
    PaymentIntentListParams,
    RefundCreateParams,
)

from gateways.stripe_http import StripeHttp
from processmanager.ports import KeyReused, PaymentsUnavailable

log = getLogger("admitone.payments")

T = TypeVar("T")

API_VERSION = "2026-10-28.endive"
"""The version of Stripe's API that this was written for; the SDK would follow its own release."""
URL = "https://api.stripe.com"
TIMEOUT = 8.0
PAGE = 100
MOST_PAGES = 50
"""The most that is listed to find one thing: five thousand."""


class Unclear(PaymentsUnavailable):
    """Stripe gave no clear answer. ``replayed``: nor will it under the same key, for it says what it kept."""

    def __init__(self, message: str, replayed: bool = False) -> None:
        super().__init__(message)
        self.replayed = replayed


class StripeAccess(Struct, frozen=True):
    """How Stripe is reached.

    timeout: seconds for one call. retries: how often the SDK repeats a call by itself within them.
    return_url: where a bank sends the buyer back to; None: the client confirms with Stripe's own script.
    """

    key: str
    version: str = API_VERSION
    url: str = URL
    timeout: float = TIMEOUT
    retries: int = 0
    return_url: str | None = None

    def __repr__(self) -> str:
        return f"StripeAccess({self.url}, {self.version})"


class StripeApi:
    """The calls that paying needs, on one HTTP client. Belongs to the event loop that it is used on."""

    def __init__(self, access: StripeAccess) -> None:
        self.access = access
        self._timeout = access.timeout
        self._http = StripeHttp(access.url, access.timeout)
        self._stripe = stripe.StripeClient(
            access.key,
            stripe_version=access.version,
            base_addresses={"api": access.url},
            max_network_retries=access.retries,
            http_client=self._http,
        )

    async def close(self) -> None:
        await self._http.close_async()

    # ── Intents ───────────────────────────────────────────────────────────────────────────────────

    async def create(self, params: dict[str, Any], key: str) -> stripe.PaymentIntent:
        told = cast("PaymentIntentCreateParams", params)
        intents = self._stripe.v1.payment_intents
        return await self._call("payment", intents.create_async(told, {"idempotency_key": key}))

    async def retrieve(self, intent: str) -> stripe.PaymentIntent:
        found = self._stripe.v1.payment_intents.retrieve_async(intent, {"expand": ["latest_charge"]})
        return await self._call("look", found)

    async def capture(self, intent: str, key: str) -> stripe.PaymentIntent:
        done = self._stripe.v1.payment_intents.capture_async(intent, {}, {"idempotency_key": key})
        return await self._call("capture", done)

    async def cancel(self, intent: str, key: str) -> stripe.PaymentIntent:
        done = self._stripe.v1.payment_intents.cancel_async(
            intent, {"cancellation_reason": "abandoned"}, {"idempotency_key": key}
        )
        return await self._call("cancellation", done)

    async def search(self, name: str, value: str) -> list[stripe.PaymentIntent]:
        """The intents whose metadata ``name`` is ``value``; what was made within the last minute may be
        missing (https://docs.stripe.com/search#data-freshness)."""
        query = f"metadata['{name}']:'{value}'"
        found = await self._call("search", self._stripe.v1.payment_intents.search_async({"query": query}))
        return list(found.data)

    async def made_between(self, first: int, last: int) -> list[stripe.PaymentIntent]:
        """Every intent made in these seconds since 1970, newest first. Raises Unclear for too many."""
        found: list[stripe.PaymentIntent] = []
        for _ in range(MOST_PAGES):
            asked: PaymentIntentListParams = {"created": {"gte": first, "lte": last}, "limit": PAGE}
            if found:
                asked["starting_after"] = found[-1].id
            page = await self._call("list", self._stripe.v1.payment_intents.list_async(asked))
            found += page.data
            if not page.has_more:
                return found
        raise Unclear(f"more than {len(found)} payments to look through for one")

    # ── What became of money ──────────────────────────────────────────────────────────────────────

    async def refund(self, params: dict[str, Any], key: str) -> stripe.Refund:
        told = cast("RefundCreateParams", params)
        return await self._call(
            "refund", self._stripe.v1.refunds.create_async(told, {"idempotency_key": key})
        )

    async def refunds(self, intent: str) -> list[stripe.Refund]:
        """The refunds of an intent, oldest first."""
        found = self._stripe.v1.refunds.list_async({"payment_intent": intent, "limit": PAGE})
        return list(reversed((await self._call("refunds", found)).data))

    async def disputes(self, intent: str) -> list[stripe.Dispute]:
        """The disputes about an intent, oldest first."""
        found = self._stripe.v1.disputes.list_async({"payment_intent": intent, "limit": PAGE})
        return list(reversed((await self._call("disputes", found)).data))

    async def events(self, types: list[str], since: int) -> list[stripe.Event]:
        """The events of these types since then (seconds since 1970), oldest first; Unclear for too many.

        Stripe keeps them for thirty days: https://docs.stripe.com/api/events
        """
        found: list[stripe.Event] = []
        for _ in range(MOST_PAGES):
            asked: EventListParams = {"types": types, "created": {"gte": since}, "limit": PAGE}
            if found:
                asked["starting_after"] = found[-1].id
            page = await self._call("list", self._stripe.v1.events.list_async(asked))
            found += page.data
            if not page.has_more:
                return found[::-1]
        raise Unclear(f"more than {len(found)} events to look through")

    # ── The account's books ───────────────────────────────────────────────────────────────────────

    async def pages(self, kind: str, made: dict[str, int], most: int) -> AsyncIterator[list[Any]]:
        """All intents, refunds or disputes that were made within ``made``, newest first, page by page.

        kind: the name of the SDK's service. Raises Unclear, also when there are more than ``most`` pages.
        """
        service = getattr(self._stripe.v1, kind)
        page = await self._call("list", service.list_async({"created": made, "limit": PAGE}))
        for _ in range(most):
            yield page.data
            if not page.has_more:
                return
            page = await self._call("list", page.next_page_async())
        raise Unclear(f"more than {most * PAGE} {kind.replace('_', ' ')} to look through")

    # ── Trouble ───────────────────────────────────────────────────────────────────────────────────

    async def _call(self, what: str, call: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._timeout):
                return await call
        except TimeoutError:
            raise Unclear(f"Stripe did not answer a {what} within {self._timeout:g} s") from None
        except (stripe.CardError, stripe.InvalidRequestError):
            raise
        except stripe.IdempotencyError as error:
            raise KeyReused(f"Stripe has had another {what} under this key: {error.user_message}") from None
        except stripe.StripeError as error:
            raise _unclear(what, error) from None


def _unclear(what: str, error: stripe.StripeError) -> Unclear:
    match error:
        case stripe.AuthenticationError() | stripe.PermissionError():
            log.error(
                "Stripe does not take the secret key: set ADMITONE_STRIPE_SECRET_KEY to one that is valid"
            )
            return Unclear("Stripe does not take the secret key")
        case stripe.RateLimitError():
            return Unclear(f"Stripe has too much to do for a {what} now")
        case stripe.APIConnectionError():
            return Unclear(f"Stripe could not be reached for a {what}, or did not answer it")
    if error.http_status == 409:
        return Unclear(f"Stripe still works on this {what}")
    replayed = str((error.headers or {}).get("idempotent-replayed", "")).lower() == "true"
    request = error.request_id or "without a request id"
    return Unclear(f"Stripe failed at a {what} with status {error.http_status} ({request})", replayed)
