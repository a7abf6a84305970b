"""Calls to Stripe through its own SDK: each bounded in time, with errors that say what they mean.

A reply is read into a shape of our own: docs/decisions/0024-the-provider-is-asked-where-the-buyer-waits.md.

What is done about trouble, in one place: a call that has no clear answer raises Unclear, and whoever asked
repeats it later under the same key. A refusal that is an answer (a declined card, a step that comes too
late) passes through as the SDK raises it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from logging import getLogger
from typing import Any, TypeAlias, TypeVar
from urllib.parse import quote

import msgspec
import stripe
from msgspec import Struct

from gateways.stripe_http import StripeHttp
from gateways.stripe_shapes import Dispute, Event, Intent, Page, Refund
from processmanager.ports import KeyReused, PaymentsUnavailable

log = getLogger("admitone.payments")

T = TypeVar("T")
N = TypeVar("N", Intent, Refund, Dispute, Event)
Reader: TypeAlias = Callable[[str], T]

API_VERSION = "2026-10-28.endive"
"""The version of Stripe's API that this was written for; the SDK would follow its own release."""
URL = "https://api.stripe.com"
TIMEOUT = 8.0
PAGE = 100
MOST_PAGES = 50
"""The most that is listed to find one thing: five thousand."""

_INTENTS, _REFUNDS, _DISPUTES = "/v1/payment_intents", "/v1/refunds", "/v1/disputes"
_intent = msgspec.json.Decoder(Intent).decode
_refund = msgspec.json.Decoder(Refund).decode
_intents = msgspec.json.Decoder(Page[Intent]).decode
_refunds = msgspec.json.Decoder(Page[Refund]).decode
_disputes = msgspec.json.Decoder(Page[Dispute]).decode
_events = msgspec.json.Decoder(Page[Event]).decode


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

    async def create(self, params: dict[str, Any], key: str) -> Intent:
        return await self._ask("payment", "post", _INTENTS, _intent, params, key)

    async def retrieve(self, intent: str) -> Intent:
        return await self._ask("look", "get", _of(intent), _intent, {"expand": ["latest_charge"]})

    async def capture(self, intent: str, key: str) -> Intent:
        return await self._ask("capture", "post", f"{_of(intent)}/capture", _intent, {}, key)

    async def cancel(self, intent: str, key: str) -> Intent:
        why = {"cancellation_reason": "abandoned"}
        return await self._ask("cancellation", "post", f"{_of(intent)}/cancel", _intent, why, key)

    async def search(self, name: str, value: str) -> list[Intent]:
        """The intents whose metadata ``name`` is ``value``; what was made within the last minute may be
        missing (https://docs.stripe.com/search#data-freshness)."""
        query = {"query": f"metadata['{name}']:'{value}'"}
        return (await self._ask("search", "get", f"{_INTENTS}/search", _intents, query)).data

    async def made_between(self, first: int, last: int) -> list[Intent]:
        """Every intent made in these seconds since 1970, newest first. Raises Unclear for too many."""
        made = {"created": {"gte": first, "lte": last}}
        return [each async for page in self._pages(_INTENTS, _intents, made) for each in page]

    # ── What became of money ──────────────────────────────────────────────────────────────────────

    async def refund(self, params: dict[str, Any], key: str) -> Refund:
        return await self._ask("refund", "post", _REFUNDS, _refund, params, key)

    async def refunds(self, intent: str) -> list[Refund]:
        """The refunds of an intent, oldest first."""
        of = {"payment_intent": intent, "limit": PAGE}
        return (await self._ask("refunds", "get", _REFUNDS, _refunds, of)).data[::-1]

    async def disputes(self, intent: str) -> list[Dispute]:
        """The disputes about an intent, oldest first."""
        of = {"payment_intent": intent, "limit": PAGE}
        return (await self._ask("disputes", "get", _DISPUTES, _disputes, of)).data[::-1]

    async def events(self, types: list[str], since: int) -> list[Event]:
        """The events of these types since then (seconds since 1970), oldest first; Unclear for too many.

        Stripe keeps them for thirty days: https://docs.stripe.com/api/events
        """
        asked = {"types": types, "created": {"gte": since}}
        return [each async for page in self._pages("/v1/events", _events, asked) for each in page][::-1]

    # ── The account's books ───────────────────────────────────────────────────────────────────────

    def all_intents(self, made: dict[str, int], most: int) -> AsyncIterator[list[Intent]]:
        """All intents that were made within ``made``, newest first, page by page.

        Raises Unclear, also when there are more than ``most`` pages; as do the other two.
        """
        return self._pages(_INTENTS, _intents, {"created": made}, most)

    def all_refunds(self, made: dict[str, int], most: int) -> AsyncIterator[list[Refund]]:
        """As ``all_intents``."""
        return self._pages(_REFUNDS, _refunds, {"created": made}, most)

    def all_disputes(self, made: dict[str, int], most: int) -> AsyncIterator[list[Dispute]]:
        """As ``all_intents``."""
        return self._pages(_DISPUTES, _disputes, {"created": made}, most)

    async def _pages(
        self, path: str, read: Reader[Page[N]], asked: dict[str, Any], most: int = MOST_PAGES
    ) -> AsyncIterator[list[N]]:
        behind: dict[str, str] = {}
        for _ in range(most):
            page = await self._ask("list", "get", path, read, asked | {"limit": PAGE} | behind)
            yield page.data
            if not page.has_more or not page.data:
                return
            behind = {"starting_after": page.data[-1].id}
        raise Unclear(f"more than {most * PAGE} {path.rpartition('/')[2].replace('_', ' ')} to look through")

    # ── Trouble ───────────────────────────────────────────────────────────────────────────────────

    async def _ask(
        self,
        what: str,
        method: str,
        path: str,
        read: Reader[T],
        params: dict[str, Any],
        key: str | None = None,
    ) -> T:
        """One call. what: its name in words of errors. read: makes of the reply what is wanted of it.

        Raises Unclear, KeyReused, and the refusals that are answers as the SDK raises them.
        """
        told = params if key is None else params | {"idempotency_key": key}
        try:
            async with asyncio.timeout(self._timeout):
                return read((await self._stripe.raw_request_async(method, path, **told)).body)
        except TimeoutError:
            raise Unclear(f"Stripe did not answer a {what} within {self._timeout:g} s") from None
        except msgspec.DecodeError as wrong:
            raise Unclear(f"Stripe answered a {what} with what is none: {wrong}") from None
        except (stripe.CardError, stripe.InvalidRequestError):
            raise
        except stripe.IdempotencyError as error:
            raise KeyReused(f"Stripe has had another {what} under this key: {error.user_message}") from None
        except stripe.StripeError as error:
            raise _unclear(what, error) from None


def _of(intent: str) -> str:
    return f"{_INTENTS}/{quote(intent, safe='')}"


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
