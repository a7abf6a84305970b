"""Reading one's own writes: a list waits until it shows what its reader has written.

An answer to a write carries the log position that it reached, in a header and in a cookie. A list waits
for its read model to get there, shortly; then it answers with what it has, and says how old that is.
"""

from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress

from gateways.http.answer import Header
from gateways.http.call import Call
from gateways.http.session import set_cookie
from processmanager.ports import StoreUnavailable
from projections.outside import Followed, Readable

COOKIE = "position"
HEADER = b"admitone-position"
AGE = b"admitone-age"


class Freshness:
    """head: the last position in the log. patience: seconds that a list waits at most."""

    def __init__(self, head: Callable[[], int], patience: float, remembered: int = 50_000) -> None:
        self._head = head
        self._patience = patience
        self._capacity = remembered
        # For clients that keep neither cookie nor header.
        self._written: OrderedDict[str, int] = OrderedDict()

    def wrote(self, call: Call, user: str, position: int) -> tuple[Header, Header]:
        """What the answer to a write of ``user`` tells of the position that it reached."""
        self._written[user] = max(position, self._written.pop(user, 0))
        if len(self._written) > self._capacity:
            self._written.popitem(last=False)
        return (
            (HEADER, b"%d" % position),
            set_cookie(COOKIE, str(position), secure=call.secure),
        )

    async def settle(self, call: Call, model: Followed) -> tuple[Header, ...]:
        """Wait for ``model`` to show what the caller wrote; if it does not in time, say how old it is."""
        wanted = max(_number(call.cookies.get(COOKIE)), _number(call.header(HEADER)), self._own(call))
        if model.position >= wanted:
            return ()
        # Nobody has written what is not in the log yet, whatever he says. Without the log, reads go on.
        with suppress(StoreUnavailable):
            wanted = min(wanted, self._head())
        if await model.wait(wanted, self._patience):
            return ()
        return ((AGE, b"%d" % model.age()),)

    def _own(self, call: Call) -> int:
        session = call.session
        return 0 if session is None else self._written.get(session.user, 0)


def followed(model: Readable) -> Followed:
    """The read model behind a list. Raises TypeError for one of which nobody says how far it is."""
    if not isinstance(model, Followed):
        raise TypeError("a list that is served needs a read model that can be waited for")
    return model


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() and len(text) <= 19 else 0
