"""Stripe's books behind the ``ProviderBooks`` port: intents, refunds and disputes, page by page."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

import stripe

from gateways.stripe_api import StripeApi
from gateways.stripe_money import from_stripe
from gateways.stripe_reading import read_disputes, read_refunds
from gateways.stripe_shapes import Dispute, Intent, Refund, named, noted
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
        try:
            async for intents in self._api.all_intents(made, most):
                yield [_read_intent(each) for each in intents]
            async for refunds in self._api.all_refunds(made, most):
                yield _read_refunds(refunds)
            async for disputes in self._api.all_disputes(made, most):
                yield _read_disputes(disputes)
        except PaymentsUnavailable as trouble:
            raise BooksUnavailable(str(trouble)) from None
        except stripe.StripeError as refused:
            raise BooksUnavailable(f"Stripe refuses its books: {refused.user_message}") from None


def _read_intent(intent: Intent) -> Held:
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


def _read_refunds(refunds: list[Refund]) -> list[Line]:
    return [
        GivenBack(
            told.reference,
            named(refund.payment_intent) or "",
            told.amount,
            told.standing,
            _moment(refund.created),
        )
        for refund, told in zip(refunds, read_refunds(refunds), strict=True)
    ]


def _read_disputes(disputes: list[Dispute]) -> list[Line]:
    return [
        Questioned(
            told.reference, named(dispute.payment_intent) or "", told.standing, _moment(dispute.created)
        )
        for dispute in disputes
        for told in read_disputes([dispute])
    ]


def _moment(created: int) -> datetime:
    return datetime.fromtimestamp(created, UTC)
