"""The history of a ticket and the explanation of an order: what is told, to whom, in which form."""

import json
import re
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from gateways.analysis.catalogue import as_json, entries
from gateways.http.pages import _marked
from tests.http.shop import SOME_ID, Shop, made

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


async def history(
    shop: Shop, ticket: dict[str, Any], user: str | None = None, **headers: str
) -> httpx.Response:
    return await shop.client(user).get(f"/api/v1/tickets/{ticket['id']}/history", headers=headers)


async def explained(shop: Shop, order: dict[str, Any], user: str | None, **headers: str) -> httpx.Response:
    return await shop.client(user).get(f"/api/v1/orders/{order['id']}/explain", headers=headers)


async def paid(shop: Shop, order: dict[str, Any], token: str = "tok_visa") -> httpx.Response:
    body = {"orderId": order["id"], "token": token}
    return await shop.client("buyer").post("/api/payments", json=body)


# ── What is told ──────────────────────────────────────────────────────────────────────────────────


async def test_the_history_of_a_ticket_tells_each_event_with_prices_and_holders(shop: Shop) -> None:
    ticket = await shop.listed(price=12.5)
    first = await shop.ordered(ticket, "somebody")
    await shop.client("somebody").delete(f"/api/orders/{first['id']}")
    order = await shop.ordered(ticket)
    made(await paid(shop, order))
    told = (await history(shop, ticket, "buyer")).json()
    assert [(entry["event"], entry["holder"]) for entry in told["history"]] == [
        ("TicketListed", None),
        ("TicketReserved", "buyer 1"),
        ("TicketReleased", None),
        ("TicketReserved", "you"),
        ("TicketSold", "you"),
    ]
    assert {(entry["price"], entry["currency"]) for entry in told["history"]} == {(12.5, "usd")}
    assert [entry["who"] for entry in told["history"]] == ["the seller", "buyer 1", "buyer 1", "you", "you"]
    assert told["history"][2]["why"] == "cancelled by the buyer"
    assert told["position"] == told["history"][-1]["position"]
    assert [entry["lasted"] is None for entry in told["history"]] == [False] * 4 + [True]


async def test_nobody_reads_an_account_of_somebody_else(shop: Shop) -> None:
    ticket = await shop.listed("sellers-account")
    order = await shop.ordered(ticket, "buyers-account")
    for reader in (None, "a-stranger", "buyers-account"):
        for form in ("application/json", "text/html"):
            text = (await history(shop, ticket, reader, accept=form)).text
            assert "-account" not in text, (reader, form)
    for reader in ("sellers-account", "buyers-account"):
        for form in ("application/json", "text/html"):
            answer = await explained(shop, order, reader, accept=form)
            assert answer.status_code == 200
            assert "-account" not in answer.text, (reader, form)


async def test_an_explanation_is_for_the_buyer_and_the_seller_alone(shop: Shop) -> None:
    order = await shop.ordered(await shop.listed())
    answers = [(await explained(shop, order, who)).status_code for who in ("buyer", "seller", "other", None)]
    assert answers == [200, 200, 403, 401]


async def test_an_order_says_why_it_is_so_and_what_comes_next_and_when(shop: Shop) -> None:
    order = await shop.ordered(await shop.listed())
    told = (await explained(shop, order, "buyer")).json()
    assert (told["status"], told["nextAt"], told["over"]) == ("created", order["expiresAt"], False)
    assert "OrderPlaced" in told["because"][1]
    assert "OrderCancelled" in told["next"]
    made(await paid(shop, order))
    told = (await explained(shop, order, "buyer")).json()
    assert (told["status"], told["nextAt"], told["over"]) == ("complete", None, True)
    assert "OrderCompleted" in told["because"][-1]


async def test_what_the_bank_said_is_told_to_the_buyer_and_not_to_the_seller(shop: Shop) -> None:
    order = await shop.ordered(await shop.listed())
    declined = (await paid(shop, order, "tok_chargeDeclined")).json()["errors"][0]["message"]
    for form in ("application/json", "text/html"):
        assert declined in (await explained(shop, order, "buyer", accept=form)).text
        assert declined not in (await explained(shop, order, "seller", accept=form)).text


# ── In which form ─────────────────────────────────────────────────────────────────────────────────


async def test_errors_of_the_new_surface_are_problem_details(shop: Shop) -> None:
    order = await shop.ordered(await shop.listed())
    answers = [
        await shop.client().get(f"/api/v1/tickets/{SOME_ID}/history"),
        await explained(shop, order, "other"),
        await shop.client().get(f"/api/v1/orders/{SOME_ID}/explain"),
        await shop.client().post(f"/api/v1/tickets/{SOME_ID}/history"),
        await shop.client().get("/api/v1/nothing/of/the/kind"),
    ]
    assert [answer.status_code for answer in answers] == [404, 403, 401, 405, 404]
    for answer in answers:
        assert answer.headers["content-type"] == "application/problem+json"
        body = answer.json()
        assert (body["type"], body["status"]) == ("about:blank", answer.status_code)
        assert body["title"]
        assert body["detail"]
    classic = await shop.client().get(f"/api/tickets/{SOME_ID}")
    assert classic.json() == {"errors": [{"message": "Not Found"}]}


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        (BROWSER["accept"], True),
        ("text/html", True),
        ("TEXT/HTML;Q=0.9, */*;q=0.8", True),
        ("*/*", False),
        ("text/*, application/json", False),
        ("application/json", False),
        ("text/html;q=0.5, application/json;q=0.9", False),
        ("text/html;q=nonsense", False),
        ("", False),
    ],
)
async def test_a_page_is_for_whoever_would_rather_have_one(shop: Shop, accept: str, *, html: bool) -> None:
    ticket = await shop.listed()
    for path, status in (
        (f"/api/v1/tickets/{ticket['id']}/history", 200),
        ("/api/v1/tickets/x/history", 404),
    ):
        answer = await shop.client().get(path, headers={"accept": accept})
        assert answer.status_code == status
        assert answer.headers["content-type"].startswith("text/html") == html
        if status == 200:
            assert answer.headers["vary"] == "accept, cookie"


class Reader(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


async def test_a_page_stands_alone_names_itself_and_shows_strangers_words_as_words(shop: Shop) -> None:
    title = "<script>alert('x')</script> & \"front\" row"
    ticket = await shop.listed(title=title)
    order = await shop.ordered(ticket)
    made(await paid(shop, order))
    for answer in (await history(shop, ticket, **BROWSER), await explained(shop, order, "buyer", **BROWSER)):
        assert answer.status_code == 200
        page = Reader(answer.text)
        assert page.open == []
        names = [tag for tag, _ in page.tags]
        assert not {"script", "link", "img", "iframe", "form"} & set(names)
        assert not [attrs for _, attrs in page.tags if {"src", "style", "onclick"} & set(attrs)]
        assert [attrs["href"] for _, attrs in page.tags if "href" in attrs] == ["/"]
        assert (names.count("h1"), names.count("main"), names.count("title")) == (1, 1, 1)
        assert page.tags[0] == ("html", {"lang": "en"})
        assert title in page.words
        policy = answer.headers.get_list("content-security-policy")
        assert len(policy) == 1
        assert re.search(r"default-src 'none'.*; style-src 'sha256-[A-Za-z0-9+/=]{44}'$", policy[0])


async def test_who_has_an_answer_already_is_not_sent_it_again(shop: Shop) -> None:
    ticket = await shop.listed()
    first = await history(shop, ticket)
    again = await history(shop, ticket, **{"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert (await history(shop, ticket, **{"if-none-match": '"other"'})).status_code == 200
    page = await history(shop, ticket, **BROWSER)
    assert page.headers["etag"] != first.headers["etag"]
    await shop.ordered(ticket)
    changed = await history(shop, ticket, **{"if-none-match": first.headers["etag"]})
    assert (changed.status_code, len(changed.json()["history"])) == (200, 2)


# ── What can happen ───────────────────────────────────────────────────────────────────────────────


async def test_the_catalogue_of_events_is_published_as_a_page_and_for_programs(shop: Shop) -> None:
    path = "/api/v1/events/catalogue"
    told = await shop.client().get(path)
    assert (told.status_code, told.headers["content-type"]) == (200, "application/json")
    assert told.json() == json.loads(as_json()), "it is what the command prints"
    answer = await shop.client().get(path, headers=BROWSER)
    page = Reader(answer.text)
    assert (answer.status_code, page.open) == (200, [])
    names = [tag for tag, _ in page.tags]
    assert not {"script", "link", "img", "iframe", "form"} & set(names)
    assert not [attrs for _, attrs in page.tags if {"src", "style", "onclick"} & set(attrs)]
    assert len(answer.headers.get_list("content-security-policy")) == 1
    headings = {attrs["id"] for tag, attrs in page.tags if tag == "h2"}
    links = {
        str(attrs["href"]).removeprefix("#")
        for _, attrs in page.tags
        if attrs.get("href") != "/" and "href" in attrs
    }
    assert headings == links == {entry.type for entry in entries()}
    for entry in entries():
        assert all(
            words in page.words for words in (entry.meaning, *(field.meaning for field in entry.fields))
        )
    assert "`" not in page.words
    for seen in (told, answer):
        accept = {"accept": "text/html"} if seen is answer else {}
        again = await shop.client().get(path, headers={"if-none-match": seen.headers["etag"], **accept})
        assert (again.status_code, again.content) == (304, b"")


# ── What is for sale ──────────────────────────────────────────────────────────────────────────────


async def test_whoever_opens_the_shop_in_a_browser_sees_what_is_for_sale(shop: Shop) -> None:
    title = "<b>Front</b> row"
    offered = await shop.listed(title=title, price=1249.5)
    taken = await shop.listed(title="Gone")
    before = int((await history(shop, offered)).json()["position"])
    await shop.ordered(taken)
    answer = await shop.client("buyer").get("/", headers=BROWSER)
    page = Reader(answer.text)
    assert (answer.status_code, page.open) == (200, [])
    assert title in page.words
    assert "Gone" not in page.words
    assert "1,249.50 USD" in page.words
    assert "One ticket can be bought now" in page.words
    assert f"/api/v1/tickets/{offered['id']}/history" in answer.text
    then = await shop.client("buyer").get(f"/?asOf={before}", headers=BROWSER)
    assert then.headers["admitone-as-of"] == str(before)
    assert "for sale" in (await shop.client("buyer").get(f"/?asOf={before - 1}", headers=BROWSER)).text
    assert (await shop.client("buyer").get("/?asOf=garbage", headers=BROWSER)).status_code == 400
    assert (await shop.client("buyer").get("/")).status_code == 404, "for programs it is as it always was"


async def test_a_page_for_people_shows_fifty_offers_and_the_way_to_the_rest(shop: Shop) -> None:
    for number in range(52):
        await shop.listed(title=f"Seat {number:02d}")
    first = (await shop.client("seller").get("/", headers=BROWSER)).text
    assert first.count('class="price"') == 50
    onward = next(attrs["href"] or "" for _, attrs in Reader(first).tags if attrs.get("rel") == "next")
    second = (await shop.client("seller").get(onward, headers=BROWSER)).text
    assert ("Seat 50" in second, "Seat 51" in second, second.count('class="price"')) == (True, True, 2)
    assert 'rel="next"' not in second


def test_times_ids_and_events_are_marked_as_such_and_strangers_words_stay_words() -> None:
    told = _marked("<i>9a31c07be25f4d8890b6e1aa</i> at 2026-11-22 20:15:00 UTC (OrderPlaced) (Ed) (ABC)")
    assert told == (
        "&lt;i&gt;<code>9a31c07be25f4d8890b6e1aa</code>&lt;/i&gt; at "
        '<time datetime="2026-11-22T20:15:00Z">2026-11-22 20:15:00 UTC</time> '
        "(<code>OrderPlaced</code>) (Ed) (ABC)"
    )


async def test_whoever_is_not_signed_in_is_told_what_to_do_in_plain_words(shop: Shop) -> None:
    page = Reader((await shop.client().get(f"/api/v1/orders/{SOME_ID}/explain", headers=BROWSER)).text)
    assert "Please sign in" in page.words


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/?asOf=garbage", 400, "asOf:"),
        ("/?asOf=999999", 400, "the log has not reached position 999999"),
        ("/?after=garbage", 400, "after must come from the Link header"),
    ],
)
async def test_a_browser_is_told_in_a_page_what_is_wrong_with_the_front_page(
    shop: Shop, path: str, status: int, says: str
) -> None:
    answer = await shop.client().get(path, headers=BROWSER)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "style-src 'sha256-" in answer.headers["content-security-policy"]
    assert says in answer.text
    refused = await shop.client().post("/", headers=BROWSER)
    assert (refused.status_code, refused.headers["content-type"]) == (405, "text/html; charset=utf-8")
    for programs in (await shop.client().get(path), await shop.client().get("/api/tickets", headers=BROWSER)):
        assert programs.headers["content-type"] == "application/json"
