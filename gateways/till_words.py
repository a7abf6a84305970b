"""What is said to the till and what it answers, and how that is framed on a stream of bytes.

The till is the process that speaks with the payment provider: see gateways/till.py.
"""

from collections.abc import Iterator
from typing import Any, TypeAlias

import msgspec
from msgspec import Raw, Struct, msgpack

from processmanager.desk import Cause, TooManyConflicts, UnreadableStream
from processmanager.ports import KeyReused, OutcomeUnknown, PaymentsUnavailable, StoreUnavailable

LONGEST = 1 << 20
"""Bytes of one message. What is longer is no message of ours."""
_HEAD = 4
"""Bytes that tell how long a message is, the greatest first."""

# ── What is asked ─────────────────────────────────────────────────────────────────────────────────


class PumpOrder(Struct, frozen=True, tag=True):
    """As ``Pumping.pump``; the till always looks at the streams first."""

    order: str
    cause: Cause


class HearOf(Struct, frozen=True, tag=True):
    """As ``Pumping.hear_of``."""

    payment: str
    cause: Cause


class Confirm(Struct, frozen=True, tag=True):
    """As ``Pumping.confirmation``."""

    payment: str


class End(Struct, frozen=True, tag=True):
    """As ``Pumping.end``."""

    payment: str
    reason: str
    cause: Cause


class PaymentOf(Struct, frozen=True, tag=True):
    """As ``Names.payment_of``."""

    reference: str


class Returning(Struct, frozen=True, tag=True):
    """As ``Names.returning``."""

    reference: str
    secret: str

    def __repr__(self) -> str:
        return f"Returning({self.reference})"


Question: TypeAlias = PumpOrder | HearOf | Confirm | End | PaymentOf | Returning


class Asked(Struct, frozen=True, array_like=True):
    """number: by which the answer finds its question."""

    number: int
    question: Question


# ── What is answered ──────────────────────────────────────────────────────────────────────────────


class Trouble(Struct, frozen=True):
    """kind: the name of the error. step: of the purchase, if one of its steps failed with it."""

    kind: str
    message: str
    step: str | None = None

    @classmethod
    def of(cls, error: Exception, step: str | None = None) -> "Trouble":
        known = (kind.__name__ for kind in type(error).__mro__ if kind.__name__ in _KNOWN)
        return cls(next(known, type(error).__name__), str(error), step)

    @property
    def foreseen(self) -> bool:
        """Whether it is one of the errors that a payment may meet."""
        return self.kind in _KNOWN

    def error(self) -> Exception:
        """The same error, or a RuntimeError for one that nobody foresaw."""
        known = _KNOWN.get(self.kind)
        return RuntimeError(f"{self.kind}: {self.message}") if known is None else known(self.message)


_KNOWN: dict[str, type[Exception]] = {
    kind.__name__: kind
    for kind in (
        PaymentsUnavailable,
        KeyReused,
        StoreUnavailable,
        OutcomeUnknown,
        TooManyConflicts,
        UnreadableStream,
    )
}


class Told(Struct, frozen=True, array_like=True):
    """The answer to the question with this number; number 0 is the greeting of a till that is at work."""

    number: int
    value: Raw = Raw(b"\xc0")
    trouble: Trouble | None = None


# ── Frames ────────────────────────────────────────────────────────────────────────────────────────


class NotAMessage(Exception):
    """Whoever speaks on this connection does not speak as the till does."""


def framed(message: Asked | Told) -> bytes:
    """A message with its length in front."""
    words = msgpack.encode(message)
    return len(words).to_bytes(_HEAD, "big") + words


class Frames:
    """Takes bytes as they come, and gives the whole messages among them."""

    def __init__(self, kind: type[Asked] | type[Told]) -> None:
        self._decode = msgpack.Decoder(kind).decode
        self._received = bytearray()

    def messages(self, data: bytes) -> Iterator[Any]:
        """What is whole now. Raises NotAMessage."""
        received = self._received
        received += data
        while len(received) >= _HEAD:
            end = _HEAD + int.from_bytes(received[:_HEAD], "big")
            if end > _HEAD + LONGEST:
                raise NotAMessage(f"a message of {end} bytes")
            if len(received) < end:
                return
            words = bytes(received[_HEAD:end])
            del received[:end]
            try:
                yield self._decode(words)
            except msgspec.DecodeError as error:
                raise NotAMessage(str(error)) from None
