"""The conformance suite of the classic surface: users and sessions, rows 1 to 12.

The numbers are those of the reference's suite, drawn from the test suites of twelve such projects. What a
row says about published events is checked in the log: it is what is published here.
"""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.http.shop import Shop, errors, fields, made, message

GOOD = {"email": "test@test.com", "password": "password"}
CLEARED = "session=; path=/; expires=Thu, 01 Jan 1970 00:00:00 GMT; httponly"


async def test_01_signing_up_answers_201_with_the_user_and_no_password(shop: Shop) -> None:
    response = await shop.client().post("/api/users/signup", json=GOOD)
    assert response.status_code == 201
    assert set(response.json()) == {"email", "id"}
    assert response.json()["email"] == "test@test.com"


@pytest.mark.parametrize("email", ["asdf", "", None, 7, "a@b"])
async def test_02_signing_up_with_a_bad_address_is_refused(shop: Shop, email: Any) -> None:
    response = await shop.client().post("/api/users/signup", json={"email": email, "password": "password"})
    assert response.status_code == 400
    assert errors(response) == [{"message": "Email must be valid", "field": "email"}]


@pytest.mark.parametrize("password", ["p", "abc", "  abc  ", "x" * 21, None, 12345])
async def test_03_signing_up_with_a_password_too_short_or_too_long_is_refused(
    shop: Shop, password: Any
) -> None:
    body = {"email": "test@test.com", "password": password}
    response = await shop.client().post("/api/users/signup", json=body)
    assert response.status_code == 400
    assert errors(response) == [
        {"message": "Password must be between 4 and 20 characters", "field": "password"}
    ]


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        ({"email": "test@test.com"}, ["password"]),
        ({"password": "password"}, ["email"]),
        ({}, ["email", "password"]),
    ],
)
async def test_04_signing_up_without_a_field_is_refused(
    shop: Shop, body: dict[str, str], missing: list[str]
) -> None:
    response = await shop.client().post("/api/users/signup", json=body)
    assert response.status_code == 400
    assert fields(response) == missing


async def test_05_an_address_signs_up_once(shop: Shop) -> None:
    made(await shop.client().post("/api/users/signup", json=GOOD))
    response = await shop.client().post("/api/users/signup", json=GOOD)
    assert response.status_code == 400
    assert errors(response) == [{"message": "Email in use"}]


async def test_06_signing_up_sets_the_session_cookie(shop: Shop) -> None:
    response = await shop.client().post("/api/users/signup", json=GOOD)
    value, *attributes = response.headers["set-cookie"].split("; ")
    assert value.startswith("session=")
    assert attributes == ["path=/", "httponly", "samesite=lax"]


async def test_07_signing_in_with_an_unknown_address_is_refused(shop: Shop) -> None:
    response = await shop.client().post("/api/users/signin", json=GOOD)
    assert (response.status_code, message(response)) == (400, "Invalid credentials")


async def test_08_signing_in_with_a_wrong_password_is_refused(shop: Shop) -> None:
    made(await shop.client().post("/api/users/signup", json=GOOD))
    response = await shop.client().post("/api/users/signin", json={**GOOD, "password": "wrong"})
    assert (response.status_code, message(response)) == (400, "Invalid credentials")
    assert "set-cookie" not in response.headers


async def test_09_signing_in_answers_200_with_the_user_and_a_cookie(shop: Shop) -> None:
    user = made(await shop.client().post("/api/users/signup", json=GOOD))
    response = await shop.client().post("/api/users/signin", json={**GOOD, "password": "  password  "})
    assert (response.status_code, response.json()) == (200, user)
    assert response.headers["set-cookie"].startswith("session=")


async def test_09_signing_in_without_a_password_is_refused(shop: Shop) -> None:
    response = await shop.client().post("/api/users/signin", json={**GOOD, "password": "  "})
    assert response.status_code == 400
    assert errors(response) == [{"message": "You must supply a password", "field": "password"}]


@pytest.mark.parametrize("body", [{"json": {}}, {}])
async def test_10_signing_out_clears_the_cookie_with_the_very_string(
    shop: Shop, body: dict[str, Any]
) -> None:
    client = shop.client()
    made(await client.post("/api/users/signup", json=GOOD))
    response = await client.post("/api/users/signout", **body)
    assert (response.status_code, response.json()) == (200, {})
    assert response.headers.get_list("set-cookie") == [CLEARED]
    assert (await client.get("/api/users/currentuser")).json() == {"currentUser": None}


async def test_10_signing_out_ends_a_session_under_the_other_name_as_well(shop: Shop) -> None:
    client = shop.client("somebody", cookie="express:sess")
    response = await client.post("/api/users/signout")
    assert response.headers.get_list("set-cookie") == [CLEARED, CLEARED.replace("session=", "express:sess=")]


@pytest.mark.parametrize(
    "path",
    [
        "/api/users/currentuser",
        "/api/users/currentUser",
        "/api/users/current-user",
        "/api/users/me",
        "/API/Users/CurrentUser/",
    ],
)
async def test_11_the_current_user_is_told_under_every_name(shop: Shop, path: str) -> None:
    client = shop.client()
    user = made(await client.post("/api/users/signup", json=GOOD))
    response = await client.get(path)
    assert response.status_code == 200
    current = response.json()["currentUser"]
    assert abs(current.pop("iat") - datetime.now(UTC).timestamp()) < 60
    assert current == user


async def test_12_without_a_session_the_current_user_is_null(shop: Shop) -> None:
    response = await shop.client().get("/api/users/currentuser")
    assert (response.status_code, response.json()) == (200, {"currentUser": None})
