"""PaymentMethods. https://docs.stripe.com/api/payment_methods

Only cards. A number is never kept: what a card does follows from its test alias, which is.
"""

from typing import Literal

from msgspec import Struct

from tests.stripe import ids
from tests.stripe.bank import Bank, Call
from tests.stripe.cards import BY_NAME, BY_NUMBER, Card, by_alias, by_token
from tests.stripe.errors import Problem, StripeError, invalid, missing, refused
from tests.stripe.params import Given, read
from tests.stripe.shapes import Customer, Metadata, PaymentMethod


class CardGiven(Given, kw_only=True):
    token: str | None = None
    number: str | None = None
    exp_month: int | None = None
    exp_year: int | None = None
    cvc: str | None = None


class MethodGiven(Given, kw_only=True):
    """``payment_method_data``, and what creates a PaymentMethod."""

    type: Literal["card"]
    card: CardGiven | None = None
    billing_details: dict[str, object] | None = None
    metadata: Metadata | None = None
    allow_redisplay: str | None = None


class _Attaching(Given, kw_only=True):
    customer: str


def create(bank: Bank, call: Call) -> PaymentMethod:
    return make(bank, read(MethodGiven, call.params))


def retrieve(bank: Bank, call: Call) -> PaymentMethod:
    read(Given, call.params)
    return named(bank, call.id, status=404)


def attach(bank: Bank, call: Call) -> PaymentMethod:
    """https://docs.stripe.com/api/payment_methods/attach. Cards that the bank refuses cannot be attached."""
    given = read(_Attaching, call.params)
    bank.find(Customer, "customer", given.customer, param="customer", status=400)
    method = named(bank, call.id, status=404)
    card = card_of(bank, method)
    if card.decline is not None and not card.attachable:
        decline = card.decline
        raise StripeError(
            402, Problem("card_error", decline.message, code=decline.code, decline_code=decline.decline_code)
        )
    if method.customer not in (None, given.customer):
        raise refused("The payment method is already attached to another customer", param="customer")
    method.customer = given.customer
    bank.ledger.put(method)
    bank.emit("payment_method.attached", method, call)
    return method


def detach(bank: Bank, call: Call) -> PaymentMethod:
    read(Given, call.params)
    method = named(bank, call.id, status=404)
    if method.customer is None:
        raise refused("The payment method is not attached to a customer; there is nothing to detach")
    method.customer = None
    bank.ledger.put(method, {"card": card_of(bank, method).name, "spent_by": "detached"})
    bank.emit("payment_method.detached", method, call)
    return method


def named(bank: Bank, name: str, *, status: int = 400) -> PaymentMethod:
    """The PaymentMethod ``name``; a test alias makes a new one. Raises StripeError."""
    if (card := by_alias(name)) is not None:
        return _kept(bank, card, MethodGiven(type="card"))
    param = "payment_method" if status == 400 else "id"
    return bank.find(PaymentMethod, "PaymentMethod", name, param=param, status=status)


def make(bank: Bank, given: MethodGiven) -> PaymentMethod:
    """A new PaymentMethod from a token or a test number. Raises StripeError."""
    if given.card is None:
        raise invalid("Missing required param: card.", code="parameter_missing", param="card")
    if given.card.token is not None:
        card = by_token(given.card.token)
        if card is None:
            raise missing("token", given.card.token, param="card[token]", status=400)
        return _kept(bank, card, given)
    if given.card.number is None:
        raise invalid("Missing required param: card[number].", code="parameter_missing", param="card[number]")
    card = BY_NUMBER.get(given.card.number.replace(" ", ""))
    if card is None:
        problem = Problem(
            "card_error", "Your card number is incorrect.", code="incorrect_number", param="number"
        )
        raise StripeError(402, problem)
    return _kept(bank, card, given)


def card_of(bank: Bank, method: PaymentMethod) -> Card:
    return BY_NAME[bank.ledger.private(method.id)["card"]]


class Use(Struct, frozen=True):
    """A PaymentMethod as an intent may use it, and whose card it is."""

    method: PaymentMethod
    card: Card


def used(bank: Bank, method: PaymentMethod, intent: str, customer: str | None) -> Use:
    """Take a PaymentMethod into use for ``intent``. Raises StripeError.

    https://docs.stripe.com/payments/payment-methods: one that belongs to no customer serves one intent;
    one that does belong serves that customer alone.
    """
    private = bank.ledger.private(method.id)
    if method.customer is not None and method.customer != customer:
        raise refused(
            f"The PaymentMethod {method.id} belongs to the customer {method.customer}. "
            "Name that customer in the PaymentIntent.",
            param="payment_method",
        )
    if method.customer is None and private.get("spent_by") not in (None, intent):
        raise refused(
            "This PaymentMethod was used with another PaymentIntent and belongs to no customer, so it may "
            "not be used again. Attach it to a customer first to use it more than once.",
            param="payment_method",
        )
    bank.ledger.put(method, {**private, "spent_by": intent})
    return Use(method, BY_NAME[private["card"]])


def _kept(bank: Bank, card: Card, given: MethodGiven) -> PaymentMethod:
    now = bank.clock.stamp()
    method = PaymentMethod(
        id=ids.new("pm"),
        created=now,
        card={
            "brand": card.brand,
            "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": None},
            "country": card.country,
            "display_brand": card.brand,
            "exp_month": (given.card and given.card.exp_month) or 12,
            "exp_year": (given.card and given.card.exp_year) or 2040,
            "fingerprint": f"fp{card.last4}",
            "funding": card.funding,
            "generated_from": None,
            "last4": card.last4,
            "networks": {"available": [card.brand], "preferred": None},
            "three_d_secure_usage": {"supported": True},
            "wallet": None,
        },
        metadata=given.metadata or {},
    )
    if given.billing_details:
        method.billing_details.update(given.billing_details)
    bank.ledger.put(method, {"card": card.name})
    return method
