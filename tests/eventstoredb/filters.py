"""Which records of ``$all`` a reader asked for."""

import re
from collections.abc import Callable
from typing import Any, TypeAlias

from tests.eventstoredb.record import Record

Wanted: TypeAlias = Callable[[Record], bool]


def everything(_: Record) -> bool:
    return True


def wanted(options: Any) -> Wanted:
    """The filter of a request: on stream names or event types, by regular expression or prefixes.

    The expression is not anchored, and it is matched against what is stored, not against a link's target.
    """
    if options.WhichOneof("filter_option") != "filter":
        return everything
    by_stream = options.filter.WhichOneof("filter") == "stream_identifier"
    expression = options.filter.stream_identifier if by_stream else options.filter.event_type
    if expression.regex:
        found = re.compile(expression.regex).search
        return lambda record: found(record.stream if by_stream else record.type) is not None
    prefixes = tuple(expression.prefix)
    return lambda record: (record.stream if by_stream else record.type).startswith(prefixes)


def is_filtered(options: Any) -> bool:
    return bool(options.WhichOneof("filter_option") == "filter")
