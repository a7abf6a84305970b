"""The OpenAPI document tells of what is served, and nothing else is answered."""

import asyncio
import re
from typing import Any

import httpx
from msgspec import Struct

from gateways.http.openapi import ANY_ROUTE
from tests.http.shop import BEARER, SOME_ID, Shop, soon

TICKETS, TICKET = "/api/tickets", "/api/tickets/{ticket}"
PAYMENT = "/api/v1/payments/{payment}"
PACK = "/api/v1/payments/{payment}/dispute-pack"
HISTORY, EXPLAIN = "/api/v1/tickets/{ticket}/history", "/api/v1/orders/{order}/explain"
KEYS, EVENTS = "/.well-known/jwks.json", "/api/v1/events/catalogue"
RECEIPT = "/api/v1/tickets/{ticket}/receipt"
ORDERS, ORDER, CANCEL = "/api/orders", "/api/orders/{order}", "/api/orders/cancel/{order}"
GOOD = {"email": "test@test.com", "password": "password"}


class Told(Struct):
    """One request and what came of it."""

    route: str
    method: str
    response: httpx.Response


def resolve(document: Any, schema: Any) -> Any:
    while "$ref" in schema:
        found = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    return schema


TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": int | float,
    "null": type(None),
}


def fits(document: Any, schema: Any, value: Any) -> bool:
    """Whether ``value`` is what ``schema`` says, as far as our document uses JSON Schema."""
    schema = resolve(document, schema)
    if "anyOf" in schema:
        return any(fits(document, each, value) for each in schema["anyOf"])
    if "enum" in schema and value not in schema["enum"]:
        return False
    if "const" in schema and value != schema["const"]:
        return False
    if "type" in schema and not isinstance(value, TYPES[schema["type"]]):
        return False
    if isinstance(value, list):
        return all(fits(document, schema.get("items", {}), each) for each in value)
    if isinstance(value, dict):
        known = schema.get("properties", {})
        rest = schema.get("additionalProperties", True)
        return set(schema.get("required", ())) <= set(value) and all(
            fits(document, known[name], each)
            if name in known
            else (rest if isinstance(rest, bool) else fits(document, rest, each))
            for name, each in value.items()
        )
    return True


async def document_of(shop: Shop) -> Any:
    response = await shop.client().get("/schema/openapi.json")
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    return response.json()


async def test_the_document_tells_of_every_route_and_of_no_other(shop: Shop) -> None:
    document = await document_of(shop)
    told = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    served = {
        (route.method, re.sub(r":(\w+)", r"{\1}", route.path)) for route in shop.application.asgi.routes
    }
    assert told == served
    operations = [operation for item in document["paths"].values() for operation in item.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(operation["summary"] for operation in operations)


async def test_every_reference_of_the_document_leads_somewhere(shop: Shop) -> None:
    document = await document_of(shop)

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if "$ref" in node:
                assert resolve(document, node)
            for each in node.values():
                walk(each)
        elif isinstance(node, list):
            for each in node:
                walk(each)

    walk(document)
    assert document["openapi"] == "3.1.0"


async def test_routes_that_need_a_session_say_so_and_do(shop: Shop) -> None:
    document = await document_of(shop)
    assert document["components"]["securitySchemes"]["session"]["name"] == "session"
    for route in shop.application.asgi.routes:
        operation = document["paths"][re.sub(r":(\w+)", r"{\1}", route.path)][route.method.lower()]
        path = re.sub(r":\w+", SOME_ID, route.path)
        response = await shop.client().request(route.method, path)
        assert ("security" in operation) == (response.status_code == 401), (route.method, route.path)


async def test_no_page_loads_anything_from_elsewhere(shop: Shop) -> None:
    for path in ("/schema", "/schema/swagger", "/schema/redoc", "/schema/elements", "/docs"):
        assert (await shop.client().get(path)).status_code == 404


class Story:
    """Requests to every route, with every outcome that can be had without breaking something."""

    def __init__(self, shop: Shop) -> None:
        self.seller, self.buyer, self.other = [shop.client(who) for who in ("seller", "buyer", "other")]
        self.nobody = shop.client()
        self.told: list[Told] = []

    async def ask(
        self, client: httpx.AsyncClient, method: str, route: str, key: str = SOME_ID, **sent: Any
    ) -> Any:
        response = await client.request(method, re.sub(r"{\w+}", key, route), **sent)
        self.told.append(Told(route, method.lower(), response))
        return response.json() if response.content else None

    async def users(self) -> None:
        for name in ("signup", "signup", "signin", "signout"):
            await self.ask(self.nobody, "POST", f"/api/users/{name}", json=GOOD)
        for name in ("signup", "signin"):
            await self.ask(self.nobody, "POST", f"/api/users/{name}", json={})
            await self.ask(self.nobody, "POST", f"/api/users/{name}", content=b"x")
        for name in ("currentuser", "current-user", "me"):
            await self.ask(self.seller, "GET", f"/api/users/{name}")
            await self.ask(self.nobody, "GET", f"/api/users/{name}")

    async def tickets(self) -> list[str]:
        """The ids of five tickets for sale."""
        listings = [{"title": f"concert {n}", "price": 1.5 * n} for n in range(1, 6)]
        ids = [(await self.ask(self.seller, "POST", TICKETS, json=listing))["id"] for listing in listings]
        for client, body in (
            (self.nobody, {}),
            (self.seller, {}),
            (self.seller, {"title": "x", "price": 1}),
        ):
            await self.ask(client, "POST", TICKETS, json=body)
            await self.ask(client, "PUT", TICKET, ids[0], json=body)
            await self.ask(client, "PUT", TICKET, json=body)
        for query in ("", "limit=1", "limit=0", "q=concert&sort=price", "userId=seller&forProfilePage=true"):
            await self.ask(self.buyer, "GET", TICKETS, params=query)
        await self.ask(self.nobody, "GET", "/api/tickets/search/{text}", "concert")
        return ids

    async def orders(self, ids: list[str]) -> None:
        held = [
            (await self.ask(self.buyer, "POST", ORDERS, json={"ticketId": each}))["id"] for each in ids[:4]
        ]
        await self.ask(self.other, "POST", ORDERS, json={"ticketId": ids[0]})
        for path in (ORDERS, "/api/payments"):
            await self.ask(self.nobody, "POST", path, json={})
            await self.ask(self.buyer, "POST", path, json={})
        paid: dict[str, Any] = {}
        for token in ("tok_chargeDeclined", "tok_visa", "tok_visa"):
            body = {"token": token, "orderId": held[0]}
            paid |= await self.ask(self.buyer, "POST", "/api/payments", json=body)
        for client, headers in ((self.nobody, {}), (self.other, {}), (self.buyer, {}), (self.nobody, BEARER)):
            for key in (paid["id"], SOME_ID):
                await self.ask(client, "GET", PAYMENT, key, headers=headers)
                await self.ask(client, "GET", PACK, key, headers=headers)
        for client in (self.nobody, self.other, self.buyer):
            await self.ask(client, "GET", ORDERS)
            for key in (held[0], SOME_ID):
                await self.ask(client, "GET", EXPLAIN, key)
                await self.ask(client, "GET", ORDER, key)
                await self.ask(client, "DELETE", ORDER, key)
                await self.ask(client, "PATCH", ORDER, key)
                await self.ask(client, "PATCH", CANCEL, key)
        for (method, path), key in zip(
            (("DELETE", ORDER), ("PATCH", ORDER), ("PATCH", CANCEL)), held[1:], strict=True
        ):
            await self.ask(self.buyer, method, path, key)

    async def ends(self, ids: list[str]) -> None:
        for client in (self.nobody, self.other, self.seller):
            for key in (ids[0], ids[4], SOME_ID):
                await self.ask(client, "GET", HISTORY, key)
                await self.ask(client, "GET", RECEIPT, key)
                await self.ask(client, "GET", TICKET, key)
                await self.ask(client, "DELETE", TICKET, key)

    async def operations(self) -> None:
        async def ready() -> bool:
            return (await self.nobody.get("/readyz")).status_code == 200

        await soon(ready)
        for path in ("/healthz", "/livez", "/readyz", "/schema/openapi.json", KEYS, EVENTS):
            await self.ask(self.nobody, "GET", path)


async def whole_story(shop: Shop) -> list[Told]:
    story = Story(shop)
    await story.users()
    ids = await story.tickets()
    await story.orders(ids)
    await story.ends(ids)
    await story.operations()
    shop.application.drain()
    await story.ask(story.nobody, "GET", "/readyz")
    return story.told


async def test_whatever_is_answered_is_in_the_document(shop: Shop) -> None:
    document = await document_of(shop)
    told = await whole_story(shop)
    for each in told:
        operation = document["paths"][each.route][each.method]
        answered = operation["responses"].get(str(each.response.status_code))
        assert answered is not None, (each.method, each.route, each.response.status_code)
        if each.response.content:
            schema = answered["content"][each.response.headers["content-type"]]["schema"]
            assert fits(document, schema, each.response.json()), (each.method, each.route, each.response.text)
        else:
            assert "content" not in answered

    # And the story is told nearly whole: every route, and every success.
    seen = {(each.method, each.route, each.response.status_code) for each in told}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            for status in map(int, operation["responses"]):
                a_page_alone = [*operation["responses"][str(status)].get("content", {})] == ["text/html"]
                if status < 300 and status != 202 and not a_page_alone:
                    assert (method, path, status) in seen, (method, path, status)


async def test_a_payment_that_needs_confirmation_is_202_with_what_the_client_needs(shop: Shop) -> None:
    document = await document_of(shop)
    order = await shop.ordered(await shop.listed())
    body = {"token": "tok_threeDSecure2Required", "orderId": order["id"]}
    response = await shop.client("buyer").post("/api/payments", json=body)
    assert response.status_code == 202, response.text
    schema = document["paths"]["/api/payments"]["post"]["responses"]["202"]
    assert fits(document, schema["content"]["application/json"]["schema"], response.json())
    assert response.json()["status"] == "requires_action"
    assert response.json()["action"]


async def test_any_route_may_be_overloaded_or_broken_and_the_document_says_so(shop: Shop) -> None:
    document = await document_of(shop)
    for item in document["paths"].values():
        for operation in item.values():
            assert {str(status) for status in ANY_ROUTE} <= set(operation["responses"])


async def test_two_shops_do_not_share_their_document(open_shop: Any) -> None:
    plain, named = await asyncio.gather(open_shop(), open_shop(session_cookie="tickets"))
    assert (await document_of(plain))["components"]["securitySchemes"]["session"]["name"] == "session"
    assert (await document_of(named))["components"]["securitySchemes"]["session"]["name"] == "tickets"
