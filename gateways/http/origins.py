"""Who calls from where: the address behind proxies, and the web pages that may call at all."""

from ipaddress import ip_address, ip_network

from gateways.http.answer import Answer, Header, Scope, empty
from gateways.http.call import Call
from gateways.http.errors import problem

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_METHODS = b"GET, POST, PUT, PATCH, DELETE"
_HEADERS = b"content-type, idempotency-key, x-request-id, admitone-position"
_EXPOSED = b"admitone-position, admitone-age, idempotent-replayed, link, retry-after, x-request-id"


class Proxies:
    """The proxies whose word on the client's address and scheme is taken."""

    def __init__(self, trusted: tuple[str, ...]) -> None:
        self._networks = tuple(ip_network(proxy, strict=False) for proxy in trusted)

    def address(self, scope: Scope) -> str:
        """Where the request came from: the last address that no trusted proxy vouches for as its own."""
        client = scope["client"]
        address = client[0] if client else ""
        if self._networks and self._trusts(address):
            lines = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
            for hop in reversed(b",".join(lines).decode("latin-1").split(",")):
                if not (hop := hop.strip()):
                    break
                address = hop
                if not self._trusts(hop):
                    break
        return address

    def secure(self, scope: Scope) -> bool:
        """Whether the client speaks https, as far as that is known."""
        if self._networks and (client := scope["client"]) and self._trusts(client[0]):
            for name, value in scope["headers"]:
                if name == b"x-forwarded-proto":
                    return bool(value.rpartition(b",")[2].strip().lower() == b"https")
        return bool(scope["scheme"] == "https")

    def _trusts(self, address: str) -> bool:
        try:
            ip = ip_address(address)
        except ValueError:
            return False
        return bool(any(ip in network for network in self._networks))


class Origins:
    """Web origins beside our own whose pages may call, with the user's cookies."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        self._allowed = frozenset(allowed)

    def refuse(self, call: Call) -> Answer | None:
        """The answer to what another site's page makes a browser do; None if the request may go on.

        Programs that are no browser send neither header, and nobody's cookies without his knowledge.
        """
        if call.scope["method"] in SAFE:
            return None
        site, origin = call.header(b"sec-fetch-site"), call.header(b"origin")
        if origin in self._allowed or (site is None and origin is None) or site in {"same-origin", "none"}:
            return None
        ours = origin is not None and origin.partition("://")[2] == call.header(b"host")
        if site == "cross-site" or not ours:
            return problem(403, "Requests from other sites are not taken")
        return None

    def headers(self, call: Call) -> tuple[Header, ...]:
        """What tells the browser that a page of an allowed origin may read the answer."""
        if not self._allowed or (origin := call.headers.get(b"origin")) is None:
            return ()
        if origin.decode("latin-1") not in self._allowed:
            return ((b"vary", b"origin"),)
        return (
            (b"vary", b"origin"),
            (b"access-control-allow-origin", origin),
            (b"access-control-allow-credentials", b"true"),
            (b"access-control-expose-headers", _EXPOSED),
        )

    def preflight(self, call: Call) -> Answer | None:
        """The answer to a browser that asks ahead whether a page of an allowed origin may call."""
        asks = call.scope["method"] == "OPTIONS" and b"access-control-request-method" in call.headers
        if not asks or call.header(b"origin") not in self._allowed:
            return None
        return empty(
            (b"access-control-allow-methods", _METHODS),
            (b"access-control-allow-headers", _HEADERS),
            (b"access-control-max-age", b"600"),
        )
