"""What goes on beside the requests: the read models are fed, and purchases are driven on.

In one process with the rest, or in one of its own: see deploy/projector.py.
"""

from collections.abc import Callable, Mapping
from functools import partial

from deploy import demo_listings
from deploy.background import Background
from deploy.driver import Driver
from deploy.parts import Parts
from gateways.agenda import ProjectedAgenda
from gateways.leases import Lease
from gateways.scheduler import Waker
from processmanager.patience import Patience
from processmanager.watchdog import Watchdog
from projections.agenda import AGENDA, AgendaTable
from projections.follower import LINGER, Follower
from projections.read_model import ReadModel

Check = Callable[[], str | None]


class Keeper:
    """live: what only a restart can mend. ready: what must be well for requests to be sent here."""

    def __init__(
        self,
        parts: Parts,
        models: Mapping[str, ReadModel],
        background: Background,
        *,
        linger: float = LINGER,
        share: Callable[[], None] | None = None,
    ) -> None:
        """linger, share: as for the follower."""
        self.follower = Follower(parts.store, list(models.values()), linger=linger, share=share)
        agenda = ProjectedAgenda(AgendaTable(models[AGENDA.name]))
        patience = Patience(parts.settings.retry_delays)
        watchdog = Watchdog(agenda, parts.pump, parts.desk, parts.clock, patience)
        lease = Lease(parts.places.driver)
        self._driver = Driver(lease, watchdog, lambda: Waker(watchdog.wake, agenda.next_due))
        self._parts = parts
        self._background = background
        self.live: Mapping[str, Check] = {
            name: partial(background.check, name) for name in ("follower", "driver")
        }
        self.ready: Mapping[str, Check] = {"projections": self.follower.health}

    async def start(self) -> None:
        """Follow the log and watch over purchases from now on; give an empty shop its demonstration."""
        self._background.begin("follower", self.follower.run())
        self._background.begin("driver", self._driver.run())
        if self._parts.settings.demo:
            head, currency = self._parts.store.head, self._parts.settings.currency
            await demo_listings.seed(self._parts.marketplace, head, currency)
