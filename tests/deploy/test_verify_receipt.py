"""``admitone verify-receipt`` as it is started: on a receipt from a shop that runs, alone and on its log."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.deploy.running import ADMITONE, admitone, environment, running


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A shop's data directory after one sale, and where it still serves."""
    data = tmp_path_factory.mktemp("shop") / "var"
    with running(data, "--no-demo") as server:
        yield data, server.url


def signed_up(url: str, name: str) -> httpx.Client:
    client = httpx.Client(base_url=url)
    body = {"email": f"{name}@example.com", "password": "correct horse"}
    client.post("/api/users/signup", json=body).raise_for_status()
    return client


@pytest.fixture(scope="module")
def receipt(shop: tuple[Path, str]) -> dict[str, Any]:
    """The buyer's receipt of a ticket that was sold."""
    _, url = shop
    seller, buyer = signed_up(url, "seller"), signed_up(url, "buyer")
    ticket = seller.post("/api/tickets", json={"title": "Front row", "price": 49.5}).json()
    order = buyer.post("/api/orders", json={"ticketId": ticket["id"]}).json()
    buyer.post("/api/payments", json={"orderId": order["id"], "token": "tok_visa"}).raise_for_status()
    found: dict[str, Any] = buyer.get(f"/api/v1/tickets/{ticket['id']}/receipt").raise_for_status().json()
    return found


@pytest.fixture
def file(tmp_path: Path, receipt: dict[str, Any]) -> Path:
    (tmp_path / "receipt.json").write_text(json.dumps(receipt))
    return tmp_path / "receipt.json"


def test_the_log_confirms_a_receipt(shop: tuple[Path, str], file: Path) -> None:
    told = admitone("verify-receipt", str(file), "--data", str(shop[0]))
    assert (told.returncode, told.stderr) == (0, "")
    assert "“Front row”" in told.stdout
    assert "sold to buyer 1, 49.50 USD" in told.stdout
    assert told.stdout.endswith("The log confirms each event.\n")


def test_a_receipt_is_checked_alone_with_the_key_that_the_shop_publishes(
    shop: tuple[Path, str], file: Path, tmp_path: Path
) -> None:
    key = httpx.get(f"{shop[1]}/.well-known/jwks.json").json()["keys"][0]["x"]
    nowhere = str(tmp_path / "nowhere")
    told = admitone("verify-receipt", str(file), "--alone", "--key", key, "--data", nowhere)
    assert (told.returncode, told.stderr) == (0, "")
    assert "Signed with the shop's key." in told.stdout
    without = admitone("verify-receipt", str(file), "--alone", "--data", nowhere)
    assert key in without.stdout
    other = admitone("verify-receipt", str(file), "--alone", "--key", "A" * 43, "--data", nowhere)
    assert (other.returncode, len(other.stderr.splitlines())) == (1, 1)
    assert not Path(nowhere).exists()


def test_what_was_altered_is_said_in_one_line(shop: tuple[Path, str], receipt: dict[str, Any]) -> None:
    text = json.dumps(receipt).replace("Front row", "Back row")
    done = subprocess.run(
        [ADMITONE, "verify-receipt", "-", "--data", str(shop[0])],
        input=text, capture_output=True, text=True, check=False, env=environment(), timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "something in it was altered" in line


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    told = admitone("verify-receipt", str(tmp_path / "none.json"), "--alone")
    assert told.returncode == 2
    assert "none.json" in told.stderr
