"""What the HTTP edge needs to be told, and what it needs to be given."""

from collections.abc import Awaitable, Callable, Container, Mapping
from datetime import timedelta
from pathlib import Path

from msgspec import Struct

from gateways.http.as_of import AsOf
from gateways.http.receipts import Receipts
from gateways.http.returns import Returns
from gateways.http.webhooks import Webhooks
from gateways.identity import Accounts
from processmanager.archive import Archive
from processmanager.marketplace import Marketplace
from projections.catalogue import Catalogue
from projections.orders import Orders

Check = Callable[[], str | None]
"""Looks at one part of the process: None if it is well, else one line that says what is wrong."""


class HttpOptions(Struct, frozen=True, kw_only=True):
    """Settings of the edge.

    jwt_keys: HS256 keys of at least 32 bytes; the first signs, all verify.
    classic_sessions: accept tokens without an end, for any validly signed user.
    secure_cookies: cookies and HSTS for https, whatever the request came by.
    operator_keys: each proves that an operator asks; none: nobody does.
    rate_limit: requests a minute and address; None for no limit.
    rate_file: where processes that serve the same port count together; None for one process alone.
    trusted_proxies: addresses or networks whose X-Forwarded-For and -Proto are believed.
    origins: web origins beside our own whose pages may call with credentials.
    body_limit: bytes. deadline, read_wait: seconds that a request, and a list waiting for its reader's own
    writes, may take.
    """

    jwt_keys: tuple[bytes, ...]
    classic_sessions: bool = False
    session_cookie: str = "session"
    session_lifetime: timedelta = timedelta(hours=12)
    secure_cookies: bool = False
    operator_keys: tuple[bytes, ...] = ()
    rate_limit: int | None = 100
    rate_file: Path | None = None
    trusted_proxies: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    currency: str = "usd"
    body_limit: int = 16 * 1024
    deadline: float = 10.0
    read_wait: float = 0.25


class Services(Struct, frozen=True, kw_only=True):
    """The parts of the house that the edge speaks to.

    archive, as_of: past states, and past lists.
    reaches: whether the log goes as far as a position. live: what only a restart can mend.
    ready: what must be well for requests to be sent here. notes: what an operator should know of, however
    well the process is. erased: the ids of accounts that were erased. webhooks: for a payment provider that
    sends them. returns: for buyers who come back from their banks.
    """

    marketplace: Marketplace
    archive: Archive
    as_of: AsOf
    accounts: Accounts
    erased: Container[str]
    catalogue: Catalogue
    orders: Orders
    reaches: Callable[[int], Awaitable[bool]]
    live: Mapping[str, Check]
    ready: Mapping[str, Check]
    notes: Mapping[str, Check]
    receipts: Receipts
    webhooks: Webhooks | None = None
    returns: Returns | None = None
