"""Whatever Stripe or the line to it does, a step is done once, and no money is lost sight of."""

import pytest
from msgspec.structs import replace

from domain.money import Money
from gateways.clock import SystemClock
from gateways.stripe_api import StripeAccess, Unclear
from gateways.stripe_payments import StripePayments
from processmanager.ports import (
    Contested,
    IsAuthorized,
    IsCaptured,
    IsDeclined,
    IsVoided,
    Returned,
)
from tests.payments.attempts import PRICE
from tests.payments.stripe_attempts import attempt, authorized, captured, key
from tests.stripe.faults import Action, Fault
from tests.stripe.running import RunningStripe

# ── Trouble on the way ────────────────────────────────────────────────────────────────────────────

CUT: list[Action] = ["lose_request", "lose_reply"]


@pytest.mark.parametrize("action", CUT)
@pytest.mark.parametrize("verb", ["create", "capture", "cancel"])
async def test_an_answer_that_got_lost_is_found_again_under_the_same_key(
    double: RunningStripe, provider: StripePayments, verb: str, action: Action
) -> None:
    asked = attempt() if verb == "create" else await authorized(provider, attempt())
    step = {"create": "authorize", "capture": "capture", "cancel": "void"}[verb]
    await double.control.fault(Fault(operation=f"payment_intents.{verb}", action=action))
    with pytest.raises(Unclear):
        await getattr(provider, step)(asked, key(step))
    answers: dict[str, type] = {"create": IsAuthorized, "capture": IsCaptured, "cancel": IsVoided}
    assert type(await getattr(provider, step)(asked, key(step))) is answers[verb]
    sums = (await double.control.orders())["o1"]
    assert sums.authorized == 1999


@pytest.mark.parametrize("done", [True, False])
async def test_a_500_that_is_given_again_for_ever_does_not_hide_what_was_done(
    double: RunningStripe, provider: StripePayments, done: bool
) -> None:
    fault = Fault(operation="payment_intents.create", action="error", status=500, done=done)
    await double.control.fault(fault)
    with pytest.raises(Unclear):
        await provider.authorize(attempt(), key("authorize"))
    answer = await provider.authorize(attempt(), key("authorize"))
    assert isinstance(answer, IsAuthorized if done else IsDeclined)
    assert await provider.void(attempt(), key("void")) == IsVoided()


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize(("verb", "step"), [("capture", "capture"), ("cancel", "void")])
async def test_a_step_that_ended_in_a_500_is_done_all_the_same_and_once(
    double: RunningStripe, provider: StripePayments, verb: str, step: str, done: bool
) -> None:
    held = await authorized(provider, attempt())
    await double.control.fault(
        Fault(operation=f"payment_intents.{verb}", action="error", status=500, done=done)
    )
    with pytest.raises(Unclear):
        await getattr(provider, step)(held, key(step))
    answer = await getattr(provider, step)(held, key(step))
    assert isinstance(answer, IsCaptured if step == "capture" else IsVoided)
    sums = (await double.control.orders())["o1"]
    assert (sums.captured, sums.open) == ((1999, 0) if step == "capture" else (0, 0))


@pytest.mark.parametrize("status", [409, 429])
async def test_a_call_that_stripe_puts_off_is_made_again_under_the_same_key(
    double: RunningStripe, provider: StripePayments, status: int
) -> None:
    await double.control.fault(Fault(operation="payment_intents.create", action="error", status=status))
    with pytest.raises(Unclear):
        await provider.authorize(attempt(), key("authorize"))
    assert isinstance(await provider.authorize(attempt(), key("authorize")), IsAuthorized)


async def test_every_call_ends_within_its_time(double: RunningStripe) -> None:
    provider = StripePayments(StripeAccess(double.key, url=double.url, timeout=0.3), SystemClock())
    await double.control.fault(Fault(action="slow", seconds=2.0))
    with pytest.raises(Unclear, match=r"0\.3 s"):
        await provider.authorize(attempt(), key("authorize"))
    await provider.close()


async def test_a_key_that_stripe_does_not_take_is_said_in_one_line_and_not_shown(
    double: RunningStripe, caplog: pytest.LogCaptureFixture
) -> None:
    provider = StripePayments(StripeAccess("sk_test_somebody_else", url=double.url), SystemClock())
    with pytest.raises(Unclear, match="does not take the secret key"):
        await provider.authorize(attempt(), key("authorize"))
    await provider.close()
    assert "ADMITONE_STRIPE_SECRET_KEY" in caplog.text
    assert "somebody_else" not in caplog.text


# ── Money back ────────────────────────────────────────────────────────────────────────────────────


async def test_money_goes_back_whole_or_in_part_and_once_for_each_key(
    double: RunningStripe, provider: StripePayments
) -> None:
    held = await captured(provider, attempt())
    part = replace(held, back=Money(500, "usd"))
    for _ in range(2):
        answer = await provider.refund(part, "p1:refund")
        assert isinstance(answer, IsCaptured)
        assert [(each.amount, each.standing) for each in answer.returned] == [(Money(500, "usd"), "done")]
    answer = await provider.refund(held, "p1:refund:1")
    assert isinstance(answer, IsCaptured)
    assert [each.amount.amount for each in answer.returned] == [500, 1499]
    assert (await double.control.orders())["o1"].refunded == 1999


@pytest.mark.parametrize("action", CUT)
async def test_a_refund_whose_answer_got_lost_is_made_once(
    double: RunningStripe, provider: StripePayments, action: Action
) -> None:
    held = replace(await captured(provider, attempt()), back=Money(500, "usd"))
    await double.control.fault(Fault(operation="refunds.create", action=action))
    with pytest.raises(Unclear):
        await provider.refund(held, "p1:refund")
    await provider.refund(held, "p1:refund")
    assert (await double.control.orders())["o1"].refunded == 500


@pytest.mark.parametrize("done", [True, False])
async def test_a_refund_that_ended_in_a_500_is_made_once(
    double: RunningStripe, provider: StripePayments, done: bool
) -> None:
    held = replace(await captured(provider, attempt()), back=Money(500, "usd"))
    await double.control.fault(Fault(operation="refunds.create", action="error", status=500, done=done))
    with pytest.raises(Unclear):
        await provider.refund(held, "p1:refund")
    for _ in range(2):
        await provider.refund(held, "p1:refund")
    assert (await double.control.orders())["o1"].refunded == 500


async def test_a_part_is_not_given_back_again_when_its_key_is_forgotten(
    double: RunningStripe, provider: StripePayments
) -> None:
    held = replace(await captured(provider, attempt()), back=Money(500, "usd"))
    await provider.refund(held, "p1:refund")
    await double.control.move_clock(2 * 86400)
    await provider.refund(held, "p1:refund")
    assert (await double.control.orders())["o1"].refunded == 500


async def test_a_refund_is_pending_then_done_or_failed(
    double: RunningStripe, provider: StripePayments
) -> None:
    held = await captured(provider, attempt(token="pm_card_pendingRefund"))
    answer = await provider.refund(held, "p1:refund")
    assert isinstance(answer, IsCaptured)
    [refund] = answer.returned
    assert refund.standing == "pending"
    await double.control.fail_refund(refund.reference)
    assert await provider.look(held) == IsCaptured(
        held.reference or "", (Returned(refund.reference, PRICE, "failed", "expired_or_canceled_card"),)
    )


async def test_more_than_is_left_is_refused_and_says_why(
    double: RunningStripe, provider: StripePayments
) -> None:
    held = await captured(provider, attempt())
    with pytest.raises(Unclear, match="greater than unrefunded"):
        await provider.refund(replace(held, back=Money(9999, "usd")), "p1:refund")
    assert (await double.control.orders())["o1"].refunded == 0


# ── Disputes ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("how", ["won", "lost"])
async def test_a_dispute_is_open_and_then_won_or_lost(
    double: RunningStripe, provider: StripePayments, how: str
) -> None:
    held = await captured(provider, attempt())
    dispute = await double.control.open_dispute(held.reference or "")
    answer = await provider.look(held)
    assert isinstance(answer, IsCaptured)
    assert answer.contested == (Contested(dispute.id, "fraudulent", "open"),)
    await double.control.close_dispute(dispute.id, how)
    answer = await provider.look(held)
    assert isinstance(answer, IsCaptured)
    assert [each.standing for each in answer.contested] == [how]


async def test_an_inquiry_takes_nothing_and_is_no_dispute(
    double: RunningStripe, provider: StripePayments
) -> None:
    held = await captured(provider, attempt())
    await double.control.open_dispute(held.reference or "", inquiry=True)
    assert await provider.look(held) == IsCaptured(held.reference or "")
