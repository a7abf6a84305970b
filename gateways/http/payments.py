"""Payments: /api/payments. What is answered follows from what became of the attempt."""

from domain import order, payment
from gateways.http.answer import Answer, json
from gateways.http.bodies import ActionBody, PaymentBody, PaymentForm
from gateways.http.call import Call
from gateways.http.errors import Invalid, Problem, Unsettled, problem
from gateways.http.freshness import Freshness
from gateways.http.keys import Keys
from gateways.http.parsing import read_form
from gateways.http.routes import Route
from processmanager.marketplace import Marketplace, Paid

NO_TOKEN = Problem("Token is required", "token")
NO_ORDER = Problem("Order Id is required", "orderId")
MAX_TOKEN = 255


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
        payment_id = self._keys.id_for(call, "payment", user, order_id, also=(token,))
        paid = await self._marketplace.pay(order_id, payment_id, user, token, call.cause(user, payment_id))
        answer = _answer(paid)
        answer.headers.extend(self._freshness.wrote(call, user, paid.position))
        return answer


def _given(text: str | None) -> str | None:
    """A field that is there and of a sensible size and kind."""
    return text if text and text.isprintable() and text.strip() and len(text) <= MAX_TOKEN else None


def _answer(paid: Paid) -> Answer:
    match paid.payment:
        case payment.Captured() | payment.Disputed() if isinstance(paid.order, order.Completed):
            return json(201, PaymentBody(paid.payment_id))
        case payment.ActionRequired(action=action):
            return json(202, ActionBody(paid.payment_id, action))
        case payment.Declined(message=message):
            return problem(400, message)
        case (
            payment.Voided(reason=reason) | payment.Refunding(reason=reason) | payment.Refunded(reason=reason)
        ):
            return problem(400, f"The payment was not kept: {reason}")
        case _:
            raise Unsettled
