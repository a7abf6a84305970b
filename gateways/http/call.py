"""One request, as handlers see it: who asks, with which headers, and the cause of what will follow."""

import re
import secrets
from collections.abc import Mapping
from urllib.parse import parse_qsl

from msgspec import UNSET, UnsetType

from gateways.card_numbers import holds_card_number
from gateways.http.answer import Receive, Scope
from gateways.http.errors import CLOSE, NotFound, NotSignedIn, Rejected
from gateways.http.session import SessionCookies, cookies_of
from gateways.sessions import Session
from processmanager.desk import Cause

# What is no id at all is unknown before the log is asked.
_ID = re.compile(r"[\x21-\x7e]{1,128}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_KEY = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?")


class Call:
    """A request. The edge makes it, a handler answers it, nobody keeps it.

    body_limit: bytes that are read at most. path: as it was sent. names: what stands in it.
    secure: the client speaks https. status: of the answer, once it is on its way.
    """

    __slots__ = (
        "_cookies",
        "_receive",
        "_session",
        "_sessions",
        "body_limit",
        "headers",
        "names",
        "path",
        "reading",
        "request_id",
        "scope",
        "secure",
        "status",
    )

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        sessions: SessionCookies,
        body_limit: int,
        *,
        path: str,
        names: Mapping[str, str],
        secure: bool,
    ) -> None:
        self.scope = scope
        self.path = path
        self.names = names
        self.headers = dict(scope["headers"])
        self.secure = secure
        self.reading = False
        self.status = 0
        self._receive = receive
        self.body_limit = body_limit
        self._sessions = sessions
        self._cookies: Mapping[str, str] | None = None
        self._session: Session | UnsetType | None = UNSET
        given = self.header(b"x-request-id")
        # It is recorded for ever, so whoever puts a card's number there by mistake is given another one.
        fine = given and _REQUEST_ID.fullmatch(given) and not holds_card_number(given)
        self.request_id = given if given and fine else secrets.token_hex(12)

    def header(self, name: bytes) -> str | None:
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    @property
    def query(self) -> dict[str, str]:
        """What stands behind the question mark; of several with one name the last counts."""
        text = self.scope["query_string"].decode("latin-1")
        try:
            return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=64)) if text else {}
        except ValueError:
            raise Rejected(400, "The query has too many parts") from None

    def path_id(self, name: str) -> str:
        """The id in the path. Raises NotFound for what cannot be one."""
        value = self.names[name]
        if not _ID.fullmatch(value):
            raise NotFound
        return value

    # ── Who asks, and why what follows will have happened ─────────────────────────────────────────

    @property
    def cookies(self) -> Mapping[str, str]:
        if self._cookies is None:
            self._cookies = cookies_of(self.header(b"cookie"))
        return self._cookies

    @property
    def session(self) -> Session | None:
        if self._session is UNSET:
            self._session = self._sessions.read(self.cookies)
        return self._session

    @property
    def known(self) -> Session | None:
        """The session, if anybody has asked for it yet."""
        return None if self._session is UNSET else self._session

    def user(self) -> str:
        """The account that is signed in. Raises NotSignedIn."""
        session = self.session
        if session is None:
            raise NotSignedIn
        return session.user

    def key(self) -> str | None:
        """The caller's name for what he asks, so that asking twice is asking once. Raises Rejected."""
        given = self.header(b"idempotency-key")
        if given is not None and not _KEY.fullmatch(given):
            raise Rejected(400, "Idempotency-Key must be 1 to 255 printable ASCII characters")
        return given

    def cause(self, user: str, causation: str) -> Cause:
        """causation: the id of the thing asked for; never the request id, which the caller may choose."""
        trace = self.header(b"traceparent")
        if trace is not None and not _TRACEPARENT.fullmatch(trace):
            trace = None
        return Cause(self.request_id, causation, user, trace)

    # ── What is sent ──────────────────────────────────────────────────────────────────────────────

    async def body(self) -> bytes:
        """The whole body. Raises Rejected when it is too long or breaks off."""
        self.reading = True
        chunks: list[bytes] = []
        size, more = 0, True
        while more:
            message = await self._receive()
            if message["type"] != "http.request":
                raise Rejected(400, "The request was broken off")
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > self.body_limit:
                raise too_long(self.body_limit)
            chunks.append(chunk)
            more = message.get("more_body", False)
        self.reading = False
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def too_long(limit: int) -> Rejected:
    # What is left of it is not read, so the connection cannot be used again.
    return Rejected(413, f"The body is longer than {limit} bytes", CLOSE)
