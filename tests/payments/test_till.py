"""The till: payments are taken where the provider is asked, and told where the buyer is."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import order, payment
from gateways import till_counter
from gateways.till import TRIES, DistantNames, DistantPump, Till
from gateways.till_words import (
    LONGEST,
    Asked,
    Confirm,
    Frames,
    NotAMessage,
    PaymentOf,
    PumpOrder,
    Returning,
    Told,
    Trouble,
    framed,
)
from processmanager.ports import KeyReused, PaymentsUnavailable
from processmanager.pump import StepFailed
from tests.payments.till_shop import CAUSE, TillShop, till_shop
from tests.stripe.faults import Action, Fault
from tests.stripe.running import RunningStripe


@pytest.fixture
async def shop(tmp_path: Path, double: RunningStripe) -> AsyncIterator[TillShop]:
    async with till_shop(tmp_path / "data", double) as opened:
        yield opened


# ── What a buyer hears ────────────────────────────────────────────────────────────────────────────


async def test_what_is_paid_at_the_till_is_known_at_once_where_the_buyer_waits(shop: TillShop) -> None:
    await shop.reserved()
    paid = await shop.paid()
    assert isinstance(paid.payment, payment.Captured)
    assert isinstance(paid.order, order.Completed)
    assert paid.position == shop.front.store.head()


async def test_a_declined_card_is_followed_by_a_second_one(shop: TillShop) -> None:
    await shop.reserved()
    assert isinstance((await shop.paid("tok_chargeDeclined")).payment, payment.Declined)
    second = await shop.front.marketplace.pay("o1", "p2", "buyer", "tok_visa", CAUSE)
    assert isinstance(second.order, order.Completed)


async def test_who_must_confirm_is_given_the_secret_and_may_come_back_with_it(shop: TillShop) -> None:
    await shop.reserved()
    paid = await shop.paid("tok_threeDSecure2Required")
    assert isinstance(paid.payment, payment.ActionRequired)
    needed = await shop.front.marketplace.confirmation("p1")
    assert needed is not None
    assert needed.secret
    names = DistantNames(shop.till)
    reference = paid.payment.reference
    assert await names.payment_of(reference) == "p1"
    assert await names.payment_of("pi_of_somebody_else") is None
    assert await names.returning(reference, needed.secret) == "p1"
    assert await names.returning(reference, "a guess") is None


async def test_who_cancels_while_confirming_has_his_attempt_ended(
    shop: TillShop, double: RunningStripe
) -> None:
    await shop.reserved()
    await shop.paid("tok_threeDSecure2Required")
    done = await shop.front.marketplace.cancel("o1", "buyer", CAUSE)
    assert isinstance(done.state, order.Cancelled)
    assert isinstance((await shop.front.marketplace.payment("p1")).state, payment.Voided)
    assert await double.control.orders() == {}  # nothing was set aside, and nothing was taken


async def test_a_hint_is_followed_up_at_the_till(shop: TillShop, double: RunningStripe) -> None:
    await shop.reserved()
    paid = await shop.paid("tok_threeDSecure2Required")
    assert isinstance(paid.payment, payment.ActionRequired)
    await double.control.authenticate(paid.payment.reference)
    await DistantPump(shop.till, shop.front.desk).hear_of("p1", CAUSE)
    assert isinstance((await shop.front.marketplace.order("o1")).state, order.Completed)


# ── What can go wrong behind the counter ──────────────────────────────────────────────────────────


async def test_a_step_that_fails_there_has_failed_here_with_the_same_error(
    shop: TillShop, double: RunningStripe
) -> None:
    await shop.reserved()
    await double.kill()
    with pytest.raises(StepFailed) as failed:
        await shop.paid()
    assert failed.value.step == "authorize"
    assert type(failed.value.error) is PaymentsUnavailable
    assert "could not be reached" in str(failed.value.error)
    assert isinstance(failed.value.purchase.order, order.Paying)
    hint = DistantPump(shop.till, shop.front.desk).hear_of("p1", CAUSE)
    with pytest.raises(PaymentsUnavailable, match="could not be reached"):
        await hint


def test_an_error_is_known_by_its_kind_and_others_are_told_apart() -> None:
    class Unclear(PaymentsUnavailable):
        pass

    assert Trouble.of(Unclear("later"), "capture") == Trouble("PaymentsUnavailable", "later", "capture")
    assert type(Trouble.of(KeyReused("twice")).error()) is KeyReused
    unforeseen = Trouble.of(ZeroDivisionError("a fault of ours"))
    assert not unforeseen.foreseen
    assert repr(unforeseen.error()) == "RuntimeError('ZeroDivisionError: a fault of ours')"


async def test_more_questions_than_the_till_has_hands_are_sent_away_at_once(
    shop: TillShop, double: RunningStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(till_counter, "MOST", 1)
    await shop.reserved("1")
    await shop.reserved("2")
    await double.control.fault(Fault(operation="payment_intents.create", action="hold"))
    first = asyncio.create_task(shop.paid(name="1"))
    await double.control.until_struck(1)
    with pytest.raises(StepFailed, match="too many payments at once"):
        await shop.paid(name="2")
    await double.control.clear_faults()
    assert isinstance((await first).order, order.Completed)
    assert isinstance((await shop.paid(name="2")).order, order.Completed)


async def test_who_does_not_speak_as_we_do_is_cut_off_and_the_others_are_served(shop: TillShop) -> None:
    await shop.reserved()
    for noise in (b"GET / HTTP/1.1\r\n\r\n", (5).to_bytes(4, "big") + b"noise"):
        reader, writer = await asyncio.open_unix_connection(shop.place.path)
        with closing(writer):
            writer.write(noise)
            assert await reader.read() == framed(Told(0))
    assert isinstance((await shop.paid()).order, order.Completed)


# ── A till that ends ──────────────────────────────────────────────────────────────────────────────


async def test_a_till_that_is_told_to_end_finishes_what_it_has_and_the_next_one_does_the_rest(
    shop: TillShop, double: RunningStripe
) -> None:
    await shop.reserved("1")
    await shop.reserved("2")
    await double.control.fault(Fault(operation="payment_intents.create", action="hold"))
    first = asyncio.create_task(shop.paid(name="1"))
    await double.control.until_struck(1)
    closing_down = asyncio.create_task(shop.close())
    await asyncio.sleep(0)
    second = asyncio.create_task(shop.paid(name="2"))  # is not heard any more
    await double.control.clear_faults()
    await closing_down
    await shop.open()
    for paid in (await first, await second):
        assert isinstance(paid.order, order.Completed)
    sums = await double.control.orders()
    assert [(sums[each].captures, sums[each].open) for each in ("o1", "o2")] == [(1, 0), (1, 0)]


@pytest.mark.parametrize("step", ["create", "capture"])
@pytest.mark.parametrize("action", ["hold", "hold_reply"])
async def test_what_a_till_leaves_unanswered_when_it_dies_is_asked_of_the_next_one(
    shop: TillShop, double: RunningStripe, monkeypatch: pytest.MonkeyPatch, step: str, action: Action
) -> None:
    monkeypatch.setattr(till_counter, "FINISHING", 0)  # it drops all that it has in its hands
    await shop.reserved()
    await double.control.fault(Fault(operation=f"payment_intents.{step}", action=action))
    paying = asyncio.create_task(shop.paid())
    await double.control.until_struck(1)
    await shop.close()
    await shop.open()
    await double.control.clear_faults()
    assert isinstance((await paying).order, order.Completed)
    sums = (await double.control.orders())["o1"]
    assert (sums.captures, sums.open) == (1, 0)


async def test_where_there_is_no_till_a_payment_is_not_settled_now_and_is_said_to_be_later(
    shop: TillShop,
) -> None:
    await shop.close()
    impatient = Till(Path(shop.place.path), greeting=0.1)
    pump = DistantPump(impatient, shop.front.desk)
    await shop.reserved()
    with pytest.raises(StepFailed, match="not at work now") as failed:
        await pump.pump("o1", CAUSE)
    assert isinstance(failed.value.error, PaymentsUnavailable)
    assert impatient.health() is not None
    await shop.open()
    assert isinstance((await pump.pump("o1", CAUSE)).order, order.AwaitingPayment)
    assert impatient.health() is None
    await impatient.close()


async def test_many_who_find_no_till_wait_for_one_connection_together(tmp_path: Path) -> None:
    path = tmp_path / "till"
    callers: list[asyncio.StreamWriter] = []
    async with await asyncio.start_unix_server(lambda _, writer: callers.append(writer), path) as server:
        till = Till(path, greeting=0.2)
        asked = [till.ask(PaymentOf("pi_1")) for _ in range(50)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(each) for each in answers} == {PaymentsUnavailable}
        assert len(callers) == 1
        for writer in callers:
            writer.close()
        server.close()


async def test_who_loses_the_connection_again_and_again_gives_up(tmp_path: Path) -> None:
    path = tmp_path / "till"
    heard: list[bytes] = []

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(framed(Told(0)))
        heard.append(await reader.read(1000))
        writer.close()

    async with await asyncio.start_unix_server(hang_up, path):
        with pytest.raises(PaymentsUnavailable, match="did not answer"):
            await Till(path).ask(PaymentOf("pi_1"))
    assert heard == [framed(Asked(1, PaymentOf("pi_1")))] * TRIES


async def test_an_answer_that_never_comes_is_waited_for_no_longer_than_may_be(tmp_path: Path) -> None:
    path = tmp_path / "till"
    callers: list[asyncio.StreamWriter] = []

    def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(framed(Told(0)))
        callers.append(writer)

    async with await asyncio.start_unix_server(greet, path):
        till = Till(path, patience=0.2)
        with pytest.raises(PaymentsUnavailable, match="did not answer"):
            await till.ask(PaymentOf("pi_1"))
        await till.close()
        for writer in callers:
            writer.close()


# ── Words on the line ─────────────────────────────────────────────────────────────────────────────

QUESTIONS = st.sampled_from(
    [PumpOrder("o1", CAUSE), Confirm("p1"), PaymentOf("pi_1"), Returning("pi_1", "s" * 300)]
)


@given(st.lists(st.builds(Asked, st.integers(0, 2**63), QUESTIONS)), st.lists(st.integers(1, 400)))
def test_messages_come_out_whole_and_in_order_however_the_bytes_are_cut(
    asked: list[Asked], cuts: list[int]
) -> None:
    stream = b"".join(map(framed, asked))
    frames, start = Frames(Asked), 0
    heard: list[Asked] = []
    for cut in (*cuts, len(stream)):
        heard += frames.messages(stream[start : start + cut])
        start += cut
    assert heard == asked


@pytest.mark.parametrize("head", [LONGEST + 1, 2**32 - 1])
def test_a_message_that_claims_to_be_too_long_is_refused_before_it_has_come(head: int) -> None:
    with pytest.raises(NotAMessage):
        list(Frames(Told).messages(head.to_bytes(4, "big")))


def test_the_secret_of_a_buyer_is_not_shown_where_a_question_is() -> None:
    assert "hush" not in repr(Returning("pi_1", "hush"))


def test_only_its_user_may_open_the_tills_socket(tmp_path: Path) -> None:
    from deploy.till_socket import till_socket

    with till_socket() as place, closing(socket.socket(socket.AF_UNIX)) as caller:
        folder = Path(place.path).parent
        assert folder.stat().st_mode & 0o077 == 0
        caller.connect(place.path)
    assert not folder.exists()
