"""Which position a command means by ``--at``: found in the log itself, so no server is needed."""

from contextlib import aclosing
from datetime import UTC, datetime

from deploy.failing import WRONG_SETTINGS, Failed
from deploy.log_beside import Log
from processmanager import moments
from processmanager.archive import END


async def position(log: Log, text: str | None) -> int:
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
        raise Failed(f"--at {text}: {error}", WRONG_SETTINGS) from None


async def _last_by(log: Log, at: datetime) -> int:
    """The last position before the first fact that was recorded after ``at``. Raises BadMoment."""
    last = 0
    async with aclosing(log.pages()) as pages:
        async for page in pages:
            for fact in page:
                if fact.metadata.at > at:
                    return _behind_nothing(last, at)
                last = fact.position
    return _behind_nothing(last, at)


def _behind_nothing(last: int, at: datetime) -> int:
    if last == 0:
        raise moments.before_the_log(at)
    return last
