"""How webhooks are signed. https://docs.stripe.com/webhooks#verify-manually

``Stripe-Signature: t=<seconds>,v1=<hex>[,v1=<hex>…],v0=<hex>``: HMAC-SHA256 over ``<t>.<body>``, one ``v1``
for each secret in force while secrets are rotated. Test events have a made-up ``v0`` too.
"""

import hmac
from collections.abc import Sequence
from hashlib import sha256


def signature(body: str, secrets: Sequence[str], at: int) -> str:
    """The header for ``body`` sent at ``at`` seconds since 1970."""
    parts = [f"t={at}", *(f"v1={_mac(body, secret, at)}" for secret in secrets)]
    return ",".join((*parts, f"v0={_mac(body, 'not a secret', at)}"))


def _mac(body: str, secret: str, at: int) -> str:
    return hmac.new(secret.encode(), f"{at}.{body}".encode(), sha256).hexdigest()
