"""A read model is rebuilt under a shop that goes on serving, whichever store its log is in."""

import asyncio
from pathlib import Path

from deploy.parts import MODELS
from tests.deploy.running import admitone
from tests.http.shop import Shop, soon


async def test_a_shop_goes_on_with_the_read_models_that_were_made_beside_it(
    shop: Shop, tmp_path: Path, store: str
) -> None:
    there = ("--data", str(tmp_path), "--store", store)
    tickets = [await shop.listed(title=f"Seat {number}") for number in range(5)]
    await shop.ordered(tickets[0])
    client = shop.client("seller")

    async def shown() -> bool:
        return len((await client.get("/api/tickets")).json()) == 4

    await soon(shown)
    for words in (("catalogue", "--yes"), ("past", "--yes"), ("orders", "--yes"), ("catalogue", "--back")):
        done = await asyncio.to_thread(admitone, "rebuild", *words, *there)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "No row differs" in done.stdout or "--back" in words
        ticket = await shop.listed(title="one more")
        assert (await client.get("/api/tickets")).json()[-1] == ticket
        position = shop.head()
        assert (await client.get(f"/api/tickets?asOf={position}")).json()[-1] == ticket
    done = await asyncio.to_thread(admitone, "verify", *there)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("No row differs") == len(MODELS)
