"""Any bytes on any route: a clear answer below 500 in the shape of all errors, and no event."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateways.http.edge import HEALTH
from gateways.http.problems import V1
from gateways.http.routes import Route
from tests.http.shop import SOME_ID, Shop, empty_store, errors, fields, made, message, opened, problem, raw

# None of these leaves anything behind that another would stumble over, so they share one shop.
pytestmark = pytest.mark.asyncio(loop_scope="module")

NESTED = b'{"title":' + b"[" * 4000
LIST = "/api/tickets"
JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory, store_kind: str) -> AsyncIterator[Shop]:
    async with empty_store(store_kind) as store, opened(tmp_path_factory.mktemp("shop"), store=store) as shop:
        yield shop


async def refused(shop: Shop, status: int, content: bytes, headers: dict[str, str] = JSON) -> httpx.Response:
    head = shop.head()
    response = await shop.client("seller").post(LIST, content=content, headers=headers)
    assert response.status_code == status, response.text
    assert errors(response)
    assert shop.head() == head
    return response


MALFORMED = {
    "no JSON": b"title=concert",
    "cut off": b'{"title":"concert","price":',
    "deeply nested, open": NESTED,
    "deeply nested, closed": NESTED + b"]" * 4000 + b"}",
    "NaN": b'{"title":"concert","price":NaN}',
    "Infinity": b'{"title":"concert","price":-Infinity}',
    "byte order mark": b'\xef\xbb\xbf{"title":"concert","price":1}',
    "no UTF-8": b'{"title":"\xff\xfe","price":1}',
    "no UTF-8 where nobody looks": b'{"title":"concert","price":1,"x":"\xff"}',
    "UTF-16": '{"title":"concert","price":1}'.encode("utf-16"),
    "lone high surrogate": b'{"title":"\\ud800","price":1}',
    "lone high surrogate, more behind": b'{"title":"\\ud800abcdefgh","price":1}',
    "lone low surrogate": b'{"title":"\\udc00abcdefgh","price":1}',
    "array": b"[]",
    "null": b"null",
    "string": b'"concert"',
    "number": b"1",
    "two objects": b"{}{}",
    "NUL behind": b'{"title":"concert","price":1}\0',
}


@pytest.mark.parametrize("what", MALFORMED)
async def test_a_malformed_body_is_400(shop: Shop, what: str) -> None:
    await refused(shop, 400, MALFORMED[what])


@pytest.mark.parametrize(
    "price",
    [
        "-1",
        "0",
        "0.00",
        "-0.01",
        "0.001",
        "19.999",
        "1e-3",
        "1e400",
        "1e-400",
        "99999999999999999999",
        "1000000000.01",
        "9223372036854775808",
        '"NaN"',
        '"Infinity"',
        '"1_000"',
        '"1,50"',
        '"0x10"',
        '"ten"',
        '"１０"',
        '""',
        '" "',
        '"1 0"',
        '"10.00.0"',
        '"19.990000000000000000000000000000000000001"',
        "true",
        "null",
        "[1]",
        '{"amount":1}',
        '"' + "9" * 5000 + '"',
        "0." + "0" * 5000 + "1",
    ],
)
async def test_no_price_is_taken_that_is_not_whole_cents_above_zero(shop: Shop, price: str) -> None:
    response = await refused(shop, 400, b'{"title":"concert","price":%s}' % price.encode())
    assert errors(response) == [{"message": "Price must be greater than 0", "field": "price"}]


@pytest.mark.parametrize(
    ("price", "answered"),
    [
        ("20", 20),
        ("20.00", 20),
        ("19.99", 19.99),
        ('"10.00"', 10),
        ('"19.99"', 19.99),
        ('" 7.5 "', 7.5),
        ('"+3"', 3),
        ("1e1", 10),
        ("0.01", 0.01),
        ("1000000000", 1_000_000_000),
    ],
)
async def test_a_price_is_a_number_or_a_numeric_string(shop: Shop, price: str, answered: float) -> None:
    content = b'{"title":"concert","price":%s}' % price.encode()
    response = await shop.client("seller").post(LIST, content=content, headers=JSON)
    assert made(response)["price"] == answered
    assert type(made(response)["price"]) is type(answered)


@pytest.mark.parametrize("title", ["a\0b", "\n", "a\x1bb", "x" * 501])
async def test_no_title_is_taken_with_control_characters_or_without_end(shop: Shop, title: str) -> None:
    response = await refused(shop, 400, json.dumps({"title": title, "price": 1}).encode())
    assert fields(response) == ["title"]


@pytest.mark.parametrize(
    "title", ["Żółć 🎫", "<script>alert(1)</script>", "'; DROP TABLE ticket; --", "x" * 500]
)
async def test_a_title_may_say_anything_else(shop: Shop, title: str) -> None:
    ticket = await shop.listed(title=title)
    assert ticket["title"] == title
    assert ticket in (await shop.client("seller").get(LIST)).json()


async def test_unknown_fields_are_ignored_and_of_two_with_one_name_the_last_counts(shop: Shop) -> None:
    content = b'{"title":"first","title":"second","price":5,"userId":"x","version":9,"deep":{"er":[]}}'
    ticket = made(await shop.client("seller").post(LIST, content=content, headers=JSON))
    assert (ticket["title"], ticket["userId"], ticket["version"]) == ("second", "seller", 0)


async def test_a_form_says_the_same_as_json(shop: Shop) -> None:
    client = shop.client("seller")
    ticket = made(await client.post(LIST, data={"title": "concert", "price": "19.99"}))
    assert (ticket["title"], ticket["price"]) == ("concert", 19.99)
    user = {"email": "test@test.com", "password": "password"}
    made(await shop.client().post("/api/users/signup", data=user))
    assert (await shop.client().post("/api/users/signin", data=user)).status_code == 200


@pytest.mark.parametrize(
    "content", [b"title=%FF&price=1", b"&".join(b"a%d=1" % n for n in range(100)), b"title=\xff&price=1"]
)
async def test_a_malformed_form_is_400(shop: Shop, content: bytes) -> None:
    await refused(shop, 400, content, FORM)


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/xml"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": ""},
        {},
        {**JSON, "content-encoding": "gzip"},
    ],
)
async def test_another_kind_of_body_is_415(shop: Shop, headers: dict[str, str]) -> None:
    await refused(shop, 415, b'{"title":"concert","price":1}', headers)


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=utf-8", "application/json;charset=UTF-8"]
)
async def test_json_may_be_spelt_in_every_usual_way(shop: Shop, kind: str) -> None:
    content = b'{"title":"concert","price":1}'
    made(await shop.client("seller").post(LIST, content=content, headers={"content-type": kind}))


async def test_a_body_of_more_than_16_kib_is_413_with_or_without_a_length(shop: Shop) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(1024):
            yield b" " * 1024

    for content in (b" " * (16 * 1024 + 1), b"x" * 1024 * 1024, chunks()):
        response = await shop.client("seller").post(LIST, content=content, headers=JSON)
        assert response.status_code == 413
        assert errors(response)
        assert response.headers["connection"] == "close"
    body = json.dumps({"title": "concert", "price": 1, "x": "y" * 16_000}).encode()
    made(await shop.client("seller").post(LIST, content=body, headers=JSON))


@pytest.mark.parametrize("length", ["-1", "abc", "9" * 5000])
async def test_a_length_that_is_none_is_refused(shop: Shop, length: str) -> None:
    headers = {**JSON, "content-length": length}
    response = await shop.client("seller").post(LIST, content=b"{}", headers=headers)
    assert response.status_code == 413


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "a\tb", "ключ".encode()])
async def test_a_malformed_idempotency_key_is_400(shop: Shop, key: str | bytes) -> None:
    ticket = await shop.listed()
    buyer = shop.client("buyer")
    for path, body in (
        ("/api/orders", {"ticketId": ticket["id"]}),
        ("/api/tickets", {"title": "concert", "price": 1}),
        ("/api/payments", {"token": "tok_visa", "orderId": SOME_ID}),
    ):
        response = await buyer.post(path, json=body, headers=raw({"idempotency-key": key}))
        assert response.status_code == 400
        assert "Idempotency-Key" in message(response)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=-1", "limit=x", "limit=1.5", "limit=" + "9" * 50, "limit=٣"]
)
async def test_a_limit_that_is_none_is_400(shop: Shop, query: str) -> None:
    response = await shop.client().get(f"{LIST}?{query}")
    # Too large a limit is as much as there may be.
    assert response.status_code == 400
    assert fields(response) == ["limit"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("sort=colour", "sort"),
        ("order=up", "order"),
        ("after=garbage", "after"),
        ("after=WyJsaXN0ZWQiXQ", "after"),
        ("q=" + "a" * 201, "q"),
        ("q=%00", "q"),
    ],
)
async def test_a_query_that_makes_no_sense_is_400(shop: Shop, query: str, field: str) -> None:
    response = await shop.client().get(f"{LIST}?{query}")
    assert (response.status_code, fields(response)) == (400, [field])


async def test_too_many_parts_of_a_query_are_400(shop: Shop) -> None:
    response = await shop.client().get(LIST + "?" + "&".join(f"a{n}=1" for n in range(100)))
    assert response.status_code == 400


@pytest.mark.parametrize(
    "key",
    ["1", "%00", "%2e%2e", "a b", "ü", "x" * 5000, "ticket-1", "6568e3%0a", "'", "%F0%9F%8E%AB", "%ff"],
)
async def test_an_id_that_nobody_has_is_not_found(shop: Shop, key: str) -> None:
    client = shop.client("somebody")
    for path in ("/api/tickets/", "/api/orders/"):
        response = await client.get(path + key)
        assert (response.status_code, message(response)) == (404, "Not Found")


# ── Whatever comes ────────────────────────────────────────────────────────────────────────────────

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
NAMES = st.sampled_from(["email", "password", "title", "price", "ticketId", "token", "orderId", "x"])
BODIES = (
    st.binary(max_size=200)
    | VALUES.map(lambda value: json.dumps(value).encode())
    | st.dictionaries(NAMES, VALUES, max_size=5).map(lambda body: json.dumps(body).encode())
)
KINDS = st.sampled_from(["application/json", "application/x-www-form-urlencoded", "text/plain", ""])
LATIN = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30)
EXTRA = st.dictionaries(
    st.sampled_from(
        "cookie origin sec-fetch-site x-request-id idempotency-key admitone-position traceparent "
        "x-forwarded-for accept content-encoding".split()
    ),
    LATIN,
    max_size=3,
)
SEGMENT = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FFF, codec="utf-8"), min_size=1, max_size=12
)


def filled(route: Route, segment: str) -> str:
    path = route.path
    for name in (":ticket", ":order", ":text"):
        path = path.replace(name, quote(segment, safe=""))
    return path


async def test_no_route_ever_fails_or_writes_whatever_is_sent(shop: Shop) -> None:
    routes = [route for route in shop.application.asgi.routes if route.path not in HEALTH]
    client = shop.client("somebody")
    loop = asyncio.get_running_loop()
    before = shop.head()

    @settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(routes), SEGMENT, BODIES, KINDS, EXTRA, st.text(max_size=20))
    def bombard(
        route: Route, segment: str, body: bytes, kind: str, extra: dict[str, str], query: str
    ) -> None:
        headers = raw({"content-type": kind, **extra})
        sent: Any = client.request(
            route.method,
            filled(route, segment),
            content=body,
            headers=headers,
            params={"q": query, "asOf": query},
        )
        response = asyncio.run_coroutine_threadsafe(sent, loop).result(30)
        assert response.status_code < 500, response.text
        if response.status_code >= 300:
            assert problem(response)["detail"] if route.path.startswith(V1) else errors(response)

    await asyncio.to_thread(bombard)
    # A listing that happens to be right is the one thing that may be written.
    assert all(recorded.category == "ticket" for recorded in (await shop.log())[before:])
    assert shop.head() - before < 30


async def test_a_host_that_cannot_be_one_is_refused(shop: Shop) -> None:
    response = await shop.client("somebody").get("/api/orders", headers={"host": "tickets/example"})
    assert (response.status_code, message(response)) == (400, "Bad Request")
