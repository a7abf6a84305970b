"""Every endpoint as of any position answers as an empty system does that the log was replayed into so far."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from deploy.app import build
from deploy.settings import Settings
from domain.decider import AnyRecorded, Proposed
from gateways.http.as_of import AS_OF
from tests.http.shop import KEY, SOME_ID, Shop, empty_store, errors, soon
from tests.projections.histories import Marketplace

POSITIONS = int(os.environ.get("AS_OF_POSITIONS", "12"))
"""How many random positions are held against a replay."""

USERS = (None, "s0", "s1", "b0", "b1", "b2")


def history(seed: int, steps: int) -> list[AnyRecorded]:
    """A legal history of several people, as its choices fall."""
    chance = Random(seed)
    market = Marketplace()
    return market.play(
        [(chance.choice((0, 1, 2, 2, *range(3, 13))), chance.randrange(999)) for _ in range(steps)]
    )


class LogClock:
    """The time is that of the latest fact."""

    def __init__(self) -> None:
        self.at = datetime(1970, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


@asynccontextmanager
async def still(data: Path, store: str, clock: LogClock | None = None) -> AsyncIterator[Shop]:
    """A shop that shows what is in its log, and does nothing by itself."""
    settings = Settings(
        data=data, demo=False, jwt_key=(KEY,), classic_sessions=True, rate_limit=None, store=store
    )
    application = await build(settings, clock=clock)
    keeper = application._keeper
    assert keeper is not None
    following = asyncio.create_task(keeper.follower.run())
    try:
        shop = Shop(application)
        yield shop
        await shop.close()
    finally:
        following.cancel()
        await asyncio.wait({following})
        await application.stop()


async def replay(shop: Shop, facts: Sequence[AnyRecorded]) -> None:
    """Write ``facts`` behind what is there, and wait until all lists show them."""
    for fact in facts:
        proposed = Proposed(fact.id, fact.event, fact.metadata)
        await shop.application.store.append(fact.stream, [proposed], fact.revision - 1)
    keeper = shop.application._keeper
    assert keeper is not None
    follower, head = keeper.follower, shop.head()

    async def shown() -> bool:
        return all(each.position >= head for each in follower.progress())

    await soon(shown, 20)


def paths(facts: Sequence[AnyRecorded]) -> list[str]:
    """Every way to read, for everything that the whole history ever tells of."""
    tickets = sorted({fact.key for fact in facts if fact.category == "ticket"})
    orders = sorted({fact.key for fact in facts if fact.category == "order"})
    payments = sorted({fact.key for fact in facts if fact.category == "payment"})
    return [
        "/api/tickets", "/api/tickets?sort=price&order=desc&limit=2", "/api/tickets?q=show&sort=title",
        "/api/tickets?userId=s0", "/api/tickets?userId=s1&forProfilePage=true", "/api/tickets/search/opera",
        *(f"/api/tickets/{key}" for key in tickets), *(f"/api/v1/tickets/{key}/history" for key in tickets),
        "/api/orders", "/api/orders?limit=1",
        *(f"/api/orders/{key}" for key in orders[:6]),
        *(f"/api/v1/orders/{key}/explain" for key in orders[:6]),
        *(f"/api/v1/payments/{key}" for key in payments[:6]),
    ]  # fmt: skip


def at(path: str, moment: object) -> str:
    return f"{path}{'&' if '?' in path else '?'}asOf={quote(str(moment), safe='')}"


def told(answer: httpx.Response) -> Any:
    """An answer but for positions, which are each log's own."""

    def without(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: without(each) for name, each in value.items() if name != "position"}
        return [without(each) for each in value] if isinstance(value, list) else value

    return answer.status_code, without(answer.json())


async def pages(client: httpx.AsyncClient, path: str) -> list[Any]:
    """The answer, and those of all pages behind it."""
    found = []
    while True:
        answer = await client.get(path)
        found.append(told(answer))
        if "next" not in answer.links:
            return found
        path = answer.links["next"]["url"]


@pytest.mark.timeout(900)
async def test_every_endpoint_as_of_a_position_answers_as_a_replay_up_to_there(
    tmp_path: Path, store_kind: str
) -> None:
    facts = history(2026, 260)
    share = POSITIONS if store_kind == "embedded" else max(POSITIONS // 4, 1)
    chosen = sorted(Random(7).sample(range(len(facts) + 1), min(share, len(facts))))
    async with empty_store(store_kind) as first, empty_store(store_kind) as second:
        (tmp_path / "whole").mkdir()
        (tmp_path / "again").mkdir()
        clock = LogClock()
        async with (
            still(tmp_path / "whole", first) as whole,
            still(tmp_path / "again", second, clock) as again,
        ):
            await replay(whole, facts)
            positions = [0, *(fact.position for fact in await whole.log())]
            then = {user: whole.client(user) for user in USERS}
            now = {user: again.client(user) for user in USERS}
            done = 0
            for until in chosen:
                await replay(again, facts[done:until])
                clock.at = max((clock.at, *(fact.metadata.at for fact in facts[done:until])))
                done = until
                for user in USERS:
                    for path in paths(facts):
                        asked, expected = at(path, positions[until]), await pages(now[user], path)
                        assert await pages(then[user], asked) == expected, (until, user, path)
            # Back to where it was before, and forward again: from wherever a list comes, it is the same.
            for until in Random(8).sample(chosen, min(6, len(chosen))):
                answer = await then[None].get(at("/api/tickets", positions[until]))
                assert answer.headers["admitone-as-of"] == str(positions[until])


async def test_every_way_to_read_the_log_takes_a_moment_of_the_past(shop: Shop) -> None:
    for route in shop.application.asgi.routes:
        # An account is not in the log, and which types of events there are is a matter of the version.
        beside = "/users/" in route.path or route.path.endswith("/events/catalogue")
        of_the_log = route.path == "/" or (route.path.startswith("/api/") and not beside)
        reads = route.method == "GET" and of_the_log
        assert (AS_OF in route.query) == reads, (route.method, route.path)


async def test_a_time_means_all_that_was_recorded_by_then(tmp_path: Path, store_kind: str) -> None:
    facts = history(5, 120)
    async with empty_store(store_kind) as store, still(tmp_path, store) as shop:
        await replay(shop, facts)
        positions, client = [fact.position for fact in await shop.log()], shop.client()
        for number in (0, 7, len(facts) - 2, len(facts) - 1):
            when = facts[number].metadata.at
            for moment in (when, when + timedelta(milliseconds=999)):
                for zone in ("+00:00", "Z", "+05:45", "-23:59"):
                    text = _in_zone(moment, zone)
                    by_time = await client.get(at("/api/tickets", text))
                    assert by_time.status_code == 200, (text, by_time.text)
                    reported = int(by_time.headers["admitone-as-of"])
                    assert positions[number] <= reported
                    assert number + 1 == len(facts) or reported < positions[number + 1]
                    by_position = await client.get(at("/api/tickets", positions[number]))
                    assert by_time.json() == by_position.json()


def _in_zone(moment: datetime, zone: str) -> str:
    sign = -1 if zone[0] == "-" else 1
    away = timedelta() if zone == "Z" else sign * timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
    return f"{(moment + away).replace(tzinfo=None).isoformat(timespec='microseconds')}{zone}"


async def test_whatever_is_behind_a_fact_of_the_future_is_of_the_future_too(tmp_path: Path) -> None:
    """Clocks of several machines differ; a later time never shows less."""
    facts = history(5, 120)
    facts[10] = _at(facts[10], facts[30].metadata.at)
    async with still(tmp_path, "embedded") as shop:
        await replay(shop, facts)
        last = 0
        for fact in sorted(facts, key=lambda fact: fact.metadata.at):
            answer = await shop.client().get(at("/api/tickets", fact.metadata.at.isoformat()))
            reported = int(answer.headers["admitone-as-of"])
            assert reported >= last
            assert all(each.metadata.at <= fact.metadata.at for each in facts[:reported])
            assert reported == len(facts) or facts[reported].metadata.at > fact.metadata.at
            last = reported


def _at(fact: AnyRecorded, at: datetime) -> AnyRecorded:
    from msgspec.structs import replace

    return replace(fact, metadata=replace(fact.metadata, at=at))


@pytest.mark.parametrize(
    ("moment", "says"),
    [
        ("", "must be a position"), ("-1", "must be a position"), ("yesterday", "must be a position"),
        ("2026-11-24T12:00:00", "with its zone"), ("2026-02-30T12:00:00Z", "no such time"),
        ("2026-11-24T12:00:00+25:00", "no such time"), ("2999-01-01T00:00:00Z", "has not come yet"),
        ("1999-01-01T00:00:00Z", "nothing had been recorded"), ("999999999999", "has not reached position"),
        ("9223372036854775807", "has not reached position"), ("9" * 30, "must be a position"),
    ],
)  # fmt: skip
async def test_what_is_no_moment_of_the_past_is_refused_everywhere(
    shop: Shop, moment: str, says: str
) -> None:
    ticket = await shop.listed()
    order = await shop.ordered(ticket)
    client = shop.client("buyer")
    for path in ("/api/tickets", "/api/tickets/search/x", f"/api/tickets/{ticket['id']}", "/api/orders",
                 f"/api/orders/{order['id']}"):  # fmt: skip
        answer = await client.get(at(path, moment))
        assert answer.status_code == 400
        (error,) = errors(answer)
        assert says in error["message"]
        assert error["field"] == "asOf"
    for path in (f"/api/v1/tickets/{ticket['id']}/history", f"/api/v1/orders/{order['id']}/explain"):
        answer = await client.get(at(path, moment))
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
        assert says in answer.json()["detail"]


async def test_what_was_nobodys_then_and_what_is_anothers_is_not_shown(shop: Shop) -> None:
    ticket = await shop.listed()
    before = shop.head()
    order = await shop.ordered(ticket)
    held = shop.head()
    buyer, other = shop.client("buyer"), shop.client("other")
    assert (await buyer.get(at(f"/api/orders/{order['id']}", before))).status_code == 404
    assert (await buyer.get(at(f"/api/orders/{order['id']}", held))).json() == order
    assert (await other.get(at(f"/api/orders/{order['id']}", held))).status_code == 401
    assert (await buyer.get(at("/api/orders", before))).json() == []
    assert (await buyer.get(at("/api/orders", held))).json() == [order]
    assert (await other.get(at("/api/orders", held))).json() == []
    assert (await shop.client().get(at("/api/orders", held))).status_code == 401
    assert (await shop.client().get(at("/api/tickets", before))).json() == [ticket]
    assert (await shop.client().get(at("/api/tickets", held))).json() == []
    assert (await shop.client().get(at(f"/api/tickets/{SOME_ID}", held))).status_code == 404


async def test_a_plus_that_a_url_has_made_a_space_is_understood(shop: Shop) -> None:
    await shop.listed()
    now = f"{datetime.now(UTC) - timedelta(milliseconds=1):%Y-%m-%dT%H:%M:%S.%f}"
    answer = await shop.client().get(f"/api/tickets?asOf={now}+00:00")
    assert answer.status_code == 200


async def test_while_nobody_remembers_the_past_that_is_said_and_the_present_is_served(
    shop: Shop, tmp_path: Path
) -> None:
    ticket = await shop.listed()
    position = shop.head()
    client = shop.client()
    assert (await client.get(at("/api/tickets", position))).json() == [ticket]
    for file in sorted(tmp_path.glob("read-models/*/past.sqlite*")):  # noqa: ASYNC240 - three files
        file.unlink()
    answer = await client.get(at("/api/tickets", position))
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert (await client.get(at(f"/api/tickets/{ticket['id']}", position))).json() == ticket
    assert (await client.get("/api/tickets")).json() == [ticket]

    async def again() -> bool:
        return (await client.get(at("/api/tickets", position))).status_code == 200

    await soon(again)
    assert (await client.get(at("/api/tickets", position))).json() == [ticket]
