"""Numbers of cards are told from other numbers, and given to nobody to keep."""

import pytest

from gateways.card_numbers import holds_card_number, without_card_numbers
from tests.http.shop import Shop

CARDS = [
    "5105105105105100",
    "4242 4242 4242 4242",
    "3782-822463-10005",
    "6011000990139424",
    "5105%201051%200510%205100",
]
OTHERS = [
    "",
    "5105105105105101",
    "6568e3f1d0a94c4242424242",
    "2026-11-25T18:38:42.647846Z",
    "tok_visa",
    "42424242",
    "12345678-1234-1234-1234-123456789012",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
]


@pytest.mark.parametrize("number", CARDS)
def test_a_cards_number_is_hidden(number: str) -> None:
    assert holds_card_number(f"/api/orders/{number}")
    assert without_card_numbers(f"paid by {number}, thanks") == "paid by (a card's number), thanks"


@pytest.mark.parametrize("text", OTHERS)
def test_other_numbers_are_left_as_they_are(text: str) -> None:
    assert not holds_card_number(text)
    assert without_card_numbers(text) == text


@pytest.mark.parametrize("number", ["5105105105105100", "5105-1051-0510-5100"])
async def test_a_request_id_that_is_a_cards_number_is_not_taken(shop: Shop, number: str) -> None:
    ticket = await shop.listed()
    answer = await shop.client("buyer").post(
        "/api/orders", json={"ticketId": ticket["id"]}, headers={"x-request-id": number}
    )
    assert answer.status_code == 201
    (fact,) = await shop.stream(f"order-{answer.json()['id']}")
    assert fact.metadata.correlation == answer.headers["x-request-id"]
    assert number not in fact.metadata.correlation
