"""Texts of settings to values and back. Each reader raises ValueError with what it would have taken."""

import ipaddress
import math
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from domain.money import CURRENCIES

KEY_BYTES = 32
"""The least length of a signing key: as long as HS256's own output (RFC 7518, 3.2)."""

EMBEDDED = "embedded"
ESDB = ("esdb://", "esdb+discover://")

_DISTINCT = 8  # a random key of 32 hexadecimal digits has fewer distinct ones once in ten million times
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
LEVELS = ("debug", "info", "warning", "error")


class Unspeakable(ValueError):
    """What was given may hold a secret, so it is not repeated."""


def words(text: str) -> str:
    if not text:
        raise ValueError("given")
    return text


def path(text: str) -> Path:
    return Path(words(text)).expanduser()


def path_or_off(text: str) -> Path | None:
    return None if text.lower() == "off" else path(text)


def whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
            raise ValueError(f"a whole number from {least} to {most}")
        return int(text)

    return read


def seconds(least: float, most: float = 30 * 86400) -> Callable[[str], timedelta]:
    def read(text: str) -> timedelta:
        wanted = f"a number of seconds from {_plain(least)} to {_plain(most)}"
        try:
            value = float(text)
        except ValueError:
            raise ValueError(wanted) from None
        if not math.isfinite(value) or not least <= value <= most:
            raise ValueError(wanted)
        return timedelta(seconds=value)

    return read


def seconds_or_off(least: float) -> Callable[[str], timedelta | None]:
    one = seconds(least)

    def read(text: str) -> timedelta | None:
        if text.lower() == "off":
            return None
        try:
            return one(text)
        except ValueError as wrong:
            raise ValueError(f"{wrong}, or off") from None

    return read


def delays(text: str) -> tuple[timedelta, ...]:
    one = seconds(0)
    try:
        return tuple(one(part.strip()) for part in text.split(","))
    except ValueError:
        raise ValueError("seconds separated by commas, as in 5,10,20") from None


def yes_or_no(text: str) -> bool:
    match text.lower():
        case "1" | "true" | "yes" | "on":
            return True
        case "0" | "false" | "no" | "off":
            return False
        case _:
            raise ValueError("1 or 0")


def store(text: str) -> str:
    if text == EMBEDDED or text.startswith(ESDB):
        return text
    # What is almost an address may hold a password too, so it is not repeated.
    raise Unspeakable(f"{EMBEDDED}, or an address that begins with {' or '.join(ESDB)}")


def keys(text: str) -> tuple[bytes, ...]:
    found = tuple(part.strip().encode() for part in text.split(","))
    if any(len(key) < KEY_BYTES for key in found):
        raise ValueError(f"at least {KEY_BYTES} bytes long; try: openssl rand -hex 32")
    if any(len(set(key)) < _DISTINCT for key in found):
        raise ValueError("random, and this one is easily guessed; try: openssl rand -hex 32")
    if len(set(found)) < len(found):
        raise ValueError("different keys, and one is there twice")
    return found


def cookie_name(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise ValueError("the name of a cookie: letters, digits, - and _")
    return text


def rate(text: str) -> int | None:
    if text.lower() == "off":
        return None
    try:
        return whole(1, 1_000_000)(text)
    except ValueError:
        raise ValueError("a number of requests a minute, or off") from None


def networks(text: str) -> tuple[str, ...]:
    try:
        return tuple(str(ipaddress.ip_network(part)) for part in _parts(text))
    except ValueError:
        raise ValueError("addresses or networks separated by commas, as in 10.0.0.0/8,::1") from None


def origins(text: str) -> tuple[str, ...]:
    found = _parts(text)
    for origin in found:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or origin != f"{parts.scheme}://{parts.netloc}":
            raise ValueError("origins separated by commas, as in https://tickets.example")
    return found


def stripe_key(text: str) -> str:
    if not re.fullmatch(r"(sk|rk)_(test|live)_[A-Za-z0-9_]{8,250}", text):
        raise Unspeakable("a secret key of Stripe, which begins with sk_ or rk_")
    return text


def webhook_secrets(text: str) -> tuple[str, ...]:
    found = _parts(text)
    if not all(re.fullmatch(r"whsec_[A-Za-z0-9_+/=-]{8,250}", secret) for secret in found):
        raise Unspeakable("secrets of webhooks, each of which begins with whsec_")
    return found


def url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise Unspeakable("an address that begins with https://")
    if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise Unspeakable("an address that begins with https://, unless it is on this machine")
    return text.rstrip("/")


def currency(text: str) -> str:
    if text.lower() not in CURRENCIES:
        raise ValueError("a currency by the three letters of ISO 4217, as in usd")
    return text.lower()


def level(text: str) -> str:
    if text.lower() not in LEVELS:
        raise ValueError(f"one of {', '.join(LEVELS)}")
    return text.lower()


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def text_of(value: Any) -> str:
    """The text that reads as ``value``; the empty text for none."""
    match value:
        case None:
            return "off"
        case bool():
            return "1" if value else "0"
        case timedelta():
            return _plain(value.total_seconds())
        case tuple():
            return ",".join(part.decode() if isinstance(part, bytes) else text_of(part) for part in value)
        case _:
            return str(value)


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else str(number)
