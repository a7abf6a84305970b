"""Money goes back by somebody's word, in part or whole, whatever the provider makes of it."""

from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

import pytest

from domain import order, payment, ticket
from domain.decider import Refused
from domain.money import Money
from domain.parking import Parked, parking
from gateways.payments import CardSimulator
from processmanager.marketplace import Paid
from processmanager.ports import (
    Answer,
    Attempt,
    Contested,
    IsCaptured,
    IsRefunded,
    PaymentsUnavailable,
    Returned,
)
from processmanager.pump import MOST_REFUNDS, RefundCameToNothing, StepFailed
from tests.processmanager.house import PRICE, House, cause
from tests.processmanager.tills import OpenTill

PART = Money(500, "usd")


@pytest.fixture
async def cards(tmp_path: Path) -> AsyncIterator[CardSimulator]:
    simulator = CardSimulator.open(tmp_path / "cards.sqlite")
    yield simulator
    await simulator.close()


async def bought(house: House, token: str = "tok_visa") -> Paid:
    await house.offer()
    await house.reserve()
    return await house.marketplace.pay("o1", "p1", "ann", token, cause("pay"))


async def refund(house: House, reason: str = "the show is off", amount: Money | None = None) -> Paid:
    return await house.marketplace.refund("o1", reason, cause("refund", "olga"), amount)


# ── By an operator's word ─────────────────────────────────────────────────────────────────────────


async def test_a_refund_gives_the_money_back_and_puts_the_ticket_on_sale_again(cards: CardSimulator) -> None:
    house = House(cards)
    await bought(house)
    paid = await refund(house)
    assert isinstance(paid.payment, payment.Refunded)
    assert paid.payment.reason == "the show is off"
    assert cards.balance("o1") == Money(0, "usd")
    assert isinstance((await house.marketplace.ticket("t1")).state, ticket.Available)
    asked = house.facts("payment-p1")[-2]
    assert (type(asked.event), asked.metadata.actor) == (payment.RefundRequested, "olga")


async def test_a_part_is_given_back_and_the_ticket_stays_with_its_buyer(cards: CardSimulator) -> None:
    house = House(cards)
    await bought(house)
    for _ in range(2):
        paid = await refund(house, "a bad view", PART)
        assert isinstance(paid.payment, payment.Captured)
        assert cards.balance("o1") == PRICE - PART
    assert isinstance((await house.marketplace.ticket("t1")).state, ticket.Sold)
    assert await house.look_after_what_is_due() == []
    await refund(house)
    assert cards.balance("o1") == Money(0, "usd")


async def test_only_what_was_paid_for_is_refunded(cards: CardSimulator) -> None:
    house = House(cards)
    with pytest.raises(Refused, match="no such order"):
        await refund(house)
    await house.offer()
    await house.reserve()
    with pytest.raises(Refused, match="No money is kept"):
        await refund(house)


async def test_a_refund_that_fails_is_made_again_until_it_goes_through(cards: CardSimulator) -> None:
    house = House(cards)
    await bought(house, "tok_refundFail")
    with pytest.raises(StepFailed) as failed:
        await refund(house)
    assert isinstance(failed.value.error, RefundCameToNothing)
    assert isinstance((await house.marketplace.ticket("t1")).state, ticket.Sold)
    assert await house.look_after_what_is_due() == ["o1"]
    assert cards.balance("o1") == Money(0, "usd")
    assert isinstance((await house.marketplace.ticket("t1")).state, ticket.Available)
    assert house.events("payment-p1")[-3:] == ["RefundRequested", "RefundFailed", "PaymentRefunded"]


# ── By the provider's ─────────────────────────────────────────────────────────────────────────────


class Provider(OpenTill):
    """Says yes to everything, and afterwards whatever it was told to say."""

    says: Answer | None = None
    silent = False

    async def capture(self, attempt: Attempt, key: str) -> Answer:
        if self.silent:
            raise PaymentsUnavailable("the answer was lost")
        return self.says or await super().capture(attempt, key)

    async def look(self, attempt: Attempt) -> Answer:
        return self.says or self._fail()

    async def refund(self, attempt: Attempt, key: str) -> Answer:
        self.did.append(key)
        return self.says or self._fail()


async def test_a_refund_at_the_providers_desk_while_the_captures_answer_was_lost_ends_the_purchase() -> None:
    till = Provider()
    till.silent = True
    house = House(till)
    with pytest.raises(StepFailed):
        await bought(house)
    till.silent, till.says = False, IsRefunded("re_desk", "pi_1")
    await house.marketplace.pay("o1", "p1", "ann", "tok_visa", cause("again"))
    assert house.events("payment-p1")[-2:] == ["PaymentCaptured", "PaymentRefunded"]
    house.clock.forward(3600)
    await house.look_after_what_is_due()
    assert isinstance((await house.marketplace.order("o1")).state, order.Cancelled)
    assert isinstance((await house.marketplace.ticket("t1")).state, ticket.Available)


async def test_a_refund_that_the_provider_works_on_is_asked_about_each_minute_and_made_once() -> None:
    till = Provider()
    house = House(till)
    await bought(house)
    till.says = IsCaptured("pi_1", (Returned("re_1", PRICE, "pending"),))
    await refund(house)
    for _ in range(3):
        assert await house.look_after_what_is_due() == ["o1"]
        assert await house.look_after_what_is_due() == []
        house.clock.forward(60)
    assert till.did[-1] == "p1:refund"
    assert till.did.count("p1:refund") == 1
    till.says = IsCaptured("pi_1", (Returned("re_1", PRICE, "done"),))
    await house.look_after_what_is_due()
    assert isinstance((await house.marketplace.ticket("t1")).state, ticket.Available)


class ClosedAccount(Provider):
    """Takes up every refund, says that it went back, and says later that the bank has returned it."""

    def __init__(self) -> None:
        super().__init__()
        self.refunds: list[str] = []

    async def refund(self, attempt: Attempt, key: str) -> Answer:
        self.refunds.append(key)
        return self._as_it_stands("done")

    async def look(self, attempt: Attempt) -> Answer:
        return self._as_it_stands("failed")

    def _as_it_stands(self, last: Literal["done", "failed"]) -> Answer:
        *before, newest = self.refunds
        failed = (Returned(each, PRICE, "failed", "closed") for each in before)
        return IsCaptured("pi_1", (*failed, Returned(newest, PRICE, last, "closed")))


async def test_a_refund_that_the_bank_returns_time_and_again_is_left_to_an_operator() -> None:
    till = ClosedAccount()
    house = House(till)
    await bought(house)
    await refund(house)
    for number in range(3 * MOST_REFUNDS):
        with suppress(StepFailed):
            await house.pump.hear_of("p1", cause(f"news {number}"))
    assert len(till.refunds) == MOST_REFUNDS
    for _ in range(10):
        house.clock.forward(100)
        await house.look_after_what_is_due()
    assert len(till.refunds) == MOST_REFUNDS
    parked = (await house.desk.load(parking, "o1")).state
    assert isinstance(parked, Parked)
    assert "6 refunds of payment p1 came to nothing" in parked.error
    assert isinstance((await house.marketplace.ticket("t1")).state, ticket.Available)


async def test_a_refund_that_fails_after_it_went_through_is_made_again_though_another_card_has_paid() -> None:
    """The first attempt was given back and counted as failed; its buyer is owed the money all the same."""
    till = Provider()
    till.says = IsRefunded("re_1", "pi_1")
    house = House(till)
    await bought(house)
    till.says = None
    house.clock.forward(1)
    await house.marketplace.pay("o1", "p2", "ann", "tok_visa", cause("pay again"))
    till.says = IsCaptured("pi_1", (Returned("re_1", PRICE, "failed", "closed"),))
    till_now = len(till.did)
    with pytest.raises(StepFailed):
        await _hear_then_lose_the_provider(house, till)
    till.says = IsCaptured(
        "pi_1", (Returned("re_1", PRICE, "failed", "closed"), Returned("re_2", PRICE, "done"))
    )
    house.clock.forward(10)
    await house.look_after_what_is_due()
    assert "p1:refund:1" in till.did[till_now:]
    assert house.events("payment-p1")[-2:] == ["RefundFailed", "PaymentRefunded"]
    assert isinstance((await house.marketplace.order("o1")).state, order.Completed)


async def _hear_then_lose_the_provider(house: House, till: Provider) -> None:
    async def away(attempt: Attempt, key: str) -> Answer:
        raise PaymentsUnavailable("away")

    kept, till.refund = till.refund, away  # type: ignore[method-assign]  # an instance's own behaviour
    try:
        await house.pump.hear_of("p1", cause("hint"))
    finally:
        till.refund = kept  # type: ignore[method-assign]  # as it was


# ── Disputes ──────────────────────────────────────────────────────────────────────────────────────


def contested(standing: str) -> IsCaptured:
    return IsCaptured("pi_1", (), (Contested("dp_1", "fraudulent", standing),))  # type: ignore[arg-type]


async def test_a_dispute_is_heard_of_and_when_it_is_won_all_is_as_before() -> None:
    till = Provider()
    house = House(till)
    await bought(house)
    for standing in ("open", "open", "won", "won"):
        till.says = contested(standing)
        await house.pump.hear_of("p1", cause(f"hint {standing}"))
    assert house.events("payment-p1")[-2:] == ["PaymentDisputed", "DisputeWon"]
    assert isinstance((await house.marketplace.ticket("t1")).state, ticket.Sold)


async def test_a_dispute_that_is_lost_takes_the_money_and_the_ticket_goes_back_on_sale() -> None:
    till = Provider()
    house = House(till)
    await bought(house)
    till.says = contested("lost")
    await house.pump.hear_of("p1", cause("hint"))
    assert house.events("payment-p1")[-2:] == ["PaymentDisputed", "DisputeLost"]
    assert isinstance((await house.marketplace.ticket("t1")).state, ticket.Available)


async def test_disputed_money_is_not_refunded_by_an_operator() -> None:
    till = Provider()
    house = House(till)
    await bought(house)
    till.says = contested("open")
    await house.pump.hear_of("p1", cause("hint"))
    with pytest.raises(Refused, match="disputed"):
        await refund(house)


async def test_a_ticket_whose_money_is_in_question_is_frozen_until_the_bank_has_decided() -> None:
    """Neither given back nor sold again nor changed, by whomever and however long."""
    till = Provider()
    house = House(till)
    await bought(house)
    till.says = contested("open")
    await house.pump.hear_of("p1", cause("hint"))
    for _ in range(3):
        with pytest.raises(Refused):
            await refund(house)
        with pytest.raises(Refused):
            await house.marketplace.reserve("o2", "t1", "bob", cause("reserve o2"))
        with pytest.raises(Refused):
            await house.marketplace.delist_ticket("t1", "sue", cause("delist"))
        house.clock.forward(86_400)
        await house.look_after_what_is_due()
        assert house.events("ticket-t1") == ["TicketListed", "TicketReserved", "TicketSold"]


async def test_a_sale_whose_money_came_into_question_before_we_heard_of_it_is_complete() -> None:
    till = Provider()
    till.silent = True
    house = House(till)
    with pytest.raises(StepFailed):
        await bought(house)
    till.says = contested("open")
    await house.pump.hear_of("p1", cause("hint"))
    assert isinstance((await house.marketplace.order("o1")).state, order.Completed)
    assert isinstance((await house.marketplace.ticket("t1")).state, ticket.Sold)


async def test_a_hint_about_an_attempt_that_is_not_ours_leads_to_nothing(cards: CardSimulator) -> None:
    house = House(cards)
    assert await house.pump.hear_of("p9", cause("hint")) is None
    assert house.events("payment-p9") == []


# ── A buyer who changes his mind at his bank ──────────────────────────────────────────────────────


async def test_a_buyer_who_is_asked_by_his_bank_may_cancel_instead(cards: CardSimulator) -> None:
    house = House(cards)
    await bought(house, "tok_threeDSecure2Required")
    done = await house.marketplace.cancel("o1", "ann", cause("cancel"))
    assert isinstance(done.state, order.Cancelled)
    assert house.events("payment-p1")[-1] == "PaymentVoided"
    assert isinstance((await house.marketplace.ticket("t1")).state, ticket.Available)
    await cards.confirm("p1", ok=True)
    assert cards.balance("o1") is None


async def test_a_buyer_who_had_confirmed_before_he_cancelled_has_bought(cards: CardSimulator) -> None:
    """The provider decides the race: what it has authorised by then is void, or the sale stands."""
    house = House(cards)
    await bought(house, "tok_threeDSecure2Required")
    await cards.confirm("p1", ok=True)
    await house.pump.hear_of("p1", cause("hint"))
    with pytest.raises(Refused, match="paid for"):
        await house.marketplace.cancel("o1", "ann", cause("cancel"))
    assert cards.balance("o1") == PRICE
