"""What can be said of an attempt to take money: two wishes of ours, and all that a provider may tell."""

from typing import TypeAlias

from msgspec import Struct

from domain.money import Money
from domain.payment_states import Request


class RequestPayment(Request, frozen=True):
    pass


class AwaitPayment(Struct, frozen=True):
    """The provider has taken it up and cannot say yet how it ends."""

    reference: str


class RequireAction(Struct, frozen=True):
    """The buyer has to confirm at his bank. ``action``: what the client needs for that."""

    reference: str
    action: str


class AuthorizePayment(Struct, frozen=True):
    reference: str


class DeclinePayment(Struct, frozen=True):
    code: str
    message: str


class CapturePayment(Struct, frozen=True):
    reference: str


class VoidPayment(Struct, frozen=True):
    reason: str


class RequestRefund(Struct, frozen=True):
    """``amount``: how much shall go back; None for all that is left."""

    reason: str
    amount: Money | None = None


class AwaitRefund(Struct, frozen=True):
    reference: str


class RefundPayment(Struct, frozen=True):
    """``amount``: how much went back; None for all that was asked for."""

    reference: str
    amount: Money | None = None


class FailRefund(Struct, frozen=True):
    reference: str
    reason: str


class DisputePayment(Struct, frozen=True):
    reference: str
    reason: str


class CloseDispute(Struct, frozen=True):
    """``won``: the money stays with the seller; otherwise the bank has given it to the buyer."""

    reference: str
    won: bool


Command: TypeAlias = (
    RequestPayment
    | AwaitPayment
    | RequireAction
    | AuthorizePayment
    | DeclinePayment
    | CapturePayment
    | VoidPayment
    | RequestRefund
    | AwaitRefund
    | RefundPayment
    | FailRefund
    | DisputePayment
    | CloseDispute
)

# ── In the words of a refusal ─────────────────────────────────────────────────────────────────────

_DEEDS: dict[type, str] = {
    AwaitPayment: "wait for the provider",
    RequireAction: "wait for the buyer's bank",
    AuthorizePayment: "be authorised",
    DeclinePayment: "be declined",
    CapturePayment: "be captured",
    VoidPayment: "be voided",
    DisputePayment: "be disputed",
    CloseDispute: "have that dispute settled",
}


def deed(command: Command) -> str:
    """What a payment cannot do if it refuses ``command``."""
    return _DEEDS.get(type(command), "be refunded")
