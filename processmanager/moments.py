"""Which past is asked for: a time or a position, as a person or a program writes it.

As of a time T means: everything up to the last position before the first fact that was recorded after T.
Clocks of several machines may differ, so a fact may bear an earlier time than one before it. It still
comes after that one: what was recorded behind a fact of the future of T is in the future of T. So a later
time never shows less, and nothing that says of itself that it came later is shown.
"""

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?(?:([Zz])|([+\- ])(\d\d):(\d\d))", re.ASCII
)
_POSITION = re.compile(r"\d{1,19}", re.ASCII)
_SUCH_A_TIME = "a time with its zone such as 2026-11-24T12:00:00Z"
LARGEST = 2**63 - 1

Wanted = int | datetime
"""A position of the log, or a time in UTC."""


Reaches = Callable[[int], Awaitable[bool]]
"""Whether the log goes as far as a position."""


class BadMoment(ValueError):
    """This names no moment of the log's past. Says why in one line."""


def parse(text: str) -> Wanted:
    """Read a position, or a time in RFC 3339 with its zone. Raises BadMoment.

    A space is taken for the plus of a zone, which is what becomes of a plus in a URL. What is finer than a
    microsecond is cut off: no fact is recorded finer.
    """
    if _POSITION.fullmatch(text) and int(text) <= LARGEST:
        return int(text)
    if _TIME.fullmatch(text) is None:
        raise BadMoment(f"it must be a position, or {_SUCH_A_TIME}")
    return parse_time(text)


def parse_time(text: str) -> datetime:
    """Read a time as ``parse`` does, and nothing else. Raises BadMoment."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise BadMoment(f"it must be {_SUCH_A_TIME}")
    day, clock, fraction, zulu, sign, hours, minutes = found.groups()
    zone = "+00:00" if zulu else f"{'-' if sign == '-' else '+'}{hours}:{minutes}"
    try:
        local = datetime.fromisoformat(f"{day}T{clock}.{(fraction or '0')[:6]:0<6}{zone}")
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadMoment(f"there is no such time as {text}") from None


def check_position(position: int, head: int) -> None:
    """Raises BadMoment for a position that the log has not reached."""
    if position > head:
        raise BadMoment(f"the log ends at position {head}")


def check_time(at: datetime, now: datetime) -> None:
    """Raises BadMoment for a time that has not come."""
    if at > now:
        raise BadMoment(f"{at:%Y-%m-%dT%H:%M:%SZ} has not come yet; it is {now:%Y-%m-%dT%H:%M:%SZ}")


def before_the_log(at: datetime) -> BadMoment:
    """What is said of a time at which nothing had been recorded."""
    return BadMoment(f"nothing had been recorded by {at:%Y-%m-%dT%H:%M:%SZ}")
