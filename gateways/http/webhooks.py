"""A payment provider's webhooks: /api/webhooks/stripe. Remembered, answered, and followed up afterwards."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from logging import getLogger
from typing import Protocol

from msgspec import Struct

from domain.delivery import TakeDelivery, delivery
from gateways.http.answer import Answer, json
from gateways.http.call import Call
from gateways.http.errors import problem
from gateways.http.routes import Route
from processmanager.desk import Cause, Desk
from processmanager.hints import ACTOR, Hint, Hints
from processmanager.ports import StoreUnavailable

log = getLogger("admitone.webhooks")

PATH = "/api/webhooks/stripe"
LONGEST = 256 * 1024
"""Bytes of a body. Stripe's events are smaller by far."""
IN_TIME = 1.0
"""Seconds within which a delivery is answered; one that is not remembered by then is to come again."""


class NotGenuine(Exception):
    """It did not come from the provider as it is. The text is for our own log."""


class Genuine(Struct, frozen=True):
    """What a webhook tells of. ``id``: the provider's name of the delivery."""

    id: str
    told: TakeDelivery


class Signed(Protocol):
    """Knows the provider's signature."""

    def read(self, body: bytes, signature: str | None, now: datetime) -> Genuine:
        """Raises NotGenuine."""
        ...


class Received(Struct, frozen=True):
    """``received``: whether it had not come before."""

    received: bool


class Webhooks:
    def __init__(self, signed: Signed, desk: Desk, hints: Hints, now: Callable[[], datetime]) -> None:
        self._signed = signed
        self._desk = desk
        self._hints = hints
        self._now = now
        self.refused = 0
        """How many were not genuine."""

    def routes(self) -> list[Route]:
        return [
            Route(
                method="POST",
                path=PATH,
                handle=self.take,
                summary="For the payment provider: tell of what became of a payment",
                answers={200: Received},
                errors=(400,),
                body_limit=LONGEST,
                limited=False,
            )
        ]

    async def take(self, call: Call) -> Answer:
        body = await call.body()
        try:
            genuine = self._signed.read(body, call.header(b"stripe-signature"), self._now())
        except NotGenuine as why:
            self.refused += 1
            log.warning("a webhook was refused (%d so far): %s", self.refused, why)
            return problem(400, "This is not a genuine webhook")
        cause = Cause(call.request_id, f"delivery:{genuine.id}", ACTOR)
        try:
            async with asyncio.timeout(IN_TIME):
                done = await self._desk.execute(delivery, genuine.id, genuine.told, cause)
        except TimeoutError:
            raise StoreUnavailable(f"delivery {genuine.id} was not remembered in time") from None
        if done.events and (genuine.told.reference or genuine.told.payment):
            self._hints.heed(Hint(genuine.id, genuine.told.reference, genuine.told.payment))
        return json(200, Received(bool(done.events)))
