"""Which position a command means by ``--at``: found in the log itself, so no server is needed."""

from contextlib import aclosing
from datetime import UTC, datetime

from msgspec import Struct

from deploy.failing import WRONG_SETTINGS, Failed
from deploy.log_beside import Log
from processmanager import moments
from processmanager.archive import END


class Span(Struct, frozen=True):
    """A part of the log: from position ``first`` to position ``last``, both among them."""

    first: int = 0
    last: int = END


async def span(log: Log, since: str | None, until: str | None) -> Span:
    """The part that ``--since`` and ``--until`` mean. Raises Failed, StoreUnavailable."""
    last = await position(log, until, "--until")
    if since is None:
        return Span(last=last)
    try:
        wanted = moments.parse(since)
        if isinstance(wanted, int):
            moments.check_position(wanted, log.head())
            first = wanted
        else:
            moments.check_time(wanted, datetime.now(UTC))
            first = await _first_since(log, wanted)
    except moments.BadMoment as error:
        raise Failed(f"--since {since}: {error}", WRONG_SETTINGS) from None
    if until is not None and first > last:
        raise Failed(f"--since {since} is behind --until {until}", WRONG_SETTINGS)
    return Span(first, last)


async def position(log: Log, text: str | None, option: str = "--at") -> int:
    """The position that ``text`` means, END for no text. Raises Failed, StoreUnavailable."""
    if text is None:
        return END
    try:
        wanted = moments.parse(text)
        if isinstance(wanted, int):
            moments.check_position(wanted, log.head())
            return wanted
        moments.check_time(wanted, datetime.now(UTC))
        return await _last_by(log, wanted)
    except moments.BadMoment as error:
        raise Failed(f"{option} {text}: {error}", WRONG_SETTINGS) from None


async def _first_since(log: Log, at: datetime) -> int:
    """The position of the first fact that was recorded at ``at`` or later. Raises BadMoment."""
    first = True
    async with aclosing(log.pages()) as pages:
        async for page in pages:
            for fact in page:
                if fact.metadata.at >= at:
                    if first and fact.metadata.at > at:
                        raise moments.before_the_log(at)
                    return fact.position
                first = False
    return END


async def _last_by(log: Log, at: datetime) -> int:
    """The last position before the first fact that was recorded after ``at``. Raises BadMoment."""
    last = await log.near(at)
    facts = log.facts(after=last, stream=None, follow=False)
    async with aclosing(facts) as rest:  # type: ignore[type-var]  # both stores' are generators
        async for fact in rest:
            if fact.metadata.at > at:
                break
            last = fact.position
    return _behind_nothing(last, at)


def _behind_nothing(last: int, at: datetime) -> int:
    if last == 0:
        raise moments.before_the_log(at)
    return last
