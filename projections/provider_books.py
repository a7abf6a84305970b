"""The payment provider's own books, to be held against the log: all that it holds of ours, page by page."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Literal, Protocol, TypeAlias

from msgspec import Struct

from domain.money import Money


class BooksUnavailable(Exception):
    """The provider's books cannot be read now. One line says why."""


class Held(Struct, frozen=True):
    """An attempt as the provider has it.

    reference: its name at the provider. payment, order: our names for it, as we told the provider; empty
    for what is not ours. amount: what was asked for. standing: open while it waits for somebody; set aside,
    taken, or over without money. taken: how much was. made: when; None if the provider does not say.
    method: the token of the card, where the provider wants it again.
    """

    reference: str
    payment: str
    order: str
    amount: Money
    standing: Literal["open", "authorized", "taken", "over"]
    taken: Money | None = None
    made: datetime | None = None
    method: str = ""


class GivenBack(Struct, frozen=True):
    """A refund. ``of``: the provider's name of the attempt."""

    reference: str
    of: str
    amount: Money
    standing: Literal["pending", "done", "failed"]
    made: datetime | None = None


class Questioned(Struct, frozen=True):
    """A dispute. ``of``: the provider's name of the attempt."""

    reference: str
    of: str
    standing: Literal["open", "won", "lost"]
    made: datetime | None = None


Line: TypeAlias = Held | GivenBack | Questioned


class ProviderBooks(Protocol):
    """Each call is bounded in time; how many calls there are is bounded by ``most``."""

    def pages(self, since: datetime | None, until: datetime, most: int) -> AsyncIterator[Sequence[Line]]:
        """What was made since then (None: ever) until then, in pages, at most ``most`` of each kind.

        Raises BooksUnavailable, also when there are more pages.
        """
        ...

    async def find(self, reference: str) -> Held | None:
        """The attempt of that name at the provider. Raises BooksUnavailable."""
        ...

    async def close(self) -> None: ...
