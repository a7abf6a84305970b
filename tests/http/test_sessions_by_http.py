"""Sessions as requests carry them: under which name, in which house, and what they open."""

import re
from typing import Any

import pytest

from tests.http.shop import KEY, SOME_ID, Shop, forged, made
from tests.http.test_sessions import REFUSED

GOOD = {"email": "test@test.com", "password": "password"}


@pytest.mark.parametrize("name", ["session", "express:sess"])
async def test_a_session_is_read_under_either_classic_name(shop: Shop, name: str) -> None:
    response = await shop.client("somebody", cookie=name).get("/api/users/currentuser")
    user = {"id": "somebody", "email": "somebody@test.com", "iat": 1_600_000_000}
    assert response.json() == {"currentUser": user}


async def test_a_session_that_does_not_hold_does_not_hide_one_that_does(shop: Shop) -> None:
    client = shop.client("somebody", cookie="express:sess")
    client.cookies.set("session", "garbage")
    assert (await client.get("/api/users/currentuser")).json()["currentUser"]["id"] == "somebody"


@pytest.mark.parametrize("name", ["session", "express:sess", "tickets"])
async def test_a_house_may_name_its_cookie_otherwise_and_still_reads_the_classic_names(
    open_shop: Any, name: str
) -> None:
    shop: Shop = await open_shop(session_cookie="tickets")
    client = shop.client()
    response = await client.post("/api/users/signup", json=GOOD)
    assert response.headers["set-cookie"].startswith("tickets=")
    value = client.cookies["tickets"]
    other = shop.client()
    other.cookies.set(name, value)
    assert (await other.get("/api/users/currentuser")).json()["currentUser"]["email"] == GOOD["email"]
    response = await client.post("/api/users/signout")
    assert response.headers["set-cookie"].startswith("tickets=; path=/; expires=")


async def test_classic_sessions_count_only_where_they_are_switched_on(open_shop: Any) -> None:
    shop: Shop = await open_shop(classic_sessions=False)
    client = shop.client("somebody")
    assert (await client.get("/api/users/currentuser")).json() == {"currentUser": None}
    assert (await client.get("/api/orders")).status_code == 401
    ours = shop.client()
    made(await ours.post("/api/users/signup", json=GOOD))
    assert (await ours.get("/api/orders")).status_code == 200


async def test_a_key_is_changed_without_signing_anybody_out(open_shop: Any) -> None:
    new = b"a newer key of the house, also long enough"
    old: Shop = await open_shop()
    client = old.client()
    made(await client.post("/api/users/signup", json=GOOD))
    rotated: Shop = await open_shop(jwt_key=(new, KEY))
    after = rotated.client()
    after.cookies.set("session", client.cookies["session"])
    assert (await after.get("/api/orders")).status_code == 200
    newcomer = rotated.client()
    made(await newcomer.post("/api/users/signup", json={**GOOD, "email": "second@test.com"}))
    later: Shop = await open_shop(jwt_key=(new,))
    last = later.client()
    last.cookies.set("session", newcomer.cookies["session"])
    assert (await last.get("/api/orders")).status_code == 200


async def test_what_does_not_hold_opens_no_route_that_needs_a_session(shop: Shop) -> None:
    guarded = [route for route in shop.application.asgi.routes if route.signed_in]
    assert len(guarded) >= 10
    head = shop.head()
    for what, value in {**REFUSED, "another house's": forged("u", key=b"x" * 40)}.items():
        client = shop.client()
        headers = {"cookie": f"session={value}; express:sess={value}"}
        assert (await client.get("/api/users/currentuser", headers=headers)).json() == {"currentUser": None}
        for route in guarded:
            path = re.sub(r":\w+", SOME_ID, route.path)
            response = await client.request(route.method, path, headers=headers)
            assert response.status_code == 401, (what, route.method, route.path)
    assert shop.head() == head
