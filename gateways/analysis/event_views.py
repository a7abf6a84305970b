"""One view for each event type, with a typed column for each of its fields.

``ticket_reserved`` has ``order_id``, ``buyer``, ``price_amount``, ``price_currency`` and ``expires_at``: what
names a ticket, an order or a payment ends in ``_id`` (``order`` by itself is a word of SQL's own), and
money is an amount in minor units and a currency.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from msgspec.structs import fields

from domain.deciders import DECIDERS
from domain.money import Money

_SQL_TYPES = {str: "VARCHAR", int: "BIGINT", datetime: "TIMESTAMPTZ"}
_IDS = frozenset({"ticket", "order", "payment"})
_RENAMED = {"at": "asked_at", "by": "done_by"}
"""Fields that are words of SQL's own. ``at``, where an event has it, says when the buyer asked."""

ENVELOPE = ("position", "revision", "decided_at", "actor", "correlation")
"""What every view has from the events' table, before the id of its stream."""


def view_name(event: type) -> str:
    """``TicketReserved`` as ``ticket_reserved``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", event.__name__).lower()


def view_columns(event: type) -> dict[str, str]:
    """The columns made from an event's own fields, by name: SQL that reads each from ``data``."""
    return dict(_columns(event))


def views() -> Iterator[str]:
    """The statements that make all views."""
    for decider in DECIDERS:
        for event in decider.events:
            own = "".join(f", {sql} AS {name}" for name, sql in view_columns(event).items())
            yield (
                f"CREATE VIEW {view_name(event)} AS "  # noqa: S608 - names from the domain's own classes
                f"SELECT {', '.join(ENVELOPE)}, key AS {decider.category}_id{own} "
                f"FROM events WHERE type = '{event.__name__}' AND unreadable IS NULL"
            )


def _columns(event: type) -> Iterator[tuple[str, str]]:
    for field in fields(event):
        type_ = _plain(field.type)
        if type_ is Money:
            yield f"{field.name}_amount", f"CAST(data->>'$.{field.name}.amount' AS BIGINT)"
            yield f"{field.name}_currency", f"data->>'$.{field.name}.currency'"
        else:
            name = f"{field.name}_id" if field.name in _IDS else _RENAMED.get(field.name, field.name)
            yield name, f"CAST(data->>'$.{field.name}' AS {_SQL_TYPES[type_]})"


def _plain(type_: Any) -> Any:
    """The type without its None."""
    if get_origin(type_) in (Union, UnionType):
        (one,) = (each for each in get_args(type_) if each is not NoneType)
        return one
    return type_
