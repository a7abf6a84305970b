"""Rows for strangers: whoever and whatever has a name gets another one, the same throughout one export.

The log holds no personal data, but an account's id leads to a person for whoever has the accounts, and
titles and reasons are written by people. So every text is replaced unless it is known to be harmless: a
field that is added later is replaced until somebody says otherwise. Amounts and times stay as they are.
"""

import secrets
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from msgspec import json

from domain.ids import ID_BYTES
from domain.order import CANCELLED_BY_BUYER, EXPIRED
from domain.payment import AT_THE_PROVIDER
from gateways.analysis.columns import Column, Row, Table
from processmanager.purchase import CHARGED_BACK, NOT_SOLD, OVER
from processmanager.watchdog import ACTOR

HARMLESS = frozenset(
    {
        "category",
        "type",
        "unreadable",
        "currency",
        "status",
        "kind",
        "state",
        "code",
        "step",
        "standing",
        "event",
    }
    | {"expires_at", "grace_until", "at", "made"}
)
"""Columns, and fields of events, whose texts name nobody and are chosen from a few or are times."""

WORDS = frozenset({"", EXPIRED, CANCELLED_BY_BUYER, AT_THE_PROVIDER, CHARGED_BACK, NOT_SOLD, OVER, ACTOR})
"""What the house itself writes as a reason or an actor."""


class Anonymiser:
    """Rows of one table made anonymous. Two with one key give the same names."""

    def __init__(self, table: Table, key: bytes | None = None) -> None:
        """key: secret; None for one that nobody will ever know."""
        self._key = key or secrets.token_bytes(32)
        self._each = [self._for(column) for column in table.columns]
        unreadable = table.names.index("unreadable") if "unreadable" in table.names else None
        self._unreadable = unreadable
        self._data = table.names.index("data") if "data" in table.names else None

    def row(self, row: Row) -> Row:
        """Nobody can say what is in an event that cannot be read, so its data is left out."""
        values = [change(value) for change, value in zip(self._each, row, strict=True)]
        if self._unreadable is not None and self._data is not None and row[self._unreadable] is not None:
            values[self._data] = None
        return tuple(values)

    def alias(self, text: str) -> str:
        """The name instead of ``text``: the shape of an id, and nothing to be learned from it."""
        return blake2b(text.encode(), key=self._key, digest_size=ID_BYTES).hexdigest()

    def _for(self, column: Column) -> Callable[[Any], Any]:
        if column.name == "stream":
            return self._stream
        if column.kind == "json":
            return self._json
        return _same if column.name in HARMLESS or column.kind != "text" else self._value

    def _stream(self, stream: str) -> str:
        category, dash, key = stream.partition("-")
        return category + dash + self.alias(key)

    def _json(self, text: str | None) -> str | None:
        return None if text is None else json.encode(self._value(json.decode(text))).decode()

    def _value(self, value: Any) -> Any:
        match value:
            case str():
                return value if value in WORDS else self.alias(value)
            case dict():
                return {name: part if name in HARMLESS else self._value(part) for name, part in value.items()}
            case list():
                return [self._value(part) for part in value]
            case _:
                return value


def _same(value: Any) -> Any:
    return value
