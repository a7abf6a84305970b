"""Where a bank sends the buyer back to: /api/payments/return. How his payment stands, and where to go on.

Stripe adds its names of the attempt and the attempt's secret to the address. The secret is the buyer's, so
whoever has it may be told; no session is needed, for a browser may come here without its cookies. What the
address says of the outcome is not used: that he came back is a hint to look, and no more.
"""

import re
from datetime import datetime

from msgspec import Struct

from domain import order, payment
from gateways.http.answer import Answer, json
from gateways.http.bodies import Status, moment, status_of
from gateways.http.call import Call
from gateways.http.errors import NotFound, Rejected
from gateways.http.pages import page, wants_page
from gateways.http.routes import Query, Route
from gateways.http.turn import GOES_FIRST
from processmanager.hints import Hints
from processmanager.marketplace import Marketplace

PATH = "/api/payments/return"
_REFERENCE = re.compile(r"pi_[A-Za-z0-9]{1,100}")
_SECRET = re.compile(r"[A-Za-z0-9_]{1,300}")
_ONWARD = re.compile(r"/(?![/\\])[\w\-./?=&%#~+,;:@!$'()*]{0,500}", re.ASCII)
"""A path of this very origin: whoever writes the address must not lead the buyer elsewhere."""

INCOMPLETE = "The address to come back to must name a payment_intent and its payment_intent_client_secret"


class ReturnBody(Struct, frozen=True, rename="camel"):
    """id: of the attempt to pay. status: of the order. said: how the payment stands, for people.

    settled: whether it will stay so. until: how long another card may be tried, if one may.
    """

    id: str
    order_id: str
    status: Status
    settled: bool
    said: str
    until: str | None = None


class Returns:
    def __init__(self, hints: Hints, marketplace: Marketplace) -> None:
        self._hints = hints
        self._marketplace = marketplace

    def routes(self) -> list[Route]:
        return [self._route("GET"), self._route("POST")]

    def _route(self, method: str) -> Route:
        return Route(
            method=method,
            path=PATH,
            handle=self.come_back,
            summary="For the buyer who comes back from his bank: how his payment stands",
            answers={200: ReturnBody},
            errors=(400, 404),
            query=(
                Query("payment_intent", "the payment provider's name of the attempt", {"type": "string"}),
                Query("payment_intent_client_secret", "its secret", {"type": "string"}),
                Query("next", "a path of this origin to go on to", {"type": "string"}),
            ),
            page=True,
            foreign=True,
        )

    async def come_back(self, call: Call) -> Answer:
        try:
            body = await self._standing(call)
        except (Rejected, NotFound) as wrong:
            if not wants_page(call):
                raise
            status, title = (404, "Not found") if isinstance(wrong, NotFound) else (400, "Incomplete")
            said = "There is no such payment." if status == 404 else f"{INCOMPLETE}."
            return page("problem.html", status=status, title=title, detail=said)
        if not wants_page(call):
            return json(200, body)
        onward = call.query.get("next", "")
        return page("returned.html", body=body, onward=onward if _ONWARD.fullmatch(onward) else None)

    async def _standing(self, call: Call) -> ReturnBody:
        reference = call.query.get("payment_intent", "")
        secret = call.query.get("payment_intent_client_secret", "")
        if not _REFERENCE.fullmatch(reference) or not _SECRET.fullmatch(secret):
            raise Rejected(400, INCOMPLETE)
        GOES_FIRST.set(False)  # the attempt is looked at, and a ticket may be bought, whatever the method
        payment_id = await self._hints.returned(reference, secret)
        paid = None if payment_id is None else (await self._marketplace.payment(payment_id)).state
        if payment_id is None or paid is None or isinstance(paid, payment.Unrequested):
            raise NotFound
        order_id = paid.request.order
        placed = (await self._marketplace.order(order_id)).state
        until = placed.terms.expires_at if isinstance(placed, order.AwaitingPayment) else None
        settled, said = _said(paid, placed, until)
        return ReturnBody(
            payment_id, order_id, status_of(placed), settled, said, moment(until) if until else None
        )


def _said(paid: payment.State, placed: order.State, until: datetime | None) -> tuple[bool, str]:
    match paid:
        case payment.Captured() if isinstance(placed, order.Completed):
            return True, "It is paid for: the ticket is yours."
        case payment.Declined() | payment.Voided() | payment.Refunded() | payment.ChargedBack():
            again = f" You may try another card before {moment(until)}." if until else ""
            return True, f"The payment did not go through, and no money is kept.{again}"
        case payment.Refunding():
            return False, "The ticket could not be sold to you, and your money is on its way back."
        case payment.ActionRequired():
            return False, "Your bank still waits for your confirmation; until then nothing is taken."
        case _:
            return False, "Your payment is not settled yet. Look again in a moment."
