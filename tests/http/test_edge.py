"""What holds for every request: one spelling of paths, limits, headers, who may call, one line in the log."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from structlog.testing import capture_logs

from gateways.http.edge import HEALTH
from tests.http.shop import HOST, SOME_ID, Shop, errors, made, message, raw, soon

Open = Any

# ── Paths and methods ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "path", ["/api/tickets", "/api/tickets/", "/API/Tickets", "//api//tickets//", "/api/TICKETS/?x=1"]
)
async def test_letter_case_and_stray_slashes_do_not_matter(shop: Shop, path: str) -> None:
    ticket = await shop.listed()
    assert (await shop.client("seller").get(HOST + path)).json() == [ticket]


async def test_an_id_keeps_its_letter_case(shop: Shop) -> None:
    ticket = await shop.listed()
    client = shop.client("seller")
    assert (await client.get(f"/Api/Tickets/{ticket['id']}/")).json() == ticket
    assert (await client.get(f"/api/tickets/{ticket['id'].upper()}")).status_code == 404


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "BREW"])
@pytest.mark.parametrize("path", ["/api", "/api/nothing", "/api/tickets/a/b", "/schema", "/favicon.ico"])
async def test_an_unknown_route_is_not_found_by_any_method(shop: Shop, method: str, path: str) -> None:
    response = await shop.client().request(method, path)
    assert response.status_code == 404
    if method != "HEAD":
        assert message(response) == "Not Found"


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/api/tickets", "GET, HEAD, OPTIONS, POST"),
        (f"/api/tickets/{SOME_ID}", "DELETE, GET, HEAD, OPTIONS, PUT"),
        ("/api/orders", "GET, HEAD, OPTIONS, POST"),
        (f"/api/orders/{SOME_ID}", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("/api/payments", "OPTIONS, POST"),
        ("/api/users/currentuser", "GET, HEAD, OPTIONS"),
        ("/healthz", "GET, HEAD, OPTIONS"),
    ],
)
async def test_another_method_is_405_with_all_that_are_allowed(shop: Shop, path: str, allowed: str) -> None:
    client = shop.client()
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"} - {*allowed.split(", ")}:
        response = await client.request(method, path)
        assert (response.status_code, response.headers["allow"]) == (405, allowed)
        assert message(response) == "Method Not Allowed"
    response = await client.options(path)
    assert (response.status_code, response.headers["allow"], response.content) == (204, allowed, b"")


async def test_head_answers_as_get_does_without_the_body(shop: Shop) -> None:
    ticket = await shop.listed()
    client = shop.client()
    for path in (f"/api/tickets/{ticket['id']}", f"/api/tickets/{SOME_ID}", "/healthz"):
        got, head = await client.get(path), await client.head(path)
        assert (head.status_code, head.content) == (got.status_code, b"")
        assert head.headers["content-length"] == str(len(got.content))


# ── Headers ───────────────────────────────────────────────────────────────────────────────────────

SAFE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}


async def every_kind_of_answer(client: httpx.AsyncClient) -> list[httpx.Response]:
    huge = b"x" * 20_000
    return [
        await client.get("/api/tickets"),
        await client.get("/api/users/currentuser"),
        await client.post("/api/users/signout"),
        await client.get("/healthz"),
        await client.get("/nowhere"),
        await client.post("/api/orders", content=b"{", headers={"content-type": "application/json"}),
        await client.post("/api/orders", content=b"x", headers={"content-type": "text/plain"}),
        await client.post("/api/orders", content=huge),
        await client.put("/api/orders"),
        await client.options("/api/orders"),
        await client.post("/api/orders", headers={"sec-fetch-site": "cross-site"}),
    ]


async def test_every_answer_has_the_headers_that_keep_browsers_safe(shop: Shop) -> None:
    for response in await every_kind_of_answer(shop.client("somebody")):
        assert SAFE.items() <= dict(response.headers).items(), response
        assert not {"server", "x-powered-by", "strict-transport-security"} & set(response.headers)


async def test_over_https_every_answer_asks_for_https_and_cookies_are_secure(open_shop: Open) -> None:
    shop: Shop = await open_shop(secure_cookies=True)
    for response in await every_kind_of_answer(shop.client("somebody")):
        assert response.headers["strict-transport-security"] == "max-age=63072000; includeSubDomains"
    user = {"email": "test@test.com", "password": "password"}
    response = await shop.client().post("/api/users/signup", json=user)
    assert response.headers["set-cookie"].endswith("; path=/; httponly; samesite=lax; secure")


async def test_https_is_believed_of_a_trusted_proxy_only(open_shop: Open) -> None:
    told = {"x-forwarded-proto": "https"}
    user = {"email": "test@test.com", "password": "password"}
    trusting: Shop = await open_shop(trusted_proxies=("127.0.0.1",))
    response = await trusting.client().post("/api/users/signup", json=user, headers=told)
    assert "; secure" in response.headers["set-cookie"]
    response = await trusting.client().post("/api/users/signin", json=user)
    assert "; secure" not in response.headers["set-cookie"]


async def test_https_is_not_believed_of_anybody(shop: Shop) -> None:
    user = {"email": "test@test.com", "password": "password"}
    told = {"x-forwarded-proto": "https"}
    response = await shop.client().post("/api/users/signup", json=user, headers=told)
    assert "; secure" not in response.headers["set-cookie"]


async def test_while_draining_connections_are_not_kept_and_requests_still_served(shop: Shop) -> None:
    client = shop.client()
    assert "connection" not in (await client.get("/api/tickets")).headers
    shop.application.drain()
    for path, status in (("/api/tickets", 200), ("/nowhere", 404), ("/readyz", 503), ("/livez", 200)):
        response = await client.get(path)
        assert (response.status_code, response.headers["connection"]) == (status, "close")


# ── The request id ────────────────────────────────────────────────────────────────────────────────


async def test_a_request_id_is_taken_over_and_becomes_the_correlation_of_every_event(shop: Shop) -> None:
    given = "order_of-2026-11-22"
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    response = await shop.client("seller").post(
        "/api/tickets",
        json={"title": "concert", "price": 1},
        headers={"x-request-id": given, "traceparent": trace},
    )
    assert response.headers["x-request-id"] == given
    (recorded,) = await shop.log()
    assert (recorded.metadata.correlation, recorded.metadata.traceparent) == (given, trace)


@pytest.mark.parametrize("given", [None, "short", "x" * 65, "with blanks in it", "näme-of-it", "a;b=c-d-e-f"])
async def test_otherwise_one_is_made(shop: Shop, given: str | None) -> None:
    headers = raw({} if given is None else {"x-request-id": given})
    ids = set()
    for _ in range(2):
        response = await shop.client().get("/api/tickets", headers=headers)
        ids.add(response.headers["x-request-id"])
    assert len(ids) == 2
    assert given not in ids


async def test_two_buyers_with_one_request_id_do_not_share_a_ticket(shop: Shop) -> None:
    ticket = await shop.listed()
    same = {"x-request-id": "the-same-for-all"}
    body = {"ticketId": ticket["id"]}
    orders = (shop.client(f"buyer{n}").post("/api/orders", json=body, headers=same) for n in range(8))
    statuses = sorted(response.status_code for response in await asyncio.gather(*orders))
    assert statuses == [201] + [400] * 7


async def test_each_request_has_one_line_in_the_log(shop: Shop) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        shop.application.asgi._log = structlog.get_logger("admitone.http").bind()
        await shop.client("somebody").get("/api/orders/", headers={"x-request-id": "request-1"})
    (line,) = [line for line in lines if line["event"] == "request"]
    assert line.pop("ms") > 0
    assert line == {
        "event": "request",
        "log_level": "info",
        "method": "GET",
        "path": "/api/orders/",
        "status": 200,
        "user": "somebody",
        "request_id": "request-1",
    }


# ── Limits ────────────────────────────────────────────────────────────────────────────────────────


async def test_the_101st_request_within_a_minute_is_429_and_health_is_exempt(open_shop: Open) -> None:
    shop: Shop = await open_shop(rate_limit=100)
    client = shop.client("somebody")
    statuses = [(await client.get("/api/users/currentuser")).status_code for _ in range(100)]
    assert statuses == [200] * 100
    for path in ("/api/users/currentuser", "/nowhere"):
        response = await client.get(path)
        assert (response.status_code, message(response)) == (429, "Too many requests")
        assert 1 <= int(response.headers["retry-after"]) <= 60

    async def ready() -> bool:
        response = await client.get("/readyz")
        assert response.status_code != 429
        return response.status_code == 200

    await soon(ready)
    assert [(await client.get(path)).status_code for path in HEALTH] == [200, 200, 200]


async def test_two_processes_count_together(open_shop: Open, tmp_path: Path) -> None:
    shops: list[Shop] = [await open_shop(rate_limit=10, workers=2) for _ in range(2)]
    statuses = [(await shops[n % 2].client().get("/api/users/currentuser")).status_code for n in range(11)]
    assert statuses == [200] * 10 + [429]


async def test_each_address_counts_for_itself_behind_a_trusted_proxy_only(open_shop: Open) -> None:
    trusting: Shop = await open_shop(rate_limit=2, trusted_proxies=("127.0.0.0/8", "10.0.0.0/8"))

    async def status(shop: Shop, forwarded: str) -> int:
        headers = {"x-forwarded-for": forwarded}
        return (await shop.client().get("/api/users/currentuser", headers=headers)).status_code

    for address in ("1.1.1.1", "2.2.2.2"):
        assert [await status(trusting, f"9.9.9.9, {address}, 10.1.1.1") for _ in range(3)] == [200, 200, 429]
    assert await status(trusting, "garbage") == 200


async def test_nobody_else_can_say_where_he_comes_from(open_shop: Open) -> None:
    shop: Shop = await open_shop(rate_limit=2)
    client = shop.client()
    statuses = [
        (await client.get("/api/users/currentuser", headers={"x-forwarded-for": f"1.1.1.{n}"})).status_code
        for n in range(3)
    ]
    assert statuses == [200, 200, 429]


# ── Other sites ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1:8000"},
        {"sec-fetch-site": "same-site", "origin": "http://evil.127.0.0.1:8000"},
        {"origin": "https://evil.example"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "null"},
        {"origin": ""},
    ],
)
async def test_another_sites_page_cannot_make_a_browser_act(shop: Shop, headers: dict[str, str]) -> None:
    client = shop.client("seller")
    head = shop.head()
    response = await client.post("/api/tickets", data={"title": "a", "price": "1"}, headers=headers)
    assert response.status_code == 403
    assert errors(response)
    assert shop.head() == head
    # It may look, for its reader could look himself; it is not shown what is seen.
    response = await client.get("/api/tickets", headers=headers)
    assert response.status_code == 200
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize(
    "headers",
    [{}, {"origin": "http://127.0.0.1:8000"}, {"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}],
)
async def test_our_own_pages_and_programs_can(shop: Shop, headers: dict[str, str]) -> None:
    body = {"title": "a", "price": 1}
    made(await shop.client("seller").post("/api/tickets", json=body, headers=headers))


async def test_a_page_of_an_allowed_origin_calls_with_credentials_and_another_does_not(
    open_shop: Open,
) -> None:
    ours, theirs = {"origin": "https://tickets.example"}, {"origin": "https://evil.example"}
    shop: Shop = await open_shop(origins=("https://tickets.example",))
    client = shop.client("seller")
    body = {"title": "a", "price": 1}
    response = await client.post("/api/tickets", json=body, headers={**ours, "sec-fetch-site": "cross-site"})
    made(response)
    assert response.headers["access-control-allow-origin"] == "https://tickets.example"
    assert response.headers["access-control-allow-credentials"] == "true"
    assert (await client.post("/api/tickets", json=body, headers=theirs)).status_code == 403

    asks = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    allowed = await client.options("/api/tickets", headers={**ours, **asks})
    assert allowed.status_code == 204
    assert "POST" in allowed.headers["access-control-allow-methods"]
    assert allowed.headers["access-control-allow-credentials"] == "true"
    refused = await client.options("/api/tickets", headers={**theirs, **asks})
    assert not [name for name in refused.headers if name.startswith("access-control")]
