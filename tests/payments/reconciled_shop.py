"""Purchases as they are made, and the provider's books held against them a while later."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from deploy.log_beside import opened
from deploy.parts import Parts, open_parts
from deploy.provider import open_books
from deploy.reconciled import Report
from deploy.reconciling import MOST_PAGES, Reconciliation, read_log
from deploy.settings import Settings
from domain import payment
from domain.money import Money
from domain.order import Completed
from processmanager.desk import Cause
from processmanager.marketplace import Paid

PRICE = Money(4950, "usd")
CAUSE = Cause("request", "test", "buyer")
AT_ONCE = 32
LATER = timedelta(minutes=10)
"""Long enough for nothing to be under way any more."""


class ReconciledShop:
    def __init__(self, settings: Settings, parts: Parts) -> None:
        self.settings = settings
        self.parts = parts

    async def bought(self, name: str, token: str = "tok_visa") -> Paid:
        """The purchase ``name`` by this card, as far as it goes."""
        marketplace = self.parts.marketplace
        await marketplace.list_ticket(f"t{name}", "seller", "Front row", PRICE, CAUSE)
        await marketplace.reserve(f"o{name}", f"t{name}", "buyer", CAUSE)
        return await marketplace.pay(f"o{name}", f"p{name}", "buyer", token, CAUSE)

    async def refunded(self, name: str) -> None:
        await self.parts.marketplace.refund(f"o{name}", "the show is off", CAUSE)

    async def many(self, number: int) -> None:
        """So many purchases: of ten one is declined, one given back, one never paid for."""
        hands = asyncio.Semaphore(AT_ONCE)

        async def one(which: int) -> None:
            async with hands:
                if which % 10 == 3:
                    await self.parts.marketplace.list_ticket(f"t{which}", "seller", "Aisle", PRICE, CAUSE)
                    await self.parts.marketplace.reserve(f"o{which}", f"t{which}", "buyer", CAUSE)
                    await self.parts.marketplace.cancel(f"o{which}", "buyer", CAUSE)
                    return
                paid = await self.bought(str(which), "tok_chargeDeclined" if which % 10 == 5 else "tok_visa")
                assert isinstance(paid.order, Completed) is (which % 10 != 5)
                if which % 10 == 7:
                    await self.refunded(str(which))

        await asyncio.gather(*(one(which) for which in range(number)))

    async def state(self, name: str) -> payment.State:
        return (await self.parts.desk.load(payment.payment, f"p{name}")).state

    async def reconciled(self, folder: Path, tell: Callable[..., Any] = lambda *_: None) -> Report:
        """What `admitone reconcile` would find a while from now."""
        at, books = datetime.now(UTC) + LATER, open_books(self.settings)
        try:
            with closing(Reconciliation(at)) as reconciliation:
                await reconciliation.take_books(books, MOST_PAGES, tell)
                rows = folder / f"rows-{at.timestamp()}.sqlite"
                async with opened(self.settings) as log:
                    await read_log(log.pages(), rows, tell)
                for _ in reconciliation.differences(rows):
                    pass
                return reconciliation.report()
        finally:
            await books.close()


@asynccontextmanager
async def reconciled_shop(data: Path, **changed: Any) -> AsyncIterator[ReconciledShop]:
    await asyncio.to_thread(data.mkdir, exist_ok=True)
    settings = Settings(data=data, demo=False, **changed)
    async with AsyncExitStack() as stack:
        yield ReconciledShop(settings, await open_parts(settings, stack))
