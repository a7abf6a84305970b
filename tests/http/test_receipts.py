"""A ticket's receipt: who gets it, what it tells, what it does not, and how it is told from a forged one."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import to_builtins
from msgspec.structs import replace

from gateways.chain_proof import Flawed
from gateways.raw_log import RawEvent
from gateways.receipt_keys import ReceiptKeys
from gateways.receipts import NoReceipt, Receipt, confirm, read, signed
from tests.http.conftest import Open
from tests.http.shop import SOME_ID, Shop, made

FORGER = ReceiptKeys([b"a key that the shop has never had"])


async def sold(shop: Shop) -> dict[str, Any]:
    """A ticket that one gave up and another bought."""
    ticket = await shop.listed(title="Front row", price=12.5)
    first = await shop.ordered(ticket, "somebody")
    await shop.client("somebody").delete(f"/api/orders/{first['id']}")
    order = await shop.ordered(ticket)
    body = {"orderId": order["id"], "token": "tok_visa"}
    made(await shop.client("buyer").post("/api/payments", json=body))
    return ticket


async def receipt(shop: Shop, ticket: dict[str, Any], user: str = "buyer") -> bytes:
    answer = await shop.client(user).get(f"/api/v1/tickets/{ticket['id']}/receipt")
    assert answer.status_code == 200, answer.text
    assert "attachment" in answer.headers["content-disposition"]
    return answer.content


async def raw(shop: Shop, ticket: dict[str, Any]) -> list[RawEvent]:
    return [*await shop.application.store.raw(f"ticket-{ticket['id']}")]


# ── What it tells, and to whom ────────────────────────────────────────────────────────────────────


async def test_a_receipt_tells_custody_prices_and_times(shop: Shop) -> None:
    told = read(await receipt(shop, await sold(shop))).receipt
    assert (told.title, told.issued_to) == ("Front row", 2)
    assert [(entry.event, entry.standing, entry.buyer) for entry in told.events] == [
        ("TicketListed", "for sale", None),
        ("TicketReserved", "held", 1),
        ("TicketReleased", "for sale", None),
        ("TicketReserved", "held", 2),
        ("TicketSold", "sold", 2),
    ]
    assert {(entry.price.amount, entry.price.currency) for entry in told.events} == {(1250, "usd")}
    assert all(entry.chain and entry.at <= told.issued_at for entry in told.events)


async def test_the_seller_gets_the_same_events_and_no_owner_s_receipt(shop: Shop) -> None:
    ticket = await sold(shop)
    of_buyer = read(await receipt(shop, ticket)).receipt
    of_seller = read(await receipt(shop, ticket, "seller")).receipt
    assert of_seller.issued_to is None
    assert of_seller.events == of_buyer.events


@pytest.mark.parametrize(("user", "status"), [("somebody", 403), (None, 401)])
async def test_nobody_else_gets_one(shop: Shop, user: str | None, status: int) -> None:
    ticket = await sold(shop)
    answer = await shop.client(user).get(f"/api/v1/tickets/{ticket['id']}/receipt")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_who_only_holds_a_ticket_gets_none(shop: Shop) -> None:
    ticket = await shop.listed()
    await shop.ordered(ticket)
    answer = await shop.client("buyer").get(f"/api/v1/tickets/{ticket['id']}/receipt")
    assert answer.status_code == 403


async def test_there_is_none_of_a_ticket_that_is_none(shop: Shop) -> None:
    assert (await shop.client("buyer").get(f"/api/v1/tickets/{SOME_ID}/receipt")).status_code == 404


async def test_nobody_s_id_is_in_it(shop: Shop) -> None:
    ticket = await sold(shop)
    text = (await receipt(shop, ticket)).decode()
    ids = {fact.metadata.actor for fact in await shop.log()} | {"seller", "buyer", "somebody"}
    ids |= {fact.key for fact in await shop.log() if fact.category != "ticket"}
    words = json.loads(text)["receipt"]
    spoken = {str(value) for entry in words["events"] for value in entry.values()} | {words["title"]}
    assert not ids & spoken
    assert not [id_ for id_ in ids if len(id_) > 12 and id_ in text]


# ── What it proves ────────────────────────────────────────────────────────────────────────────────


async def test_the_shop_publishes_the_key_that_it_signs_with(shop: Shop) -> None:
    published = (await shop.client().get("/.well-known/jwks.json")).json()["keys"]
    found = read(await receipt(shop, await sold(shop)), published[0]["x"])
    assert published[0]["kty"] == "OKP"
    assert found.key == published[0]["x"]


async def test_services_that_were_given_the_same_keys_sign_alike(open_shop: Open) -> None:
    old, new = b"an older key of the shop: 4e8d10c27", b"the key of the shop from now on: 93f"
    before = await open_shop(receipt_key=(old,))
    ticket = await sold(before)
    signed_before = read(await receipt(before, ticket)).key
    after = await open_shop(receipt_key=(new, old))
    published = (await after.client().get("/.well-known/jwks.json")).json()["keys"]
    assert [key["x"] for key in published] == [read(await receipt(after, ticket)).key, signed_before]


async def test_a_receipt_may_be_laid_out_anew(shop: Shop) -> None:
    text = await receipt(shop, await sold(shop))
    assert read(json.dumps(json.loads(text), indent=4, sort_keys=True).encode()) == read(text)


async def test_the_log_confirms_a_receipt_also_when_more_has_happened(shop: Shop) -> None:
    ticket = await shop.listed()
    early = read(await receipt(shop, ticket, "seller")).receipt
    await shop.ordered(ticket)
    assert confirm(early, await raw(shop, ticket)) == 1


Change = Callable[[dict[str, Any]], Any]
CHANGES: dict[str, Change] = {
    "a price": lambda r: r["receipt"]["events"][1]["price"].update(amount=1),
    "a time": lambda r: r["receipt"]["events"][1].update(at="2020-01-01T00:00:00Z"),
    "a holder": lambda r: r["receipt"]["events"][1].update(buyer=2),
    "a chain": lambda r: r["receipt"]["events"][1].update(chain=r["receipt"]["events"][0]["chain"]),
    "the title": lambda r: r["receipt"].update(title="Front row, with the band"),
    "whom it is for": lambda r: r["receipt"].update(issued_to=None),
    "an event less": lambda r: r["receipt"]["events"].pop(),
    "an event more": lambda r: r["receipt"]["events"].append(r["receipt"]["events"][-1]),
    "something added": lambda r: r["receipt"].update(note="also valid for the after-show party"),
    "another version": lambda r: r["receipt"].update(version=2),
    "another key": lambda r: r.update(key=FORGER.public),
    "no signature": lambda r: r.update(signature=""),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_whatever_is_changed_in_a_receipt_is_found(shop: Shop, change: Change) -> None:
    told = json.loads(await receipt(shop, await sold(shop)))
    change(told)
    with pytest.raises(NoReceipt) as found:
        read(json.dumps(told).encode())
    assert "\n" not in str(found.value)


async def test_a_forged_receipt_with_a_key_of_its_own_is_told_by_the_key_and_by_the_log(shop: Shop) -> None:
    ticket = await sold(shop)
    true = read(await receipt(shop, ticket))
    cheaper = replace(true.receipt.events[1], price=replace(true.receipt.events[1].price, amount=1))
    events = (true.receipt.events[0], cheaper, *true.receipt.events[2:])
    for forged in (replace(true.receipt, events=events), replace(true.receipt, title="The band's own box")):
        text = json.dumps(_plain(forged)).encode()
        assert read(text).receipt == forged, "signed by the forger, it is whole in itself"
        with pytest.raises(NoReceipt, match="which is not the key given"):
            read(text, true.key)
        with pytest.raises(NoReceipt, match="in the log"):
            confirm(forged, await raw(shop, ticket))


def _plain(receipt: Receipt) -> Any:
    return to_builtins(signed(receipt, FORGER))


async def test_a_receipt_outlives_a_log_that_was_rewritten(shop: Shop) -> None:
    ticket = await sold(shop)
    true, events = read(await receipt(shop, ticket)).receipt, await raw(shop, ticket)
    events[1] = replace(events[1], data=events[1].data.replace(b"1250", b"1000"))
    with pytest.raises(Flawed, match="revision 1"):
        confirm(true, events)
    with pytest.raises(NoReceipt, match="the log has 4 events"):
        confirm(true, (await raw(shop, ticket))[:4])


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"{}", b"\xff\xfe", b'{"receipt":{},"key":"","signature":""}'], ids=repr
)
def test_what_is_no_receipt_is_said_to_be_none(text: bytes) -> None:
    with pytest.raises(NoReceipt):
        read(text)


def test_a_receipt_without_events_is_none() -> None:
    empty = Receipt(1, "t", "A seat", None, datetime(2026, 1, 1, tzinfo=UTC), ())
    with pytest.raises(NoReceipt, match="not whole"):
        read(json.dumps(_plain(empty)).encode())


async def test_a_receipt_is_as_of_a_position_or_time_and_for_whoever_had_the_ticket_then(shop: Shop) -> None:
    ticket = await sold(shop)
    path = f"/api/v1/tickets/{ticket['id']}/receipt"
    listed, *_, reserved, bought = [event.position for event in await raw(shop, ticket)]
    then = await shop.client("seller").get(f"{path}?asOf={listed}")
    assert then.headers["admitone-as-of"] == str(listed)
    assert [entry.event for entry in read(then.content).receipt.events] == ["TicketListed"]
    assert (await shop.client("buyer").get(f"{path}?asOf={reserved}")).status_code == 403
    assert (await shop.client("buyer").get(f"{path}?asOf={bought}")).status_code == 200
    assert (await shop.client("seller").get(f"{path}?asOf={listed - 1}")).status_code == 404
    assert (await shop.client("seller").get(f"{path}?asOf=garbage")).status_code == 400
