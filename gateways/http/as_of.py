"""``?asOf=``: a time or a position of the log, on every endpoint that reads, and what it comes to.

The answer says in a header at which position it is true; asked for that position, it is the same for ever.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from gateways.http.answer import Header
from gateways.http.call import Call
from gateways.http.errors import Invalid, Problem
from gateways.http.routes import Query
from processmanager import moments
from processmanager.moments import BadMoment
from projections.outside import Readable
from projections.past import NotThere, Past
from projections.temporal import Kept

NAME = "asOf"
HEADER = b"admitone-as-of"
AS_OF = Query(
    NAME,
    "As it was then: a position of the log, or a time with its zone such as 2026-11-24T12:00:00Z. The header "
    "admitone-as-of says at which position the answer is true",
    {"type": "string"},
)


class AsOf:
    """tickets, orders: the tables that lists are read from. now: the deciding clock."""

    def __init__(
        self, past: Past, reaches: moments.Reaches, now: Callable[[], datetime], tickets: Kept, orders: Kept
    ) -> None:
        self._past = past
        self._reaches = reaches
        self._now = now
        self._tickets = tickets
        self._orders = orders

    async def position(self, call: Call) -> int | None:
        """The position that is asked for, None for now. Raises Invalid, Away, StoreUnavailable."""
        text = call.query.get(NAME) if call.scope["query_string"] else None
        if text is None:
            return None
        try:
            return await self._meant(moments.parse(text))
        except BadMoment as error:
            raise Invalid(Problem(f"{NAME}: {error}", NAME)) from None

    async def _meant(self, wanted: moments.Wanted) -> int:
        if isinstance(wanted, int):
            if not await self._reaches(wanted):
                raise BadMoment(f"the log has not reached position {wanted}")
            return wanted
        moments.check_time(wanted, self._now())
        try:
            return await self._past.position_at(wanted)
        except NotThere:
            raise moments.before_the_log(wanted) from None

    async def clock(self, position: int | None) -> datetime:
        """What time it was when the log ended at ``position``; the time now for None. Raises Away."""
        if position is None:
            return self._now()
        try:
            return await self._past.time_at(position)
        except NotThere:
            return self._now()

    @asynccontextmanager
    async def tickets(self, position: int, seller: str | None) -> AsyncIterator[Readable]:
        """The rows of the catalogue at ``position``: the seller's own, or all that were for sale."""
        if seller is None:
            async with self._past.whole(self._tickets, position) as model:
                yield model
        else:
            async with self._past.of_owner(self._tickets, seller, position) as model:
                yield model

    @asynccontextmanager
    async def orders(self, position: int, buyer: str) -> AsyncIterator[Readable]:
        """The rows of a buyer's orders at ``position``."""
        async with self._past.of_owner(self._orders, buyer, position) as model:
            yield model


def true_at(position: int | None) -> tuple[Header, ...]:
    """The header that says at which position an answer is true, if it is about the past."""
    return () if position is None else ((HEADER, b"%d" % position),)
