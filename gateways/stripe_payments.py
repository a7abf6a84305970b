"""Stripe behind the ``Payments`` port: one PaymentIntent for each attempt, captured by hand.

Why a repeat is safe, whatever happened before it:

- Each step has one idempotency key, derived from the attempt. Stripe keeps what it first answered for 24
  hours, so a repeat after a lost answer is the same call. Later than that an attempt is only looked up.
- A 500 is kept too, and given again. It says nothing, so what is there is looked up; a capture or a
  cancellation that was not done is then asked for under another key, which Stripe refuses if it was done.
- 409 (the first call under the key is still at work) and 429 are kept under no key: the same call later.
- A declined intent could still be paid with another card. It is cancelled before IsDeclined is answered.
- Voiding what Stripe never saw makes an intent under the very key of the authorisation, and cancels it. An
  authorisation that is still on its way finds its key spent and takes no money.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Any, TypeVar

import stripe

from gateways.stripe_api import StripeAccess, StripeApi, Unclear
from gateways.stripe_money import NotPayable, from_stripe, to_stripe
from gateways.stripe_reading import (
    STILL_WANTING,
    intent_of,
    read_disputes,
    read_intent,
    read_refunds,
    read_refusal,
)
from gateways.stripe_shapes import Charge, Intent, named, noted
from processmanager.hints import Hint
from processmanager.ports import (
    Answer,
    Attempt,
    Clock,
    Confirmation,
    IsCaptured,
    IsDeclined,
    IsUnknown,
    IsVoided,
    KeyReused,
    step_key,
)

T = TypeVar("T")

KEYS_LIVE = timedelta(hours=23)
"""How long an authorisation may be repeated under its key; Stripe promises a day."""
SKEW = timedelta(minutes=5)
"""How far Stripe's clock and ours may differ, when an intent is looked for by its time."""
TRIES = 3
"""How many keys a step is tried under that may be done twice without harm."""
OTHER_TYPES_SINCE = "2026-09-30"
"""From this API version on ``payment_method_types`` goes by another name."""
AT_REST = (
    *("refund.created", "refund.updated", "refund.failed", "charge.refunded", "charge.refund.updated"),
    *("charge.dispute.created", "charge.dispute.updated", "charge.dispute.closed"),
)
"""The events of an attempt whose money was taken."""
FAILED = IsDeclined("processing_error", "The payment could not be processed. Try it again.")
"""Stripe broke off the first call under the key, and nothing of it is there."""


class StripePayments:
    """Satisfies ``processmanager.ports.Payments``. Belongs to the event loop that it is used on."""

    def __init__(self, access: StripeAccess, clock: Clock) -> None:
        self._api = StripeApi(access)
        self._access = access
        self._clock = clock

    async def close(self) -> None:
        await self._api.close()

    # ── The port ──────────────────────────────────────────────────────────────────────────────────

    async def authorize(self, attempt: Attempt, key: str) -> Answer:
        return await self._in_time(self._authorize(attempt, key))

    async def look(self, attempt: Attempt) -> Answer:
        return await self._in_time(self._look(attempt))

    async def capture(self, attempt: Attempt, key: str) -> Answer:
        return await self._in_time(self._capture(attempt, key))

    async def void(self, attempt: Attempt, key: str) -> Answer:
        return await self._in_time(self._void(attempt, key))

    async def refund(self, attempt: Attempt, key: str) -> Answer:
        return await self._in_time(self._refund(attempt, key))

    async def confirmation(self, attempt: Attempt) -> Confirmation | None:
        return await self._in_time(self._confirmation(attempt))

    # ── What can happen to an attempt that is at rest ─────────────────────────────────────────────

    async def payment_of(self, reference: str) -> str | None:
        """As ``processmanager.hints.News``."""
        try:
            return noted(await self._in_time(self._api.retrieve(reference)), "payment")
        except stripe.InvalidRequestError:
            return None

    async def returning(self, reference: str, secret: str) -> str | None:
        """As ``processmanager.hints.News``."""
        try:
            intent = await self._in_time(self._api.retrieve(reference))
        except stripe.InvalidRequestError:
            return None
        own = compare_digest((intent.client_secret or "").encode(), secret.encode())
        return noted(intent, "payment") if own and secret else None

    async def news(self, since: datetime) -> Sequence[Hint]:
        """As ``processmanager.hints.News``: refunds and disputes. What is not at rest is looked at anyway."""
        events = await self._api.events(list(AT_REST), int(since.timestamp()))
        told = ((event.id, named(event.data.object.payment_intent)) for event in events)
        return [Hint(name, intent) for name, intent in told if intent is not None]

    async def _in_time(self, asked: Awaitable[T]) -> T:
        """A step may take several calls; all of them together take no longer than one may."""
        try:
            async with asyncio.timeout(self._access.timeout):
                return await asked
        except TimeoutError:
            raise Unclear(f"Stripe took longer than {self._access.timeout:g} s") from None

    # ── Steps ─────────────────────────────────────────────────────────────────────────────────────

    async def _authorize(self, attempt: Attempt, key: str) -> Answer:
        if attempt.reference is not None:
            return await self._look(attempt)
        if self._keys_are_over(attempt):
            return await self._found_or(attempt, None)
        try:
            asked = self._request(attempt) | self._method(attempt) | {"confirm": True}
            intent = await self._api.create(asked, key)
        except NotPayable as why:
            return IsDeclined("amount_invalid", str(why))
        except (stripe.CardError, stripe.InvalidRequestError) as refusal:
            return await self._refused(attempt, refusal)
        except KeyReused as reused:
            # The attempt was voided before this call arrived, or somebody confuses attempts.
            return await self._found_or(attempt, reused)
        except Unclear as unclear:
            if not unclear.replayed:
                raise
            return await self._found_or(attempt, FAILED)
        return await self._told(attempt, intent)

    async def _look(self, attempt: Attempt) -> Answer:
        if attempt.reference is not None:
            return await self._told(attempt, await self._api.retrieve(attempt.reference))
        return await self._found_or(attempt, IsUnknown())

    async def _capture(self, attempt: Attempt, key: str) -> Answer:
        if attempt.reference is None:
            return await self._look(attempt)
        intent = attempt.reference
        try:
            taken = await self._under_fresh_keys(lambda fresh: self._api.capture(intent, fresh), key)
        except (stripe.CardError, stripe.InvalidRequestError):
            return await self._look(attempt)
        self._check(attempt, taken)
        return read_intent(taken)

    async def _void(self, attempt: Attempt, key: str) -> Answer:
        intent = attempt.reference or await self._found_or_marked(attempt)
        if intent is None:
            return IsVoided()
        try:
            ended = await self._under_fresh_keys(lambda fresh: self._api.cancel(intent, fresh), key)
        except stripe.InvalidRequestError:
            ended = await self._api.retrieve(intent)
        return await self._told(attempt, ended)

    async def _refund(self, attempt: Attempt, key: str) -> Answer:
        if attempt.reference is None:
            return await self._look(attempt)
        if not await self._was_refunded(attempt.reference, key):
            try:
                await self._give_back(attempt, attempt.reference, key)
            except stripe.InvalidRequestError as refusal:
                answer = await self._look(attempt)
                if _nothing_became_of_it(answer):
                    raise Unclear(f"Stripe refuses the refund: {refusal.user_message}") from None
                return answer
        return await self._look(attempt)

    async def _give_back(self, attempt: Attempt, intent: str, key: str) -> None:
        asked: dict[str, Any] = {
            "payment_intent": intent,
            "reason": "requested_by_customer",
            "metadata": self._metadata(attempt) | {"refund": key},
        }
        if attempt.back is not None:
            asked["amount"] = to_stripe(attempt.back)
        try:
            await self._api.refund(asked, key)
        except Unclear as unclear:
            if not unclear.replayed:
                raise
            if not await self._was_refunded(intent, key):
                await self._api.refund(asked, f"{key}:again")

    async def _was_refunded(self, intent: str, key: str) -> bool:
        """Whether the refund was made before; its key may have been forgotten since."""
        return any(noted(each, "refund") == key for each in await self._api.refunds(intent))

    async def _confirmation(self, attempt: Attempt) -> Confirmation | None:
        if attempt.reference is None:
            return None
        intent = await self._api.retrieve(attempt.reference)
        if intent.status != "requires_action" or intent.next_action is None:
            return None
        redirect = intent.next_action.redirect_to_url
        return Confirmation(intent.client_secret, redirect.url if redirect is not None else None)

    # ── What is there ─────────────────────────────────────────────────────────────────────────────

    async def _told(self, attempt: Attempt, intent: Intent) -> Answer:
        """What an intent says; one that wants another card is cancelled first."""
        self._check(attempt, intent)
        if intent.status in STILL_WANTING:
            intent = await self._ended(attempt, intent)
        if intent.status != "succeeded":
            return read_intent(intent)
        returned = read_refunds(await self._api.refunds(intent.id))
        charge = intent.latest_charge
        disputed = not isinstance(charge, Charge) or charge.disputed
        contested = read_disputes(await self._api.disputes(intent.id)) if disputed else ()
        return read_intent(intent, returned, contested)

    async def _ended(self, attempt: Attempt, intent: Intent) -> Intent:
        key = step_key(attempt.id, "void")
        try:
            return await self._under_fresh_keys(lambda fresh: self._api.cancel(intent.id, fresh), key)
        except stripe.InvalidRequestError:
            found = await self._api.retrieve(intent.id)
            if found.status in STILL_WANTING:
                raise Unclear(f"{intent.id} can neither be used nor cancelled") from None
            return found

    async def _refused(
        self, attempt: Attempt, refusal: stripe.CardError | stripe.InvalidRequestError
    ) -> Answer:
        declined = read_refusal(refusal)
        if declined is None:
            raise Unclear(f"Stripe refuses the request: {refusal.user_message}")
        left = intent_of(refusal)
        if left is None:
            return declined
        answer = await self._told(attempt, await self._api.retrieve(left))
        return declined if isinstance(answer, IsVoided) else answer

    async def _found_or(self, attempt: Attempt, otherwise: Answer | KeyReused | None) -> Answer:
        """What the intent of an attempt says, whose name we were never told; ``otherwise`` if it has none."""
        found = await self._find(attempt)
        if found is not None:
            return await self._told(attempt, found)
        if otherwise is None:
            raise Unclear(f"attempt {attempt.id} is too old to be asked for anew")
        if isinstance(otherwise, KeyReused):
            raise otherwise
        return otherwise

    async def _found_or_marked(self, attempt: Attempt) -> str | None:
        """The attempt's intent, made if there was none, under the key of its authorisation."""
        if not self._keys_are_over(attempt):
            try:
                mark = self._request(attempt, voided="before it arrived")
                return (await self._api.create(mark, step_key(attempt.id, "authorize"))).id
            except KeyReused:
                pass  # it has arrived
            except NotPayable:
                return None  # it was never sent
        found = await self._find(attempt)
        return None if found is None else found.id

    async def _find(self, attempt: Attempt) -> Intent | None:
        """By its metadata: at once, where Stripe's index knows it already, or among all of its time."""
        found = await self._api.search("payment", attempt.id)
        if not found and attempt.at is not None:
            first, last = attempt.at - SKEW, attempt.at + KEYS_LIVE + SKEW
            made = await self._api.made_between(int(first.timestamp()), int(last.timestamp()))
            found = [each for each in made if noted(each, "payment") == attempt.id]
        return await self._api.retrieve(found[0].id) if found else None

    # ── Words for it ──────────────────────────────────────────────────────────────────────────────

    async def _under_fresh_keys(self, call: Callable[[str], Awaitable[Intent]], key: str) -> Intent:
        """A step that Stripe refuses if it was done before, so that a kept 500 is no end of it."""
        for number in range(1, TRIES):
            try:
                return await call(key if number == 1 else f"{key}:{number}")
            except Unclear as unclear:
                if not unclear.replayed:
                    raise
        return await call(f"{key}:{TRIES}")

    def _request(self, attempt: Attempt, **more: str) -> dict[str, Any]:
        name = "allowed_payment_method_types" if self._access.version >= OTHER_TYPES_SINCE else (
            "payment_method_types"
        )  # fmt: skip
        return {
            "amount": to_stripe(attempt.amount),
            "currency": attempt.amount.currency,
            "capture_method": "manual",
            "description": f"Admit One order {attempt.order}",
            "metadata": self._metadata(attempt) | more,
            name: ["card"],
        }

    def _method(self, attempt: Attempt) -> dict[str, Any]:
        """A token, as classic clients have it, or the id of a PaymentMethod; and how its owner confirms."""
        confirming: dict[str, Any] = (
            {"return_url": self._access.return_url} if self._access.return_url else {"use_stripe_sdk": True}
        )
        if attempt.method.startswith("tok_"):
            return confirming | {
                "payment_method_data": {"type": "card", "card": {"token": attempt.method}},
            }
        return confirming | {"payment_method": attempt.method}

    def _metadata(self, attempt: Attempt) -> dict[str, str]:
        return {"order": attempt.order, "payment": attempt.id, "request": attempt.request}

    def _keys_are_over(self, attempt: Attempt) -> bool:
        at: datetime | None = attempt.at
        return at is not None and self._clock.now() - at > KEYS_LIVE

    def _check(self, attempt: Attempt, intent: Intent) -> None:
        """Raises KeyReused if the intent is not about this money."""
        if from_stripe(intent.amount, intent.currency) != attempt.amount:
            raise KeyReused(f"{intent.id} is not about {attempt.amount}, as payment {attempt.id} is")


def _nothing_became_of_it(answer: Answer) -> bool:
    """Whether an answer to a refund tells neither of one that is under way nor of a dispute."""
    if not isinstance(answer, IsCaptured):
        return False
    going = any(each.standing != "failed" for each in answer.returned)
    return not going and not answer.contested
