"""Pages of a list, by key and not by number: nothing is shown twice or left out while the list changes."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, Any, Generic, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, Struct

T = TypeVar("T")

Number: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""A whole number in a cursor: one that a table can hold."""


class BadCursor(ValueError):
    """This is not where a page of this list ended."""


class Page(Struct, Generic[T], frozen=True):
    """next: where the next page begins, opaque; None at the end.

    total: how many there are in all, where that is known without counting.
    """

    items: list[T]
    next: str | None
    total: int | None = None


def cursor(*key: str | int) -> str:
    """A place in a list as text that fits into a URL."""
    return urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def place(text: str, kind: Any) -> Any:
    """The key that ``cursor`` was given, as a tuple type such as ``tuple[str, int]``. Raises BadCursor."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        return msgspec.json.decode(urlsafe_b64decode(padded), type=kind)
    except (ValueError, msgspec.DecodeError):
        raise BadCursor("this is not where a page ended") from None
