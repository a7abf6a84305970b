"""Webhooks that no receiver may believe, each with its own flaw."""

import time
from typing import Any, Literal

import msgspec
from msgspec import Struct

from tests.stripe import ids
from tests.stripe.bank import API_VERSION
from tests.stripe.signing import signature
from tests.stripe.webhooks import Webhooks

Flaw = Literal[
    "none",
    "unsigned",
    "wrong_secret",
    "altered",
    "truncated",
    "stale",
    "future",
    "no_time",
    "no_signature",
    "only_v0",
    "garbage",
]
HOUR = 3600


class Forgery(Struct, kw_only=True):
    """``event``: a true one's id, to be told falsely; else one is made of ``type`` and ``object``."""

    flaw: Flaw
    event: str | None = None
    type: str = "payment_intent.succeeded"
    object: dict[str, Any] | None = None


async def send(webhooks: Webhooks, forgery: Forgery) -> int:
    """Send it to the target: the status of the answer."""
    true = webhooks.body_of(forgery.event) if forgery.event else _made_up(forgery)
    now = int(time.time())
    secrets = webhooks.target.secrets
    body, header = true, signature(true, secrets, now)
    match forgery.flaw:
        case "unsigned":
            return await webhooks.send(body, None)
        case "wrong_secret":
            header = signature(true, ["whsec_somebody_else"], now)
        case "altered":
            body = true.replace('"livemode":false', '"livemode":true', 1)
        case "truncated":
            body = true[: len(true) // 2]
        case "stale":
            header = signature(true, secrets, now - HOUR)
        case "future":
            header = signature(true, secrets, now + HOUR)
        case "no_time":
            header = header.partition(",")[2]
        case "no_signature":
            header = f"t={now}"
        case "only_v0":
            header = f"t={now},{header.rpartition(',')[2]}"
        case "garbage":
            header = "t=soon,v1=\u00ff"
    return await webhooks.send(body, header)


def _made_up(forgery: Forgery) -> str:
    event = {
        "id": ids.new("evt"),
        "object": "event",
        "api_version": API_VERSION,
        "created": int(time.time()),
        "data": {"object": forgery.object or {}},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": forgery.type,
    }
    return msgspec.json.encode(event).decode()
