"""The objects of the API, with the names that Stripe's reference gives their fields.

https://docs.stripe.com/api/payment_intents/object, …/charges/object, …/refunds/object,
…/disputes/object, …/balance_transactions/object, …/payment_methods/object, …/events/object.
Fields of features that this double lacks (Connect, invoices, …) are left out or always null.
"""

from typing import Any, Literal, TypeAlias

from msgspec import Struct, field

Metadata: TypeAlias = dict[str, str]


class Stored(Struct, kw_only=True):
    """What every object has. ``created``: seconds since 1970."""

    id: str
    created: int


class PaymentMethod(Stored, kw_only=True):
    object: Literal["payment_method"] = "payment_method"
    allow_redisplay: str = "unspecified"
    billing_details: dict[str, Any] = field(
        default_factory=lambda: {"address": None, "email": None, "name": None, "phone": None}
    )
    card: dict[str, Any]
    customer: str | None = None
    livemode: bool = False
    metadata: Metadata = field(default_factory=dict)
    type: Literal["card"] = "card"


class Customer(Stored, kw_only=True):
    object: Literal["customer"] = "customer"
    description: str | None = None
    email: str | None = None
    livemode: bool = False
    metadata: Metadata = field(default_factory=dict)
    name: str | None = None


class PaymentError(Struct, kw_only=True, omit_defaults=True):
    """``last_payment_error``: the error of the last attempt, in the shape of an error."""

    type: str
    code: str
    message: str
    decline_code: str | None = None
    charge: str | None = None
    doc_url: str | None = None
    payment_method: PaymentMethod | None = None


class PaymentIntent(Stored, kw_only=True):
    object: Literal["payment_intent"] = "payment_intent"
    amount: int
    amount_capturable: int = 0
    allowed_payment_method_types: list[str] | None = None
    amount_details: dict[str, Any] = field(default_factory=lambda: {"tip": {}})
    amount_received: int = 0
    application: None = None
    application_fee_amount: None = None
    automatic_payment_methods: dict[str, Any] | None = None
    canceled_at: int | None = None
    cancellation_reason: str | None = None
    capture_method: Literal["automatic", "automatic_async", "manual"] = "automatic_async"
    client_secret: str
    confirmation_method: Literal["automatic", "manual"] = "automatic"
    currency: str
    customer: str | None = None
    description: str | None = None
    last_payment_error: PaymentError | None = None
    latest_charge: str | None = None
    livemode: bool = False
    metadata: Metadata = field(default_factory=dict)
    next_action: dict[str, Any] | None = None
    on_behalf_of: None = None
    payment_method: str | None = None
    payment_method_options: dict[str, Any] = field(default_factory=dict)
    payment_method_types: list[str] = field(default_factory=lambda: ["card"])
    processing: None = None
    receipt_email: str | None = None
    review: None = None
    setup_future_usage: str | None = None
    shipping: dict[str, Any] | None = None
    source: None = None
    statement_descriptor: str | None = None
    statement_descriptor_suffix: str | None = None
    status: Literal[
        "requires_payment_method",
        "requires_confirmation",
        "requires_action",
        "processing",
        "requires_capture",
        "canceled",
        "succeeded",
    ] = "requires_payment_method"
    transfer_data: None = None
    transfer_group: str | None = None


class Charge(Stored, kw_only=True):
    object: Literal["charge"] = "charge"
    amount: int
    amount_captured: int = 0
    amount_refunded: int = 0
    balance_transaction: str | None = None
    billing_details: dict[str, Any] = field(default_factory=dict)
    captured: bool = False
    currency: str
    customer: str | None = None
    description: str | None = None
    disputed: bool = False
    failure_balance_transaction: None = None
    failure_code: str | None = None
    failure_message: str | None = None
    fraud_details: dict[str, Any] = field(default_factory=dict)
    livemode: bool = False
    metadata: Metadata = field(default_factory=dict)
    outcome: dict[str, Any] | None = None
    paid: bool = False
    payment_intent: str
    payment_method: str
    payment_method_details: dict[str, Any] = field(default_factory=dict)
    receipt_email: str | None = None
    refunded: bool = False
    review: None = None
    shipping: dict[str, Any] | None = None
    source: None = None
    statement_descriptor: str | None = None
    statement_descriptor_suffix: str | None = None
    status: Literal["succeeded", "pending", "failed"]
    transfer_group: str | None = None


class Refund(Stored, kw_only=True):
    object: Literal["refund"] = "refund"
    amount: int
    balance_transaction: str | None = None
    charge: str
    currency: str
    destination_details: dict[str, Any] | None = None
    failure_balance_transaction: str | None = None
    failure_reason: str | None = None
    metadata: Metadata = field(default_factory=dict)
    payment_intent: str
    pending_reason: str | None = None
    reason: str | None = None
    receipt_number: None = None
    source_transfer_reversal: None = None
    status: Literal["pending", "requires_action", "succeeded", "failed", "canceled"]
    transfer_reversal: None = None


class Dispute(Stored, kw_only=True):
    object: Literal["dispute"] = "dispute"
    amount: int
    balance_transactions: list["BalanceTransaction"] = field(default_factory=list)
    charge: str
    currency: str
    enhanced_eligibility_types: list[str] = field(default_factory=list)
    evidence: dict[str, Any] = field(default_factory=dict)
    evidence_details: dict[str, Any] = field(default_factory=dict)
    is_charge_refundable: bool = False
    livemode: bool = False
    metadata: Metadata = field(default_factory=dict)
    payment_intent: str
    payment_method_details: dict[str, Any] = field(default_factory=dict)
    reason: str
    status: Literal[
        "warning_needs_response",
        "warning_under_review",
        "warning_closed",
        "needs_response",
        "under_review",
        "won",
        "lost",
    ]


class BalanceTransaction(Stored, kw_only=True):
    object: Literal["balance_transaction"] = "balance_transaction"
    amount: int
    available_on: int
    balance_type: str = "payments"
    currency: str
    description: str | None = None
    exchange_rate: float | None = None
    fee: int = 0
    fee_details: list[dict[str, Any]] = field(default_factory=list)
    net: int
    reporting_category: str
    source: str
    status: Literal["available", "pending"] = "pending"
    type: Literal["charge", "refund", "refund_failure", "adjustment"]


class Event(Stored, kw_only=True):
    object: Literal["event"] = "event"
    api_version: str
    data: dict[str, Any]
    livemode: bool = False
    pending_webhooks: int = 0
    request: dict[str, str | None]
    type: str


KINDS: dict[str, type[Stored]] = {
    "ch": Charge,
    "cus": Customer,
    "du": Dispute,
    "evt": Event,
    "pi": PaymentIntent,
    "pm": PaymentMethod,
    "re": Refund,
    "txn": BalanceTransaction,
}
"""By the prefix of the id."""
