"""Reading one's own writes: a list waits until it shows what its reader has written.

An answer to a write carries the log position that it reached, in a header and in a cookie. A list waits
for its read model to get there, shortly; then it answers with what it has, and says how old that is. It
says so too while the log is away, and nobody knows what has been written since.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress

from gateways.http.answer import Header
from gateways.http.call import Call
from gateways.http.session import set_cookie
from processmanager.ports import StoreUnavailable
from projections.outside import Followed, Readable

COOKIE = "position"
HEADER = b"admitone-position"
AGE = b"admitone-age"

OLD = 2
"""Seconds from which on a list's age is told in any case: a list that is kept up is younger."""


class Freshness:
    """reaches: whether the log goes as far as a position. patience: seconds that a list waits at most."""

    def __init__(
        self, reaches: Callable[[int], Awaitable[bool]], patience: float, remembered: int = 50_000
    ) -> None:
        self._reaches = reaches
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
        own, told = self._own(call), max(_number(call.cookies.get(COOKIE)), _number(call.header(HEADER)))
        if model.position >= max(own, told):
            return _if_old(model.age())
        began = asyncio.get_running_loop().time()
        if told > own and await self._is_made_up(told):
            told = 0
        left = began + self._patience - asyncio.get_running_loop().time()
        if await model.wait(max(own, told), max(0, left)):
            return _if_old(model.age())
        return ((AGE, b"%d" % model.age()),)

    async def _is_made_up(self, position: int) -> bool:
        """Nobody has written what is not in the log yet, whatever he says. Without the log, reads go on."""
        with suppress(StoreUnavailable, TimeoutError):
            async with asyncio.timeout(self._patience):
                return not await self._reaches(position)
        return False

    def _own(self, call: Call) -> int:
        session = call.session
        return 0 if session is None else self._written.get(session.user, 0)


def followed(model: Readable) -> Followed:
    """The read model behind a list. Raises TypeError for one of which nobody says how far it is."""
    if not isinstance(model, Followed):
        raise TypeError("a list that is served needs a read model that can be waited for")
    return model


def _if_old(age: int) -> tuple[Header, ...]:
    return ((AGE, b"%d" % age),) if age >= OLD else ()


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() and len(text) <= 19 else 0
