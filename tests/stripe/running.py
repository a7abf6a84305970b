"""The double in a process of its own, for tests: started, killed, started again on the same ledger."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import stripe

from tests.stripe.controlling import Control

ROOT = Path(__file__).resolve().parents[2]
KEY = "sk_test_admitone"
SECRET = "whsec_admitone"
PATIENCE = 20.0
"""Seconds within which it must have started or ended."""


class RunningStripe:
    """The double as a test sees it.

    url: its address, for the SDK's ``base_addresses``. key: a secret key that it takes. secrets: what it
    signs webhooks with. ledger: its file. control: what is not Stripe's. The address stays over a restart.
    """

    def __init__(
        self, ledger: Path, webhook: str | None, secrets: Sequence[str], options: Sequence[str]
    ) -> None:
        self.url = ""
        self.key = KEY
        self.secrets = tuple(secrets)
        self.control: Control
        self.ledger = ledger
        self._webhook = webhook
        self._options = options
        self._port = 0
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def client(self, **options: Any) -> stripe.StripeClient:
        """The official SDK's client, sent here. It blocks; its ``…_async`` methods do not."""
        told: dict[str, Any] = {"max_network_retries": 0, "http_client": stripe.HTTPXClient(timeout=10)}
        return stripe.StripeClient(self.key, base_addresses={"api": self.url}, **(told | options))

    async def start(self) -> None:
        command = [sys.executable, "-m", "tests.stripe", "--port", str(self._port), "--with-parent"]
        command += ["--ledger", str(self.ledger), "--key", self.key, *self._options]
        if self._webhook is not None:
            command += ["--webhook", self._webhook]
        command += [word for secret in self.secrets for word in ("--secret", secret)]
        self._process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(PATIENCE):
            self.url = await self._address()
        self._port = int(self.url.rpartition(":")[2])
        self.control = Control(self.url)

    async def kill(self) -> None:
        """SIGKILL, as a power switch would do it."""
        assert self._process is not None
        with suppress(ProcessLookupError):
            self._process.kill()
        await self.ended()

    async def ended(self) -> None:
        """Wait until it has ended, by itself or not."""
        assert self._process is not None
        async with asyncio.timeout(PATIENCE):
            await self._process.wait()
        await self.control.close()

    async def restart(self) -> None:
        """Kill it if it lives; start it on the same ledger and address. Faults and rules are forgotten."""
        await self.kill()
        await self.start()

    async def _address(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            if line.startswith(b"Address: "):
                return line.decode().split()[1]
        raise RuntimeError(f"the double of Stripe ended with {await self._process.wait()}")


@asynccontextmanager
async def running_stripe(
    folder: Path,
    *,
    webhook: str | None = None,
    secrets: Sequence[str] = (SECRET,),
    retries: Sequence[float] = (0.1, 0.3, 1.0),
    settle_after: float | None = None,
) -> AsyncIterator[RunningStripe]:
    """The double with its ledger in ``folder``.

    webhook: the URL that is told of events, signed with each of ``secrets`` and, where it does not take
    one, again after ``retries`` seconds. settle_after: seconds after which refunds settle by themselves.
    """
    options = ["--retries", ",".join(map(str, retries))]
    if settle_after is not None:
        options += ["--settle-after", str(settle_after)]
    double = RunningStripe(folder / "stripe-ledger", webhook, secrets, options)
    await double.start()
    try:
        yield double
    finally:
        await double.kill()
