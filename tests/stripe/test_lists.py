"""Lists, searches and expansions. https://docs.stripe.com/api/pagination, …/search, …/expanding_objects"""

from typing import Any

import pytest
import stripe

from tests.stripe.paying import authorized, captured
from tests.stripe.running import RunningStripe


async def test_a_list_is_read_page_by_page_without_gap_or_repeat(client: stripe.StripeClient) -> None:
    made = [(await authorized(client)).id for _ in range(7)]
    first = await client.v1.payment_intents.list_async({"limit": 3})
    assert [each.id for each in first.data] == made[:3:-1]
    assert (first.has_more, first.url) == (True, "/v1/payment_intents")
    found = [each.id async for each in first.auto_paging_iter()]
    assert found == made[::-1]
    before: Any = {"limit": 2, "ending_before": made[2]}
    assert [each.id for each in (await client.v1.payment_intents.list_async(before)).data] == [
        made[4],
        made[3],
    ]


async def test_a_list_is_read_by_time(double: RunningStripe, client: stripe.StripeClient) -> None:
    early = await authorized(client)
    await double.control.move_clock(100)
    late = await authorized(client)
    middle = early.created + 50
    listing = client.v1.payment_intents.list_async
    assert [each.id for each in (await listing({"created": {"gte": middle}})).data] == [late.id]
    assert [each.id for each in (await listing({"created": {"lt": middle}})).data] == [early.id]


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"limit": 101}, {"starting_after": "pi_of_nobody"}])
async def test_a_page_that_cannot_be_is_refused(client: stripe.StripeClient, wrong: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.payment_intents.list_async(wrong)


async def test_intents_are_found_by_their_metadata(client: stripe.StripeClient) -> None:
    mine = await authorized(client, metadata={"order": "o-1", "7": "seven"})
    await authorized(client, metadata={"order": "o-2"})
    search = client.v1.payment_intents.search_async
    for query in (
        "metadata['order']:'o-1'",
        "metadata['7']:'seven'",
        "metadata['order']:'o-1' AND status:'requires_capture'",
        'amount>2000 AND -metadata["order"]:"o-2"',
    ):
        found = await search({"query": query})
        assert [each.id for each in found.data] == [mine.id], query
    assert not (await search({"query": "metadata['order']:'o-1' AND status:'succeeded'"})).data
    both = await search({"query": "metadata['order']:'o-1' OR metadata['order']:'o-2'", "limit": 1})
    assert both.has_more
    assert len([each async for each in both.auto_paging_iter()]) == 2
    with pytest.raises(stripe.InvalidRequestError, match="cannot be read"):
        await search({"query": "order = o-1; DROP TABLE objects"})


async def test_a_search_may_not_find_what_is_new(double: RunningStripe, client: stripe.StripeClient) -> None:
    """https://docs.stripe.com/search#data-freshness"""
    await double.control.search_lag(60)
    await authorized(client)
    query: Any = {"query": "metadata['order']:'o1'"}
    assert not (await client.v1.payment_intents.search_async(query)).data
    await double.control.move_clock(61)
    assert len((await client.v1.payment_intents.search_async(query)).data) == 1


async def test_objects_are_given_in_place_of_their_ids(client: stripe.StripeClient) -> None:
    await captured(client)
    listed = await client.v1.payment_intents.list_async(
        {"expand": ["data.latest_charge.balance_transaction", "data.payment_method"]}
    )
    intent: Any = listed.data[0]
    assert intent.latest_charge.balance_transaction.amount == 2500
    assert intent.payment_method.card.last4 == "4242"
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        await client.v1.payment_intents.retrieve_async(intent.id, {"expand": ["status"]})


async def test_the_books_hold_each_movement(double: RunningStripe, client: stripe.StripeClient) -> None:
    """https://docs.stripe.com/reports/balance-transaction-types"""
    intent = await captured(client)
    refund = await client.v1.refunds.create_async({"payment_intent": intent.id, "amount": 500})
    await double.control.fail_refund(refund.id)
    await double.control.open_dispute(intent.id)
    books = await client.v1.balance_transactions.list_async({"limit": 100})
    assert [(each.type, each.amount) for each in reversed(books.data)] == [
        ("charge", 2500),
        ("refund", -500),
        ("refund_failure", 500),
        ("adjustment", -2500),
    ]
    assert all(each.net == each.amount - each.fee for each in books.data)
    (net,) = (await client.v1.balance.retrieve_async()).pending
    assert (net.amount, net.currency) == (sum(each.net for each in books.data), "usd")
    of_charge = await client.v1.balance_transactions.list_async({"source": intent.latest_charge})
    assert [each.type for each in of_charge.data] == ["charge"]
    one = await client.v1.balance_transactions.retrieve_async(of_charge.data[0].id)
    assert one.source == intent.latest_charge
