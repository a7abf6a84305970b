"""The happy path on the released ``localstripe`` too, where it is installed: a double by other hands.

It runs in its own process, on an interpreter that ``LOCALSTRIPE_PYTHON`` names, or on this one. It is no
dependency: its licence and its own dependencies stay apart from the product's.
"""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
import stripe

PYTHON = os.environ.get("LOCALSTRIPE_PYTHON", sys.executable)
PATIENCE = 20.0
# Its own command listens on all interfaces, and writes all that it holds to a shared file at each call.
_SERVE = """
import sys
from aiohttp import web
from localstripe import server
from localstripe.resources import store
type(store).dump_to_disk = lambda self: None
web.run_app(server.app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
"""


async def version() -> str | None:
    """The released version that is installed for ``PYTHON``; None if there is none."""
    asking = "import importlib.metadata as m; print(m.version('localstripe'))"
    process = await asyncio.create_subprocess_exec(
        PYTHON, "-c", asking, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    async with asyncio.timeout(PATIENCE):
        said, _ = await process.communicate()
    return said.decode().strip() or None


@pytest.fixture
async def localstripe() -> AsyncIterator[stripe.StripeClient]:
    """The SDK's client on a localstripe of its own."""
    found = await version()
    if found is None:
        pytest.skip(
            f"localstripe is not installed for {PYTHON}: install it into a virtual environment of its own "
            "and name that environment's interpreter in LOCALSTRIPE_PYTHON"
        )
    print(f"localstripe {found}")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(PYTHON, "-c", _SERVE, str(port))
    try:
        await _listens(process, port)
        yield stripe.StripeClient(
            "sk_test_anything",
            base_addresses={"api": f"http://127.0.0.1:{port}"},
            max_network_retries=0,
            http_client=stripe.HTTPXClient(timeout=10),
        )
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _listens(process: asyncio.subprocess.Process, port: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            assert process.returncode is None, "localstripe ended by itself"
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


def params(amount: int) -> Any:
    """What both take. localstripe does not know ``allowed_payment_method_types`` nor what came before it."""
    return {
        "amount": amount,
        "currency": "usd",
        "payment_method": "pm_card_visa",
        "capture_method": "manual",
        "confirm": True,
        "metadata": {"order": "o1"},
        "return_url": "https://shop.example/back",
    }


async def happy_path(client: stripe.StripeClient, left_out: frozenset[str] = frozenset()) -> list[Any]:
    """What is said of one intent that is captured and refunded, and of one that is given up."""
    intents, said = client.v1.payment_intents, list[Any]()

    def told(amount: int) -> Any:
        return {name: value for name, value in params(amount).items() if name not in left_out}

    intent = await intents.create_async(told(2500))
    said.append((intent.object, intent.status, intent.amount, intent.currency, intent.metadata.to_dict()))
    taken = await intents.capture_async(intent.id)
    said.append((taken.id == intent.id, taken.status, taken.amount))
    refund = await client.v1.refunds.create_async({"payment_intent": intent.id})
    said.append((refund.object, refund.status, refund.amount, refund.currency))
    given_up = await intents.create_async(told(900))
    said.append((await intents.cancel_async(given_up.id)).status)
    said.append((await intents.retrieve_async(given_up.id)).status)
    listed = await intents.list_async()
    return [*said, {each.id for each in listed.data} == {given_up.id, intent.id}]


async def test_another_double_agrees_on_the_happy_path(
    localstripe: stripe.StripeClient, client: stripe.StripeClient
) -> None:
    theirs = await happy_path(localstripe, left_out=frozenset(("return_url",)))
    assert theirs == await happy_path(client)
