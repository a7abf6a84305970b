"""Stripe's webhooks: whether one is genuine, and what it is about. https://docs.stripe.com/webhooks

The signature comes first, over the bytes as they came; before that nothing is parsed. The SDK looks only
for times that are too old, so the other side is looked at here.
"""

import re
from datetime import UTC, datetime, timedelta

import msgspec
import stripe
from msgspec import Struct

from domain.delivery import TakeDelivery
from gateways.http.webhooks import Genuine, NotGenuine

_ID = re.compile(r"evt_[A-Za-z0-9_]{1,120}")
_OURS = re.compile(r"[\x21-\x7e]{1,128}")
_TIME = re.compile(r"(?:^|,)t=(\d{1,12})(?:,|$)")


class _Object(Struct):
    id: str
    object: str
    metadata: dict[str, str] | None = None
    payment_intent: str | None = None


class _Data(Struct):
    object: _Object


class _Event(Struct):
    id: str
    type: str
    created: int
    livemode: bool
    data: _Data


_events = msgspec.json.Decoder(_Event)


class StripeWebhooks:
    """secrets: any of them may have signed, so that one can replace another. tolerance: how far the time in
    the signature may lie from ours, either way. live: whether the account's key takes real money."""

    def __init__(self, secrets: tuple[str, ...], tolerance: timedelta, *, live: bool) -> None:
        self._secrets = secrets
        self._tolerance = tolerance
        self._live = live

    def read(self, body: bytes, signature: str | None, now: datetime) -> Genuine:
        """What a webhook tells of. Raises NotGenuine, with a reason for our own log only."""
        self._verify(body, signature, now)
        try:
            event = _events.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise NotGenuine(f"signed, but no event: {error}") from None
        if not _ID.fullmatch(event.id):
            raise NotGenuine("signed, but its id is no event's")
        if event.livemode is not self._live:
            raise NotGenuine(f"event {event.id} has livemode {event.livemode}, and our key the other")
        about = event.data.object
        intent = about.id if about.object == "payment_intent" else about.payment_intent or ""
        payment = (about.metadata or {}).get("payment", "")
        payment = payment if _OURS.fullmatch(payment) else ""
        made = datetime.fromtimestamp(event.created, UTC)
        return Genuine(event.id, TakeDelivery(event.type, intent, payment, made))

    def _verify(self, body: bytes, signature: str | None, now: datetime) -> None:
        if not any(_signed(body, signature, secret) for secret in self._secrets):
            raise NotGenuine("its signature is missing or not by any of our secrets")
        told = _TIME.search(signature or "")
        assert told is not None, "a signature without a time was taken for good"
        if abs(now - datetime.fromtimestamp(int(told[1]), UTC)) > self._tolerance:
            raise NotGenuine(f"it was signed at {told[1]}, too long ago or ahead of our time")


def _signed(body: bytes, signature: str | None, secret: str) -> bool:
    try:
        # The SDK's type wants text, and its code decodes bytes by itself.
        stripe.WebhookSignature.verify_header(body, signature, secret)
    except (stripe.SignatureVerificationError, UnicodeDecodeError, TypeError, ValueError):
        # A header that is no ASCII makes the comparison raise TypeError.
        return False
    return True
