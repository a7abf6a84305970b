"""How the SDK's calls get to Stripe and back: connections that are kept, through aiohttp.

Of the SDK's own clients, the one for httpx keeps twenty connections, and with sixty-four payments at once a
call costs five times as much; the one for aiohttp lets a reply that breaks off out as an error of aiohttp's.
"""

import asyncio
import ssl
import time
from collections.abc import Coroutine, Mapping
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import stripe

from gateways.spacing import Spacing

CONNECT = 3.0
"""Seconds for reaching Stripe at all."""
CONNECTIONS = 100
"""Calls at once: Stripe takes about so many a second of one account. Who finds none free waits his time."""
APART = 0.002
"""Seconds between the beginnings of two calls. The replies to a crowd that pays at once would come at once
too, and hold up everybody else. Stripe takes a fifth of so many a second of one account."""
KEPT = 30.0
"""Seconds that an idle connection is kept."""


class StripeHttp(stripe.HTTPClient):
    """As the SDK wants its HTTP client. Belongs to the event loop that it is first used on."""

    name = "aiohttp"

    def __init__(self, url: str, timeout: float) -> None:
        """url: where Stripe's API is. timeout: seconds for one call, from its beginning to the last byte."""
        super().__init__()
        self._trusted = ssl.create_default_context(cafile=stripe.ca_bundle_path)
        self._spacing = Spacing(APART)
        self._through = _proxy_to(url)
        self._timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=min(CONNECT, timeout))
        self._session: aiohttp.ClientSession | None = None

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """The whole reply: its body, status and headers. Raises stripe.APIConnectionError."""
        if wait := self._spacing.wait(time.monotonic()):
            await asyncio.sleep(wait)
        try:
            async with self._open().request(
                method, url, headers=headers, data=post_data, proxy=self._through, allow_redirects=False
            ) as reply:
                return await reply.read(), reply.status, reply.headers
        except (aiohttp.ClientError, TimeoutError) as error:
            told = f"{type(error).__name__}: {error}"
            raise stripe.APIConnectionError(told, should_retry=True) from error  # type: ignore[no-untyped-call]

    def sleep_async(self, secs: float) -> Coroutine[Any, Any, None]:
        return asyncio.sleep(secs)

    async def close_async(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        # Made at the first call: an aiohttp session is born on a running event loop.
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._trusted, limit=CONNECTIONS, keepalive_timeout=KEPT),
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


def _proxy_to(url: str) -> str | None:
    """The proxy that the environment (HTTPS_PROXY, NO_PROXY, …) names for Stripe, looked up once."""
    asked = urlsplit(url)
    return None if proxy_bypass(asked.netloc) else getproxies().get(asked.scheme)
