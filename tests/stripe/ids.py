"""Ids as Stripe makes them: a prefix that names the kind, and letters and digits that mean nothing."""

import secrets
import string

_LETTERS = string.ascii_letters + string.digits


def new(prefix: str, length: int = 24) -> str:
    """``new("pi")`` → ``pi_3Q…``"""
    return f"{prefix}_{''.join(secrets.choice(_LETTERS) for _ in range(length))}"
