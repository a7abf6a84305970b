"""Payments: /api/payments. What is answered follows from what became of the attempt."""

import re

from domain import order, payment
from gateways.http.answer import Answer, json
from gateways.http.bodies import ActionBody, PaymentBody, PaymentForm
from gateways.http.call import Call
from gateways.http.errors import Invalid, Problem, Unsettled, problem
from gateways.http.freshness import Freshness
from gateways.http.keys import REPLAYED, Keys
from gateways.http.parsing import read_form
from gateways.http.routes import Route
from processmanager.marketplace import Marketplace, Paid
from processmanager.ports import Confirmation

NO_TOKEN = Problem("Token is required", "token")
NO_ORDER = Problem("Order Id is required", "orderId")
NOT_A_TOKEN = Problem("Token must be a payment provider's token", "token")

# A provider's name for a method, such as tok_visa or pm_1Nv0. What is recorded is recorded for ever, so
# nothing that could be a card's number gets as far as that.
_TOKEN = re.compile(r"[A-Za-z][A-Za-z0-9_]{2,254}")
_CARD_NUMBER = re.compile(r"\d{12}")


class Payments:
    def __init__(self, marketplace: Marketplace, freshness: Freshness, keys: Keys) -> None:
        self._marketplace = marketplace
        self._freshness = freshness
        self._keys = keys

    def routes(self) -> list[Route]:
        return [
            Route(
                method="POST",
                path="/api/payments",
                handle=self.create,
                summary="Pay for an order",
                takes=PaymentForm,
                answers={201: PaymentBody, 202: ActionBody},
                errors=(400, 404, 422),
                signed_in=True,
                key=True,
            )
        ]

    async def create(self, call: Call) -> Answer:
        user = call.user()
        form = await read_form(call)
        token, order_id = _given(form.text("token")), _given(form.text("orderId"))
        if token is None or order_id is None:
            missing = ((token, NO_TOKEN), (order_id, NO_ORDER))
            raise Invalid(*(wrong for value, wrong in missing if value is None))
        if not _TOKEN.fullmatch(token) or _CARD_NUMBER.search(token):
            raise Invalid(NOT_A_TOKEN)
        payment_id = self._keys.id_for(call, "payment", user, order_id, also=(token,))
        paid = await self._marketplace.pay(order_id, payment_id, user, token, call.cause(user, payment_id))
        answer = await self._answer(paid)
        answer.headers.extend(self._freshness.wrote(call, user, paid.position))
        if paid.repeated:
            answer.headers.append(REPLAYED)
        return answer

    async def _answer(self, paid: Paid) -> Answer:
        match paid.payment:
            case payment.Captured() | payment.Disputed() if isinstance(paid.order, order.Completed):
                return json(201, PaymentBody(paid.payment_id))
            case payment.ActionRequired(action=action):
                needed = await self._marketplace.confirmation(paid.payment_id) or Confirmation()
                return json(
                    202, ActionBody(paid.payment_id, action, client_secret=needed.secret, page=needed.page)
                )
            case payment.Declined(message=message):
                return problem(400, message)
            case (
                payment.Voided(reason=reason)
                | payment.Refunding(reason=reason)
                | payment.Refunded(reason=reason)
            ):
                return problem(400, f"The payment was not kept: {reason}")
            case _:
                raise Unsettled


def _given(text: str | None) -> str | None:
    """A field that is there."""
    return text if text and text.isprintable() and text.strip() else None
