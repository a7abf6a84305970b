"""Sessions: signed tokens in a cookie, by PyJWT. Nothing is kept on the server but what was verified.

The cookie is the one that clients of the classic surface send and expect: base64 of ``{"jwt": "…"}``.
A cookie that does not hold, for whatever reason, means "not signed in" and is never an error.
"""

import re
from base64 import b64decode, b64encode
from collections import OrderedDict
from collections.abc import Callable, Container, Sequence
from datetime import timedelta
from hashlib import blake2b
from math import inf
from time import time
from typing import Any
from urllib.parse import unquote

import jwt
import msgspec
from msgspec import Struct

KEY_BYTES = 32
"""The shortest key that HS256 is worth anything with."""

MAX_COOKIE = 4096

_ID = re.compile(r"[\x21-\x7e]{1,128}")
_JSON: msgspec.json.Decoder[dict[str, str]] = msgspec.json.Decoder(dict[str, str])


class Session(Struct, frozen=True, gc=False):
    """Who is signed in. ``expires``: seconds since the epoch, infinite for a classic token."""

    user: str
    email: str
    issued: int
    expires: float


class Sessions:
    """Mints session cookies and reads them.

    keys: the first signs, all verify, so a key is changed by putting the new one in front.
    classic: also take tokens that never expire, for any user id that is validly signed.
    erased: the ids of accounts whose sessions are accepted no more, whatever proves them.
    """

    def __init__(
        self,
        keys: Sequence[bytes],
        *,
        classic: bool = False,
        lifetime: timedelta = timedelta(hours=12),
        remembered: int = 20_000,
        now: Callable[[], float] = time,
        erased: Container[str] = (),
    ) -> None:
        if not keys or any(len(key) < KEY_BYTES for key in keys):
            raise ValueError(f"a session key has at least {KEY_BYTES} bytes")
        self._keys = {key_id(key): key for key in keys}
        self._signing = key_id(keys[0])
        self._required = ["id"] if classic else ["id", "exp"]
        self._lifetime = lifetime.total_seconds()
        self._capacity = remembered
        self._now = now
        self._erased = erased
        # Verifying costs 80 µs, and the same cookie comes with every request of its session.
        self._verified: OrderedDict[str, Session] = OrderedDict()

    def mint(self, user: str, email: str) -> str:
        """The value of a session cookie for ``user``."""
        issued = int(self._now())
        token = jwt.encode(
            {"id": user, "email": email, "iat": issued, "exp": issued + int(self._lifetime)},
            self._keys[self._signing],
            algorithm="HS256",
            headers={"kid": self._signing},
        )
        return b64encode(msgspec.json.encode({"jwt": token})).decode()

    def read(self, cookie: str) -> Session | None:
        """The session that a cookie's value proves; None if it proves none."""
        session = self._verified.get(cookie)
        if session is None:
            session = self._verify(cookie)
            if session is not None:
                self._remember(cookie, session)
        elif session.expires <= self._now():
            del self._verified[cookie]
            return None
        if session is not None and session.user in self._erased:
            self._verified.pop(cookie, None)
            return None
        return session

    def _verify(self, cookie: str) -> Session | None:
        if len(cookie) > MAX_COOKIE:
            return None
        try:
            claims = self._claims(_token(cookie))
        except Exception:
            # Whatever is wrong with a cookie, from its base64 to its clock, it only means "not signed in".
            return None
        user, email, issued = claims["id"], claims.get("email", ""), claims.get("iat", 0)
        if not (isinstance(user, str) and _ID.fullmatch(user)):
            return None
        if not (isinstance(email, str) and email.isprintable() and isinstance(issued, int)):
            return None
        return Session(user, email, issued, float(claims.get("exp", inf)))

    def _claims(self, token: str) -> dict[str, Any]:
        key_id = jwt.get_unverified_header(token).get("kid")
        # Classic tokens name no key; one that names a key is held to it.
        candidates = self._keys.values() if key_id is None else (self._keys[key_id],)
        for key in candidates:
            try:
                return jwt.decode(token, key, algorithms=["HS256"], options={"require": self._required})
            except jwt.InvalidSignatureError:
                continue
        raise jwt.InvalidSignatureError

    def _remember(self, cookie: str, session: Session) -> None:
        self._verified[cookie] = session
        if len(self._verified) > self._capacity:
            self._verified.popitem(last=False)


def _token(cookie: str) -> str:
    """The token in a cookie's value, which some clients percent-encode and some strip of its padding."""
    value = unquote(cookie).rstrip("=")
    return _JSON.decode(b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=False))["jwt"]


def key_id(key: bytes) -> str:
    """The name of a session key, which each token that it signs shows."""
    return blake2b(key, digest_size=6).hexdigest()
