"""What must hold when all has come to rest: the log, the provider's ledger and the read models agree."""

from collections import Counter

from tests.simulation.history import History
from tests.simulation.read_model_checks import check_read_models
from tests.simulation.violation import Violation
from tests.simulation.words import Words

MONEY = "captured minus refunded is the price of what was sold"
ONE_CAPTURE = "no order is charged twice"
ONE_REFUND = "no attempt is refunded twice or beyond what it took"
SOLD_BEFORE_TAKEN = "money is taken only after the ticket is sold"
NOTHING_OPEN = "no authorisation stays open"
NOTHING_HELD = "every hold ends"
NOTHING_PENDING = "no order and no payment stays in the middle"
AGREE = "the order, the ticket and the ledger agree"

ASKED_TO_CAPTURE = {"visa", "slow", "lost", "confirm"}
"""The methods whose money is taken by our own word only."""
NEVER = 10**12


def check(history: History) -> Words:
    """Raises Violation. Gives what the log came to."""
    words = Words()
    words.read(history.log.facts)
    _nothing_is_left(words)
    _money_agrees(history, words)
    _accounts_agree(history, words)
    check_read_models(history, words)
    return words


def _nothing_is_left(words: Words) -> None:
    for ticket_id, (standing, order_id) in words.tickets.items():
        if standing == "held":
            raise Violation(NOTHING_HELD, f"{ticket_id} is still held for {order_id}")
    for order_id, (standing, _) in words.orders.items():
        if standing not in {"completed", "cancelled"}:
            raise Violation(NOTHING_PENDING, f"{order_id} is still {standing}")
    for payment_id, standing in words.payments.items():
        if standing not in {"declined", "captured", "voided", "refunded"}:
            raise Violation(NOTHING_PENDING, f"{payment_id} is still {standing}")


def _money_agrees(history: History, words: Words) -> None:
    history.provider.let_all_banks_approve()
    captured: Counter[str] = Counter()
    refunded: Counter[str] = Counter()
    captures: Counter[str] = Counter()
    for entry in history.provider.ledger:
        (captured if entry.kind == "capture" else refunded)[entry.order] += entry.amount
        captures[entry.attempt] += entry.kind == "capture"
        if captures[entry.attempt] > 1:
            raise Violation(ONE_CAPTURE, f"{entry.attempt} took the money of {entry.order} again")
        account = history.provider.accounts[entry.attempt]
        if account.refunded > account.captured:
            raise Violation(ONE_REFUND, f"{entry.attempt} gave back {account.refunded} of {account.captured}")
        if account.attempt.method in ASKED_TO_CAPTURE and words.sold_at.get(entry.order, NEVER) > entry.head:
            raise Violation(
                SOLD_BEFORE_TAKEN, f"{entry.attempt} took the money before {entry.order} was sold"
            )
    sold = {order_id for standing, order_id in words.tickets.values() if order_id and standing == "sold"}
    for order_id in sorted({*captured, *words.orders, *sold}):
        kept = captured[order_id] - refunded[order_id]
        owed = words.placed[order_id].price.amount if order_id in sold else 0
        if kept != owed:
            raise Violation(MONEY, f"{kept} was kept for {order_id}, which owes {owed}")


def _accounts_agree(history: History, words: Words) -> None:
    for payment_id, account in history.provider.accounts.items():
        if account.open:
            raise Violation(NOTHING_OPEN, f"{payment_id} can still take the money")
        if words.payments.get(payment_id) != account.standing:
            raise Violation(
                AGREE, f"{payment_id} is {words.payments.get(payment_id)}, at the provider {account.standing}"
            )
    for order_id, (standing, attempt) in words.orders.items():
        sold = words.tickets[words.placed[order_id].ticket] == ("sold", order_id)
        paid = words.payments.get(attempt) if attempt else None
        # Completed and refunded: support gave the money back, and the ticket went back on sale.
        agreed = sold is (paid == "captured") if standing == "completed" else not sold and paid != "captured"
        if not agreed or (standing == "completed" and paid not in {"captured", "refunded"}):
            raise Violation(AGREE, f"{order_id} is {standing}, sold: {sold}, paid: {paid}")
