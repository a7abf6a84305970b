"""The session cookie on the wire: read under either classic name, written under one."""

from collections.abc import Mapping

from gateways.http.answer import Header
from gateways.sessions import Session, Sessions

CLASSIC_NAMES = ("session", "express:sess")
_GONE = "expires=Thu, 01 Jan 1970 00:00:00 GMT"


def cookies_of(header: str | None) -> Mapping[str, str]:
    """The cookies by name. Of several with one name the first counts: browsers send the closest first."""
    cookies: dict[str, str] = {}
    if header is not None:
        for pair in header.split(";"):
            name, _, value = pair.strip().partition("=")
            cookies.setdefault(name, value)
    return cookies


class SessionCookies:
    """name: under which cookies are set. secure: they are for https only."""

    def __init__(self, sessions: Sessions, name: str) -> None:
        self._sessions = sessions
        self._name = name
        self._names = tuple(dict.fromkeys((name, *CLASSIC_NAMES)))

    def read(self, cookies: Mapping[str, str]) -> Session | None:
        """The session that the request proves, if any; the name that we write under goes first."""
        for name in self._names:
            value = cookies.get(name)
            if value is not None and (session := self._sessions.read(value)) is not None:
                return session
        return None

    def grant(self, user: str, email: str, *, secure: bool) -> Header:
        return set_cookie(self._name, self._sessions.mint(user, email), secure=secure)

    def revoke(self, cookies: Mapping[str, str]) -> list[Header]:
        """Clear the cookie, in the words that clients compare; and one under another name that was sent."""
        names = (self._name, *(name for name in self._names[1:] if name in cookies))
        return [(b"set-cookie", f"{name}=; path=/; {_GONE}; httponly".encode()) for name in names]


def set_cookie(name: str, value: str, *, secure: bool) -> Header:
    """A cookie until the browser is closed, kept from scripts. secure: sent back over https only."""
    attributes = "; path=/; httponly; samesite=lax" + ("; secure" if secure else "")
    return (b"set-cookie", f"{name}={value}{attributes}".encode("latin-1"))
