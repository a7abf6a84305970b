"""A till and who serves buyers beside it, each with a store of its own on one log; and Stripe's double."""

import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from deploy.parts import Parts, PayingParts, open_parts, open_parts_beside
from deploy.settings import Settings
from deploy.till_socket import TillSocket, till_socket
from domain.money import Money
from gateways.till import Till
from gateways.till_counter import Counter
from processmanager.desk import Cause
from processmanager.hints import Names
from processmanager.marketplace import Paid
from tests.stripe.running import RunningStripe

PRICE = Money(4950, "usd")
CAUSE = Cause("request", "test", "buyer")


class TillShop:
    """front: what serves buyers. own: what stands behind the counter."""

    def __init__(self, place: TillSocket, own: PayingParts, front: Parts) -> None:
        assert front.till is not None
        self.place = place
        self.own = own
        self.front = front
        self.till: Till = front.till
        self._counter: Counter | None = None

    async def open(self) -> None:
        """A till begins to serve."""
        assert isinstance(self.own.payments, Names)
        self._counter = Counter(self.own.pump, self.own.payments)
        await self._counter.open(socket.socket(fileno=socket.dup(self.place.handle)))

    async def close(self) -> None:
        """It ends, as one does that is told to."""
        if self._counter is not None:
            await self._counter.close()

    async def reserved(self, name: str = "1") -> None:
        """The order ``oN`` for a ticket of its own."""
        await self.front.marketplace.list_ticket(f"t{name}", "seller", "Front row", PRICE, CAUSE)
        await self.front.marketplace.reserve(f"o{name}", f"t{name}", "buyer", CAUSE)

    async def paid(self, token: str = "tok_visa", name: str = "1") -> Paid:
        """What became of the attempt ``pN`` to pay for that order."""
        return await self.front.marketplace.pay(f"o{name}", f"p{name}", "buyer", token, CAUSE)


@asynccontextmanager
async def till_shop(data: Path, double: RunningStripe) -> AsyncIterator[TillShop]:
    """A shop whose till serves already."""
    settings = Settings(data=data, stripe_secret_key=double.key, stripe_url=double.url)
    async with AsyncExitStack() as closing:
        place = closing.enter_context(till_socket())
        own = await open_parts(settings, closing)
        front = await open_parts_beside(settings, closing, Path(place.path))
        shop = TillShop(place, own, front)
        closing.push_async_callback(shop.close)
        await shop.open()
        yield shop
