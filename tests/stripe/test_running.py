"""The double as a process: by hand, and as tests run it."""

import asyncio
import sys

import httpx
import stripe

from tests.stripe.paying import captured, purchase
from tests.stripe.running import ROOT, RunningStripe


async def by_hand(*options: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.stripe", *options),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_by_hand_it_says_plainly_what_it_is_and_sells() -> None:
    process = await by_hand("--port", "0")
    assert process.stdout is not None
    try:
        said = ""
        async with asyncio.timeout(20):
            while "Address: " not in said:
                said += (await process.stdout.readline()).decode()
        assert said.startswith("This is NOT Stripe.")
        key = said.partition("Secret key: ")[2].split()[0]
        url = said.partition("Address: ")[2].strip()
        client = stripe.StripeClient(key, base_addresses={"api": url})
        assert (await client.v1.payment_intents.create_async(purchase())).status == "requires_capture"
    finally:
        process.terminate()
        async with asyncio.timeout(20):
            _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    assert not errors


async def test_webhooks_without_a_secret_are_refused_in_one_line() -> None:
    process = await by_hand("--webhook", "http://127.0.0.1:1/")
    async with asyncio.timeout(20):
        _, errors = await process.communicate()
    assert process.returncode == 2
    assert b"--webhook needs a --secret" in errors


async def test_it_ends_when_who_began_it_is_gone() -> None:
    process = await by_hand("--port", "0", "--with-parent")
    assert process.stdin is not None
    process.stdin.close()
    async with asyncio.timeout(20):
        assert await process.wait() == 0


async def test_it_is_started_again_on_its_ledger_and_address(double: RunningStripe) -> None:
    intent = await captured(double.client())
    url, pid = double.url, double.pid
    await double.restart()
    assert double.url == url
    assert double.pid != pid
    again = await double.client().v1.payment_intents.retrieve_async(intent.id)
    assert again.status == "succeeded"


async def test_any_way_to_give_the_key_and_no_other_is_taken(double: RunningStripe) -> None:
    """https://docs.stripe.com/api/authentication"""
    async with httpx.AsyncClient(base_url=double.url, trust_env=False) as http:
        path = "/v1/payment_intents"
        assert (await http.get(path, auth=(double.key, ""))).status_code == 200
        answer = await http.get(path, headers={"Authorization": f"Bearer {double.key}"})
        assert answer.status_code == 200
        assert answer.headers["request-id"].startswith("req_")
        for wrong in ({}, {"Authorization": "Bearer nothing"}, {"Authorization": "Basic a"}):
            assert (await http.get(path, headers=wrong)).status_code == 401
        posted = await http.post(path, json={"amount": 5}, auth=(double.key, ""))
        assert posted.status_code == 400
        assert "content type" in posted.json()["error"]["message"]
