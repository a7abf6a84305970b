"""Stripe's books behind the ``ProviderBooks`` port: intents, refunds and disputes, page by page."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import stripe

from gateways.stripe_api import StripeApi
from gateways.stripe_money import from_stripe
from gateways.stripe_reading import noted, read_disputes, read_refunds
from processmanager.ports import PaymentsUnavailable
from projections.provider_books import BooksUnavailable, GivenBack, Held, Line, Questioned

_STANDINGS = {"requires_capture": "authorized", "succeeded": "taken", "canceled": "over"}


class StripeBooks:
    """Satisfies ``ProviderBooks``. Belongs to the event loop that it is used on."""

    def __init__(self, api: StripeApi) -> None:
        self._api = api

    async def close(self) -> None:
        await self._api.close()

    async def find(self, reference: str) -> Held | None:
        try:
            return _read_intent(await self._api.retrieve(reference))
        except PaymentsUnavailable as trouble:
            raise BooksUnavailable(str(trouble)) from None
        except stripe.InvalidRequestError:
            return None

    async def pages(
        self, since: datetime | None, until: datetime, most: int
    ) -> AsyncIterator[Sequence[Line]]:
        """As the port has it. Refunds and disputes come of attempts that were made before ``since`` too."""
        made = {"lte": int(until.timestamp())}
        if since is not None:
            made["gte"] = int(since.timestamp())
        readers: dict[str, Callable[[Iterable[Any]], Sequence[Line]]] = {
            "payment_intents": _read_intents,
            "refunds": _read_refunds,
            "disputes": _read_disputes,
        }
        try:
            for kind, read in readers.items():
                async for page in self._api.pages(kind, made, most):
                    yield read(page)
        except PaymentsUnavailable as trouble:
            raise BooksUnavailable(str(trouble)) from None
        except stripe.StripeError as refused:
            raise BooksUnavailable(f"Stripe refuses its books: {refused.user_message}") from None


def _read_intents(intents: Iterable[stripe.PaymentIntent]) -> list[Line]:
    return [_read_intent(intent) for intent in intents]


def _read_intent(intent: stripe.PaymentIntent) -> Held:
    standing = _STANDINGS.get(intent.status, "open")
    return Held(
        intent.id,
        noted(intent, "payment") or "",
        noted(intent, "order") or "",
        from_stripe(intent.amount, intent.currency),
        standing,  # type: ignore[arg-type]  # one of the four, by the table above
        from_stripe(intent.amount_received, intent.currency) if standing == "taken" else None,
        _moment(intent.created),
    )


def _read_refunds(refunds: Iterable[stripe.Refund]) -> list[Line]:
    refunds = list(refunds)
    return [
        GivenBack(told.reference, _of(refund), told.amount, told.standing, _moment(refund.created))
        for refund, told in zip(refunds, read_refunds(refunds), strict=True)
    ]


def _read_disputes(disputes: Iterable[stripe.Dispute]) -> list[Line]:
    return [
        Questioned(told.reference, _of(dispute), told.standing, _moment(dispute.created))
        for dispute in disputes
        for told in read_disputes([dispute])
    ]


def _of(thing: stripe.Refund | stripe.Dispute) -> str:
    """The intent that it is about; none for a charge that was made without one, which is not ours."""
    intent = thing.payment_intent
    return intent if isinstance(intent, str) else intent.id if intent is not None else ""


def _moment(created: int) -> datetime:
    return datetime.fromtimestamp(created, UTC)
