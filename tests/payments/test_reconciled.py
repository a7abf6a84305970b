"""Purchases on the card simulator and on Stripe: what was injected is found, named, mended, and no more."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import stripe
from stripe.params import PaymentIntentCreateParams

from domain.payment import Captured, Disputed, Refunded, Voided
from projections.differences import Difference
from tests.payments.reconciled_shop import PRICE, ReconciledShop, reconciled_shop
from tests.stripe.running import RunningStripe

PURCHASES = int(os.environ.get("ADMITONE_TEST_PURCHASES", "0"))
"""How many purchases a clean run has; 0 for a few. `make reconcile` gives ten thousand."""


@pytest.fixture
async def shop(tmp_path: Path, double: RunningStripe) -> AsyncIterator[ReconciledShop]:
    told = {"stripe_secret_key": double.key, "stripe_url": double.url}
    async with reconciled_shop(tmp_path / "var", **told) as opened:
        yield opened


async def found(shop: ReconciledShop, folder: Path) -> Difference:
    (difference,) = (await shop.reconciled(folder)).differences
    return difference


async def intent_of(shop: ReconciledShop, name: str = "1") -> str:
    reference: str = (await shop.state(name)).reference  # type: ignore[union-attr]  # or the test fails
    return reference


async def another(double: RunningStripe, **more: Any) -> stripe.PaymentIntent:
    """An intent in our name that no purchase of ours has made."""
    told: dict[str, Any] = {
        "amount": PRICE.amount,
        "currency": PRICE.currency,
        "capture_method": "manual",
        "confirm": True,
        "payment_method": "pm_card_visa",
        "allowed_payment_method_types": ["card"],
        "metadata": {"order": "o1", "payment": "p1", "request": "test"},
        **more,
    }
    asked: PaymentIntentCreateParams = told  # type: ignore[assignment]  # a new name of a parameter
    return await double.client().v1.payment_intents.create_async(asked)


# ── Clean ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.timeout(120 + PURCHASES // 4)
async def test_a_clean_run_on_the_card_simulator_has_no_difference(tmp_path: Path) -> None:
    async with reconciled_shop(tmp_path / "var") as shop:
        await shop.many(PURCHASES or 500)
        report = await shop.reconciled(tmp_path)
    assert report.differences == ()
    assert report.payments == (PURCHASES or 500) * 9 // 10
    assert report.well


@pytest.mark.timeout(120 + PURCHASES // 4)
async def test_a_clean_run_on_stripe_has_no_difference(shop: ReconciledShop, tmp_path: Path) -> None:
    await shop.many(PURCHASES or 120)
    report = await shop.reconciled(tmp_path)
    assert report.differences == ()
    assert report.payments == (PURCHASES or 120) * 9 // 10
    assert report.lines == report.payments + (PURCHASES or 120) // 10
    assert report.well


# ── Injected, found, mended ───────────────────────────────────────────────────────────────────────


async def test_money_taken_twice_goes_back_once(
    shop: ReconciledShop, double: RunningStripe, tmp_path: Path
) -> None:
    await shop.bought("1")
    twice = await another(double, capture_method="automatic", metadata={"order": "o1", "payment": "p9"})
    difference = await found(shop, tmp_path)
    assert (difference.kind, difference.repair) == (
        "captured twice", f"admitone settle {twice.id} --give-back"
    )  # fmt: skip
    await admitone(shop, difference)
    await admitone(shop, difference)
    assert (await shop.reconciled(tmp_path)).well
    sums = (await double.control.orders())["o1"]
    assert (sums.captured, sums.refunded) == (2 * PRICE.amount, PRICE.amount)


async def test_what_is_set_aside_in_no_stream_is_let_go(
    shop: ReconciledShop, double: RunningStripe, tmp_path: Path
) -> None:
    await another(double, metadata={"order": "o9", "payment": "p9"})
    difference = await found(shop, tmp_path)
    assert (difference.kind, difference.stream) == ("in no stream", "payment-p9")
    await admitone(shop, difference)
    assert (await shop.reconciled(tmp_path)).well


async def test_an_attempt_under_a_fresh_key_that_was_left_open(
    shop: ReconciledShop, double: RunningStripe, tmp_path: Path
) -> None:
    await shop.bought("1")
    await another(double)
    difference = await found(shop, tmp_path)
    assert (difference.kind, difference.stream) == ("left open", "payment-p1")
    await admitone(shop, difference)
    assert (await shop.reconciled(tmp_path)).well


async def test_a_refund_at_stripes_own_desk(
    shop: ReconciledShop, double: RunningStripe, tmp_path: Path
) -> None:
    await shop.bought("1")
    await double.client().v1.refunds.create_async({"payment_intent": await intent_of(shop)})
    difference = await found(shop, tmp_path)
    assert (difference.kind, difference.stream) == ("refunded at the provider only", "payment-p1")
    await admitone(shop, difference)
    assert isinstance(await shop.state("1"), Refunded)
    assert (await shop.reconciled(tmp_path)).well


async def test_a_refund_that_failed_after_it_had_gone_through(
    shop: ReconciledShop, double: RunningStripe, tmp_path: Path
) -> None:
    await shop.bought("1")
    await shop.refunded("1")
    (refund,) = (await double.client().v1.refunds.list_async()).data
    await double.control.fail_refund(refund.id)
    difference = await found(shop, tmp_path)
    assert (difference.kind, difference.event) == ("refunded in the log only", "PaymentRefunded")
    await admitone(shop, difference)
    assert isinstance(await shop.state("1"), Refunded)
    assert (await shop.reconciled(tmp_path)).well
    assert (await double.control.orders())["o1"].refunded == PRICE.amount


async def test_a_dispute_that_nobody_told_us_of(
    shop: ReconciledShop, double: RunningStripe, tmp_path: Path
) -> None:
    await shop.bought("1")
    await double.control.open_dispute(await intent_of(shop))
    difference = await found(shop, tmp_path)
    assert (difference.kind, difference.stream) == ("dispute not heard of", "payment-p1")
    await admitone(shop, difference)
    assert isinstance(await shop.state("1"), Disputed)
    assert (await shop.reconciled(tmp_path)).well


async def test_an_authorisation_that_ended_at_stripe_while_its_owner_hesitated(
    shop: ReconciledShop, double: RunningStripe, tmp_path: Path
) -> None:
    await shop.bought("1", "tok_threeDSecure2Required")
    await double.client().v1.payment_intents.cancel_async(await intent_of(shop))
    difference = await found(shop, tmp_path)
    assert (difference.kind, difference.event) == ("not heard of", "PaymentActionRequired")
    await admitone(shop, difference)
    assert isinstance(await shop.state("1"), Voided)


async def test_money_taken_at_stripes_own_desk_for_a_ticket_that_was_not_sold(
    shop: ReconciledShop, double: RunningStripe, tmp_path: Path
) -> None:
    await shop.bought("1", "tok_threeDSecure2Required")
    intent = await intent_of(shop)
    await double.control.authenticate(intent)
    await double.client().v1.payment_intents.capture_async(intent)
    difference = await found(shop, tmp_path)
    assert (difference.kind, difference.stream) == ("captured, not sold", "payment-p1")
    await admitone(shop, difference)
    assert isinstance(await shop.state("1"), Captured)
    assert (await shop.reconciled(tmp_path)).well


async def test_a_log_that_is_older_than_the_provider_finds_what_it_lost(
    double: RunningStripe, tmp_path: Path
) -> None:
    told: dict[str, Any] = {"stripe_secret_key": double.key, "stripe_url": double.url}
    async with reconciled_shop(tmp_path / "var", **told) as shop:
        await shop.many(10)
    async with reconciled_shop(tmp_path / "restored", **told) as shop:
        report = await shop.reconciled(tmp_path)
        assert {difference.kind for difference in report.differences} == {"in no stream"}
        assert report.found == 7
        for difference in report.differences:
            await admitone(shop, difference)
        assert (await shop.reconciled(tmp_path)).well


async def test_a_payment_that_the_simulator_lost(tmp_path: Path) -> None:
    async with reconciled_shop(tmp_path / "var") as shop:
        await shop.bought("1")
    (tmp_path / "var" / "cards.sqlite").unlink()
    async with reconciled_shop(tmp_path / "var") as shop:
        difference = await found(shop, tmp_path)
        assert (difference.kind, difference.stream) == ("unknown to the provider", "payment-p1")


# ── How it is mended ──────────────────────────────────────────────────────────────────────────────


async def admitone(shop: ReconciledShop, difference: Difference) -> None:
    """Do as the repair says."""
    from deploy.commands.settle import settled

    words = difference.repair.split()
    assert words[:2] == ["admitone", "settle"]
    reason = "it was taken for nothing" if "--give-back" in words else None
    await settled(shop.settings, shop.parts, words[2], reason, "operator")


async def test_what_an_order_was_paid_by_does_not_go_back_by_mistake(shop: ReconciledShop) -> None:
    from deploy.commands.settle import settled
    from deploy.failing import Failed
    from domain.decider import Refused

    await shop.bought("1")
    with pytest.raises(Refused, match="refund the order"):
        await settled(shop.settings, shop.parts, "p1", "a mistake", "operator")
    with pytest.raises(Failed, match="the log goes by"):
        await settled(shop.settings, shop.parts, await intent_of(shop), "a mistake", "operator")
    with pytest.raises(Failed, match="neither the log nor the payment provider"):
        await settled(shop.settings, shop.parts, "pi_nobody", "a mistake", "operator")
    assert isinstance(await shop.state("1"), Captured)
