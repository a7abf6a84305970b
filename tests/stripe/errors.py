"""Errors in Stripe's shape. https://docs.stripe.com/api/errors and https://docs.stripe.com/error-codes"""

from typing import Any, Literal

from msgspec import Struct

ErrorType = Literal["api_error", "card_error", "idempotency_error", "invalid_request_error"]


class Problem(Struct, omit_defaults=True):
    """The ``error`` object of an answer. ``payment_intent`` and ``payment_method``: the objects in full."""

    type: ErrorType
    message: str
    code: str | None = None
    decline_code: str | None = None
    param: str | None = None
    charge: str | None = None
    doc_url: str | None = None
    payment_intent: Any = None
    payment_method: Any = None
    advice_code: str | None = None
    network_decline_code: str | None = None
    request_log_url: str | None = None


class StripeError(Exception):
    """An answer that is an error.

    kept: whether an idempotency key remembers it. What fails before an endpoint begins to execute is
    not kept (https://docs.stripe.com/api/idempotent_requests).
    """

    def __init__(
        self, status: int, problem: Problem, *, kept: bool = True, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(problem.message)
        self.status = status
        self.problem = problem
        self.kept = kept
        self.headers = headers or {}
        if problem.code and not problem.doc_url:
            problem.doc_url = f"https://stripe.com/docs/error-codes/{problem.code.replace('_', '-')}"


def refused(
    message: str,
    *,
    code: str | None = None,
    param: str | None = None,
    status: int = 400,
    kept: bool = True,
    payment_intent: Any = None,
) -> StripeError:
    """An ``invalid_request_error``."""
    problem = Problem("invalid_request_error", message, code=code, param=param, payment_intent=payment_intent)
    return StripeError(status, problem, kept=kept)


def invalid(message: str, *, code: str | None = None, param: str | None = None) -> StripeError:
    """A request that failed validation: its endpoint never began, so no key remembers it."""
    return refused(message, code=code, param=param, kept=False)


def missing(what: str, given: str, *, param: str = "id", status: int = 404) -> StripeError:
    """No such object. 404 where the path names it, 400 where a parameter does."""
    return refused(f"No such {what}: '{given}'", code="resource_missing", param=param, status=status)
