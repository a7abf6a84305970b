"""Operators: whoever proves to have a key of the house, as ``Authorization: Bearer <key>``."""

from hmac import compare_digest

from gateways.http.call import Call
from gateways.http.errors import NotSignedIn

SCHEME = "bearer "


class Operators:
    """keys: any of them proves it, so that one can replace another; none: nobody is one."""

    def __init__(self, keys: tuple[bytes, ...]) -> None:
        self._keys = keys

    def proves(self, call: Call) -> bool:
        """Whether an operator asks. False where no key is shown; raises NotSignedIn for one that is wrong."""
        given = call.header(b"authorization")
        if given is None or given[: len(SCHEME)].lower() != SCHEME:
            return False
        shown = given[len(SCHEME) :].strip().encode("latin-1")
        # All of them are compared, so that the time tells nothing of which one is nearly right.
        if sum(compare_digest(shown, key) for key in self._keys):
            return True
        raise NotSignedIn

    def require(self, call: Call) -> None:
        """Raises NotSignedIn unless an operator asks."""
        if not self.proves(call):
            raise NotSignedIn
