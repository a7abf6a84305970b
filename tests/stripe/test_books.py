"""Whatever is done, in any order: the double's own books agree."""

from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stripe import books, disputes, intents, refunds
from tests.stripe.bank import Bank, Call
from tests.stripe.clock import Clock
from tests.stripe.confirming import authenticated
from tests.stripe.errors import StripeError
from tests.stripe.ledger import Ledger
from tests.stripe.shapes import Charge, Dispute, PaymentIntent, Refund, Stored

METHODS = (
    "pm_card_visa pm_card_chargeDeclined pm_card_threeDSecure2Required pm_card_pendingRefund "
    "pm_card_refundFail pm_card_createDispute pm_card_createDisputeInquiry"
).split()
DEEDS = (
    "create confirm capture part cancel authenticate fail_it refund some fail settle dispute win lose".split()
)
steps = st.lists(
    st.tuples(st.sampled_from(DEEDS), st.integers(0, 2), st.sampled_from(METHODS)), min_size=1, max_size=25
)


def call(name: str = "", **params: str) -> Call:
    return Call("", (name,), dict(params), "req_1")


def do(bank: Bank, deed: str, which: int, method: str) -> Any:
    """One deed on one of the things that are there. Raises StripeError where it cannot be done."""
    if deed == "create":
        params = {"amount": "1000", "currency": "usd", "capture_method": "manual", "metadata": {"order": "o"}}
        types = {"allowed_payment_method_types": ["card"], "confirm": "true", "payment_method": method}
        return intents.create(bank, Call("", (), params | types, "req_1"))
    kinds: dict[str, type[Stored]] = {"fail": Refund, "settle": Refund, "win": Dispute, "lose": Dispute}
    there = list(bank.ledger.all(kinds.get(deed, PaymentIntent)))
    if which >= len(there):
        return None
    thing: Any = there[which]
    match deed:
        case "confirm":
            return intents.confirm_one(bank, call(thing.id, payment_method=method))
        case "capture":
            return intents.capture(bank, call(thing.id))
        case "part":
            return intents.capture(bank, call(thing.id, amount_to_capture="400"))
        case "cancel":
            return intents.cancel(bank, call(thing.id))
        case "authenticate" | "fail_it":
            return authenticated(bank, thing, deed == "authenticate")
        case "refund":
            return refunds.create(bank, call(payment_intent=thing.id))
        case "some":
            return refunds.create(bank, call(payment_intent=thing.id, amount="150"))
        case "fail":
            return refunds.fail(bank, thing)
        case "settle":
            return refunds.complete(bank, thing)
        case "dispute":
            charge = bank.ledger.get(Charge, thing.latest_charge or "")
            return charge and disputes.open_dispute(bank, None, charge, "fraudulent")
        case _:
            return disputes.end(bank, None, thing, "won" if deed == "win" else "lost")


@settings(max_examples=300, deadline=None)
@given(steps)
def test_the_books_agree_whatever_is_done(history: list[tuple[str, int, str]]) -> None:
    bank = Bank(Ledger(":memory:"), Clock())
    for deed, which, method in history:
        with bank.ledger.transaction(), suppress(StripeError):
            do(bank, deed, which, method)
        sums = books.by_order(bank.ledger, "order")
        for each in sums:
            assert 0 <= each.refunded <= each.captured <= each.authorized
            assert 0 <= each.disputed <= each.captured
            assert each.captured + each.open <= each.authorized
        moved = sum(each.captured - each.refunded - each.disputed for each in sums)
        assert books.balance(bank.ledger).get("usd", 0) == moved
        for intent in bank.ledger.all(PaymentIntent):
            assert (intent.amount_capturable > 0) == (intent.status == "requires_capture")
            assert (intent.amount_received > 0) == (intent.status == "succeeded")
            assert (intent.next_action is not None) == (intent.status == "requires_action")
    bank.ledger.close()
