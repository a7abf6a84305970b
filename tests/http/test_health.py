"""Health that tells the truth."""

from typing import Any

from gateways.http.health import Health
from gateways.http.options import Check
from tests.http.shop import Shop, errors, soon


def well() -> str | None:
    return None


def stuck() -> str | None:
    return "the writer is stuck"


def broken() -> str | None:
    raise OSError("gone")


async def answers(live: dict[str, Check], ready: dict[str, Check], *, draining: bool = False) -> Any:
    health = Health(live, ready, {}, lambda: draining)
    return {route.path: (await route.handle(None)).status for route in health.routes()}  # type: ignore[arg-type]


async def test_all_is_well_when_every_part_is() -> None:
    assert await answers({"worker": well}, {"log": well}) == {"/healthz": 200, "/livez": 200, "/readyz": 200}


async def test_what_is_not_ready_need_not_be_restarted() -> None:
    assert await answers({"worker": well}, {"log": stuck}) == {
        "/healthz": 503,
        "/livez": 200,
        "/readyz": 503,
    }


async def test_what_is_dead_is_not_ready_either() -> None:
    assert await answers({"worker": stuck}, {"log": well}) == {
        "/healthz": 503,
        "/livez": 503,
        "/readyz": 503,
    }


async def test_while_draining_a_process_is_well_but_wants_no_more_requests() -> None:
    assert await answers({"worker": well}, {"log": well}, draining=True) == {
        "/healthz": 200,
        "/livez": 200,
        "/readyz": 503,
    }


async def test_a_part_that_cannot_be_looked_at_is_not_well() -> None:
    assert (await answers({}, {"log": broken}))["/readyz"] == 503


async def test_what_an_operator_should_know_is_told_and_the_process_is_well() -> None:
    health = Health({}, {"log": well}, {"reconciliation": stuck, "news": well}, lambda: False)
    all_of_it, _, ready = [await route.handle(None) for route in health.routes()]  # type: ignore[arg-type]
    assert (all_of_it.status, ready.status) == (200, 200)
    assert b'"reconciliation":"the writer is stuck","news":"ok"' in all_of_it.body
    assert b"reconciliation" not in ready.body


async def test_a_process_is_ready_once_it_follows_the_log_and_not_when_it_has_stopped(shop: Shop) -> None:
    client = shop.client()

    async def ready() -> bool:
        return (await client.get("/readyz")).status_code == 200

    await soon(ready)
    response = await client.get("/healthz")
    assert response.json()["status"] == "ok"
    assert set(response.json()["parts"].values()) == {"ok"}

    await shop.application._background.end()
    for path in ("/healthz", "/livez", "/readyz"):
        response = await client.get(path)
        assert response.status_code == 503
        assert response.headers["retry-after"] == "1"
        assert any("follower" in error["message"] for error in errors(response))


async def test_a_closed_log_is_not_ready_and_requests_are_told_to_come_again(shop: Shop) -> None:
    ticket = await shop.listed()
    client = shop.client("buyer")
    await shop.application.store.close()
    assert (await client.get("/readyz")).status_code == 503
    for method, path, body in (
        ("POST", "/api/orders", {"ticketId": ticket["id"]}),
        ("POST", "/api/tickets", {"title": "concert", "price": 1}),
        ("GET", f"/api/tickets/{ticket['id']}", None),
    ):
        response = await client.request(method, path, json=body)
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        assert errors(response)
    # What is in a read model can still be read.
    assert (await client.get("/api/tickets")).status_code == 200
