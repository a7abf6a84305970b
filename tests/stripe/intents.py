"""PaymentIntents. https://docs.stripe.com/api/payment_intents"""

from typing import Any, Literal

from tests.stripe import charging, ids
from tests.stripe.bank import Bank, Call
from tests.stripe.clock import DAY
from tests.stripe.confirming import CONFIRMABLE, ConfirmGiven, check_return_url, chosen, confirm, unexpected
from tests.stripe.currencies import check_charge, check_step
from tests.stripe.errors import invalid, refused
from tests.stripe.params import Given, merged, read
from tests.stripe.shapes import Customer, Metadata, PaymentIntent

AUTOMATIC_METHODS_SINCE = "2023-08-16"
"""From this API version on, an intent that names no ways to pay takes those of the account."""
NO_METHOD_TYPES_SINCE = "2026-09-30"
"""From this API version on, ``payment_method_types`` can only be read: ``allowed_payment_method_types`` took
its place. https://docs.stripe.com/changelog/endive/2026-09-30/removes-the-payment-method-types-parameter-from-payment-intents-and-setup-intents
"""


class _Ways(Given, kw_only=True):
    enabled: bool
    allow_redirects: Literal["always", "never"] = "always"


class _Creating(ConfirmGiven, kw_only=True):
    amount: int
    currency: str
    automatic_payment_methods: _Ways | None = None
    confirm: bool = False
    confirmation_method: Literal["automatic", "manual"] = "automatic"
    customer: str | None = None
    description: str | None = None
    metadata: Metadata | None = None
    statement_descriptor: str | None = None
    statement_descriptor_suffix: str | None = None
    transfer_group: str | None = None


class _Updating(Given, kw_only=True):
    amount: int | None = None
    currency: str | None = None
    customer: str | None = None
    description: str | None = None
    metadata: Metadata | None = None
    payment_method: str | None = None
    receipt_email: str | None = None
    setup_future_usage: Literal["on_session", "off_session"] | None = None
    shipping: dict[str, Any] | None = None


class _Capturing(Given, kw_only=True):
    amount_to_capture: int | None = None
    final_capture: bool = True
    metadata: Metadata | None = None
    statement_descriptor: str | None = None
    statement_descriptor_suffix: str | None = None


class _Cancelling(Given, kw_only=True):
    cancellation_reason: Literal["duplicate", "fraudulent", "requested_by_customer", "abandoned"] | None = (
        None
    )


class _Retrieving(Given, kw_only=True):
    client_secret: str | None = None


def create(bank: Bank, call: Call) -> PaymentIntent:
    """Nothing is made unless all parameters are good; a declined card leaves the intent behind."""
    given = read(_Creating, call.params)
    given.currency = given.currency.lower()
    check_charge(given.amount, given.currency)
    if given.customer is not None:
        bank.find(Customer, "customer", given.customer, param="customer", status=400)
    if not given.confirm and (given.off_session or given.error_on_requires_action):
        raise invalid("`off_session` and `error_on_requires_action` need `confirm`", param="confirm")
    name = ids.new("pi")
    intent = PaymentIntent(
        id=name,
        created=bank.clock.stamp(),
        amount=given.amount,
        capture_method=given.capture_method or "automatic_async",
        client_secret=ids.new(f"{name}_secret"),
        confirmation_method=given.confirmation_method,
        currency=given.currency,
        customer=given.customer,
        description=given.description,
        metadata=merged({}, given.metadata),
        payment_method_options=given.payment_method_options or {},
        receipt_email=given.receipt_email,
        setup_future_usage=given.setup_future_usage,
        shipping=given.shipping,
        statement_descriptor=given.statement_descriptor,
        statement_descriptor_suffix=given.statement_descriptor_suffix,
        transfer_group=given.transfer_group,
    )
    _choose_ways(intent, given, call)
    if given.confirm:
        check_return_url(intent, given)
    method = chosen(bank, given)
    if given.confirm and method is None:
        raise unexpected(intent, "confirm", "it has no payment method")
    if method is not None:
        intent.payment_method, intent.status = method.id, "requires_confirmation"
    bank.ledger.put(intent)
    bank.emit("payment_intent.created", intent, call)
    return confirm(bank, call, intent, given, method) if given.confirm else intent


def retrieve(bank: Bank, call: Call) -> PaymentIntent:
    given = read(_Retrieving, call.params)
    intent = bank.find(PaymentIntent, "payment_intent", call.id, param="intent")
    if given.client_secret not in (None, intent.client_secret):
        raise invalid("The client_secret does not match this PaymentIntent", param="client_secret")
    return intent


def update(bank: Bank, call: Call) -> PaymentIntent:
    given = read(_Updating, call.params)
    intent = bank.find(PaymentIntent, "payment_intent", call.id, param="intent")
    money = given.amount is not None or given.currency is not None or given.payment_method is not None
    if money and intent.status not in CONFIRMABLE:
        raise unexpected(intent, "update", f"its status is {intent.status}")
    if money:
        intent.currency = (given.currency or intent.currency).lower()
        intent.amount = intent.amount if given.amount is None else given.amount
        check_charge(intent.amount, intent.currency)
    if given.customer is not None:
        bank.find(Customer, "customer", given.customer, param="customer", status=400)
    method = chosen(bank, ConfirmGiven(payment_method=given.payment_method))
    if method is not None:
        intent.payment_method, intent.status = method.id, "requires_confirmation"
    intent.metadata = merged(intent.metadata, given.metadata)
    for name in ("customer", "description", "receipt_email", "setup_future_usage", "shipping"):
        if (value := getattr(given, name)) is not None:
            setattr(intent, name, value)
    bank.ledger.put(intent)
    return intent


def confirm_one(bank: Bank, call: Call) -> PaymentIntent:
    given = read(ConfirmGiven, call.params)
    intent = bank.find(PaymentIntent, "payment_intent", call.id, param="intent")
    if intent.status not in CONFIRMABLE:
        raise unexpected(intent, "confirm", f"its status is {intent.status}")
    check_types(given, call)
    check_return_url(intent, given)
    method = chosen(bank, given)
    if given.capture_method is not None:
        intent.capture_method = given.capture_method
    return confirm(bank, call, intent, given, method)


def capture(bank: Bank, call: Call) -> PaymentIntent:
    given = read(_Capturing, call.params)
    intent = bank.find(PaymentIntent, "payment_intent", call.id, param="intent")
    if intent.status != "requires_capture":
        raise unexpected(intent, "capture", f"its status is {intent.status}")
    amount = intent.amount_capturable if given.amount_to_capture is None else given.amount_to_capture
    check_step(amount, intent.currency, "amount_to_capture")
    if not 0 < amount <= intent.amount_capturable:
        message = f"You may capture between 1 and {intent.amount_capturable}, not {amount}."
        raise refused(message, code="amount_too_large", param="amount_to_capture")
    intent.metadata = merged(intent.metadata, given.metadata)
    charging.capture(bank, call, intent, amount)
    return intent


def cancel(bank: Bank, call: Call) -> PaymentIntent:
    """What was set aside is let go. What was captured can only be refunded."""
    given = read(_Cancelling, call.params)
    intent = bank.find(PaymentIntent, "payment_intent", call.id, param="intent")
    if intent.status not in CONFIRMABLE | {"requires_capture"}:
        raise unexpected(intent, "cancel", f"its status is {intent.status}")
    end(bank, call, intent, given.cancellation_reason)
    return intent


def end(bank: Bank, call: Call | None, intent: PaymentIntent, reason: str | None) -> None:
    """Nothing can be charged to it any more."""
    held = intent.status == "requires_capture"
    intent.status, intent.next_action = "canceled", None
    intent.canceled_at, intent.cancellation_reason = bank.clock.stamp(), reason
    if held:
        charging.let_go(bank, call, intent)
    bank.ledger.put(intent)
    bank.emit("payment_intent.canceled", intent, call)


def _choose_ways(intent: PaymentIntent, given: _Creating, call: Call) -> None:
    check_types(given, call)
    lists = [given.payment_method_types, given.allowed_payment_method_types]
    if sum(way is not None for way in (*lists, given.automatic_payment_methods)) > 1:
        raise invalid(
            "Give only one of payment_method_types, allowed_payment_method_types and "
            "automatic_payment_methods",
            param="automatic_payment_methods",
        )
    if any(lists):
        intent.allowed_payment_method_types = given.allowed_payment_method_types
    elif given.automatic_payment_methods is not None:
        ways = given.automatic_payment_methods
        intent.automatic_payment_methods = {
            "allow_redirects": ways.allow_redirects,
            "enabled": ways.enabled,
        }
    elif call.version >= AUTOMATIC_METHODS_SINCE:
        intent.automatic_payment_methods = {"allow_redirects": "always", "enabled": True}


def check_types(given: ConfirmGiven, call: Call) -> None:
    """Raises StripeError unless the ways to pay that are named include cards, the only one there is here."""
    if given.payment_method_types is not None and call.version >= NO_METHOD_TYPES_SINCE:
        raise invalid(
            f"`payment_method_types` cannot be set from API version {NO_METHOD_TYPES_SINCE} on. "
            "Use `allowed_payment_method_types`.",
            code="payment_method_types_no_longer_supported",
            param="payment_method_types",
        )
    for name in ("payment_method_types", "allowed_payment_method_types"):
        types = getattr(given, name)
        if types is not None and "card" not in types:
            raise invalid("Only cards can be paid with here", param=name)


def expire_old(bank: Bank) -> None:
    """Let go of what banks set aside no longer: https://docs.stripe.com/payments/place-a-hold-on-a-payment-method"""
    oldest = bank.clock.stamp() - charging.HOLD_DAYS * DAY
    for intent in bank.ledger.all(PaymentIntent, status="requires_capture"):
        if charging.charge_of(bank, intent).created <= oldest:
            end(bank, None, intent, "expired")
