"""Reading what was sent: bytes to fields, fields to values that the domain takes.

A body is a JSON object or a urlencoded form, with the same meaning. Numbers are kept as the text that
was sent, because a price that has once been a float is no longer what the seller typed.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import parse_qsl
from uuid import UUID

import msgspec
from msgspec import Raw

from domain.money import Money
from gateways.http.call import Call
from gateways.http.errors import Invalid, Problem, Rejected

MAX_TITLE = 500
MALFORMED = "The body is malformed"

_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"
_object: msgspec.json.Decoder[dict[str, Raw]] = msgspec.json.Decoder(dict[str, Raw])
_string: msgspec.json.Decoder[str] = msgspec.json.Decoder(str)

_HEX_ID = re.compile(r"[0-9a-fA-F]{24}")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)

TITLE = Problem("Title is required", "title")
TITLE_LONG = Problem(f"Title must be at most {MAX_TITLE} characters, without control characters", "title")
PRICE = Problem("Price must be greater than 0", "price")
TICKET_ID = Problem("TicketId must be provided", "ticketId")


class Form:
    """The fields of a body, whichever way they were written."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, Raw] | Mapping[str, str]) -> None:
        self._fields = fields

    def text(self, name: str) -> str | None:
        """The field as a string; None if it is missing or something else. Raises Rejected."""
        value = self._fields.get(name)
        if isinstance(value, Raw):
            written = bytes(value)
            return _unquoted(written) if written[:1] == b'"' else None
        return value

    def number(self, name: str) -> str | None:
        """The text of a number or numeric string, as it was sent; None if it is neither. Raises Rejected."""
        value = self._fields.get(name)
        if isinstance(value, Raw):
            written = bytes(value)
            value = _unquoted(written) if written[:1] == b'"' else written.decode()
        value = value and value.strip()
        return value if value and _NUMBER.fullmatch(value) else None


async def read_form(call: Call) -> Form:
    """The request's body. An empty one has no fields. Raises Rejected."""
    body = await call.body()
    if not body:
        return Form({})
    kind = _media_type(call.headers.get(b"content-type", b""))
    if kind not in {_JSON, _FORM} or call.header(b"content-encoding") not in {None, "identity"}:
        raise Rejected(415, f"Content-Type must be {_JSON} or {_FORM}")
    try:
        # Decoded first: what msgspec skips over it does not check to be UTF-8.
        text = body.decode()
        if kind == _JSON:
            return Form(_object.decode(text))
        return Form(dict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=64)))
    except (ValueError, RecursionError):
        raise Rejected(400, MALFORMED) from None


@lru_cache(maxsize=64)
def _media_type(header: bytes) -> str:
    return header.decode("latin-1").partition(";")[0].strip().lower()


def title_and_price(form: Form, currency: str) -> tuple[str, Money]:
    """What a listing says. Raises Invalid, naming everything that is wrong."""
    title, price = form.text("title"), _price(form.number("price"), currency)
    wrong = _title_problem(title)
    if title is None or price is None or wrong is not None:
        raise Invalid(*(found for found in (wrong, None if price else PRICE) if found))
    return title, price


def ticket_id(form: Form) -> str:
    """The ticket to order. Raises Invalid for what does not look like an id."""
    text = form.text("ticketId")
    if text is None or not is_id(text):
        raise Invalid(TICKET_ID)
    return text


def is_id(text: str) -> bool:
    """Whether ``text`` has the shape of an id: 24 hexadecimal digits, or a UUID."""
    if _HEX_ID.fullmatch(text):
        return True
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def _unquoted(written: bytes) -> str:
    try:
        return _string.decode(written)
    except msgspec.DecodeError:
        raise Rejected(400, MALFORMED) from None


def _title_problem(title: str | None) -> Problem | None:
    if title is None or not title.strip():
        return TITLE
    if len(title) > MAX_TITLE or any(ord(character) < 32 for character in title):
        return TITLE_LONG
    return None


def _price(text: str | None, currency: str) -> Money | None:
    if text is None:
        return None
    try:
        price = Money.parse(text, currency)
    except ValueError:
        return None
    return price if price.amount > 0 else None
