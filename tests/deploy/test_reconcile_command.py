"""``admitone reconcile`` and ``admitone settle``, as a user runs them."""

import json
import subprocess
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec import structs

from deploy.reconciled import Report, write_report
from gateways.card_ledger import CardLedger
from processmanager.ports import Attempt
from tests.deploy.logbook import PRICE, Logbook, bought
from tests.deploy.running import admitone
from tests.deploy.test_past import into_directory

STRIPE_IS_AWAY = {"stripe_secret_key": "sk_test_admitone", "stripe_url": "http://127.0.0.1:9"}


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """A ticket was sold an hour ago, by a payment that the card simulator knows nothing of."""
    told = Logbook()
    for fact in bought().facts:
        event = fact.event
        if hasattr(event, "reference"):
            event = structs.replace(event, reference="pi_p")
        told.write(fact.stream, event, at=datetime.now(UTC) - timedelta(hours=1))
    await into_directory(told, tmp_path / "var")
    return tmp_path / "var"


def reconcile(data: Path, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return admitone("reconcile", "--data", str(data), *words, variables=variables)


def test_each_difference_is_told_with_the_command_that_mends_it(data: Path) -> None:
    done = reconcile(data)
    assert done.returncode == 1, done.stderr
    first, stream, repair, summary = done.stdout.splitlines()
    assert first.startswith("unknown to the provider: payment p of 49.50 USD is pi_p in the log")
    assert stream == "    payment-p, PaymentCaptured at position 8"
    assert repair.startswith("    → ")
    assert repair.endswith(f"admitone history o --data {data}")
    assert summary.endswith("UTC: 1 payments, 0 lines of the provider: 1 differ.")
    (line,) = reconcile(data, "--json").stdout.splitlines()
    told = json.loads(line)
    assert (told["kind"], told["stream"], told["event"]) == (
        "unknown to the provider", "payment-p", "PaymentCaptured"
    )  # fmt: skip


def test_where_nothing_differs_it_exits_with_0(data: Path) -> None:
    with closing(CardLedger(data / "cards.sqlite")) as ledger:
        assert ledger.begin()
        attempt = Attempt("p", "o", PRICE, "tok_visa")
        ledger.call("authorize", attempt, "1")
        ledger.call("capture", attempt, "2")
        ledger.commit()
    done = reconcile(data)
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("UTC: 1 payments, 1 lines of the provider: nothing differs.\n")


def test_books_that_cannot_be_read_are_said_in_one_line(data: Path) -> None:
    done = reconcile(data, **STRIPE_IS_AWAY)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith("admitone: Stripe could not be reached for a list")
    assert done.stderr.count("\n") == 1


def test_what_a_server_found_last_is_shown_without_asking_anybody(data: Path) -> None:
    none = reconcile(data, "--last")
    assert (none.returncode, none.stderr.count("\n")) == (4, 1)
    write_report(data / "reconciliation.json", Report(datetime.now(UTC), None, 3, 2))
    last = reconcile(data, "--last", **STRIPE_IS_AWAY)
    assert last.returncode == 0
    assert last.stdout.endswith("UTC: 2 payments, 3 lines of the provider: nothing differs.\n")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("nobody",), "neither the log nor the payment provider knows of nobody"),
        (("p",), "Payment p is captured; 49.50 USD is kept of it."),
        (("p", "--give-back"), "refund the order"),
    ],
)
def test_a_payment_is_settled_by_its_name(words: tuple[str, ...], says: str, data: Path) -> None:
    done = admitone("settle", *words, "--data", str(data))
    assert says in done.stdout + done.stderr
    assert (done.stdout + done.stderr).count("\n") == 1
