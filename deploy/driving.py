"""How purchases are driven on in this process: alone on its machine, or together with others by signals."""

from collections.abc import Callable, Coroutine, Mapping
from datetime import timedelta
from typing import Any

from msgspec import Struct

from deploy.driver import Driver
from deploy.hearsay import SIGNALS
from deploy.parts import Parts
from gateways.agenda import ProjectedAgenda
from gateways.leases import Lease
from gateways.scheduler import Waker
from processmanager.patience import Deference, Patience
from processmanager.ports import Signals
from processmanager.sharing import Sharing
from processmanager.watchdog import Watchdog

Check = Callable[[], str | None]

MARGIN = timedelta(seconds=30)
"""What others are given beyond all their retries before a purchase of theirs is looked at here too."""


class Driving(Struct, frozen=True):
    """work: what runs in the background. ready: what must be well for requests to be sent here."""

    work: Mapping[str, Callable[[], Coroutine[Any, Any, None]]]
    ready: Mapping[str, Check]


def drive(parts: Parts, agenda: ProjectedAgenda) -> Driving:
    """What drives purchases on. One process of a data directory at a time watches over the agenda; where
    purchases are shared by signals, every process watches, and leaves to the others what they were given."""
    patience = Patience(parts.settings.retry_delays)
    if parts.signals is None:
        watchdog = Watchdog(agenda, parts.pump, parts.desk, parts.clock, patience)
        lease = Lease(parts.places.driver)
        driver = Driver(lease, watchdog, lambda: Waker(watchdog.wake, agenda.next_due))
        return Driving({"driver": driver.run}, {})
    return _drive_together(parts, parts.signals, agenda, patience)


def _drive_together(parts: Parts, signals: Signals, agenda: ProjectedAgenda, patience: Patience) -> Driving:
    delays = parts.settings.retry_delays
    others = sum(delays, MARGIN)
    deference = Deference(lambda: others if signals.problem is None else timedelta(0))
    watchdog = Watchdog(agenda, parts.pump, parts.desk, parts.clock, patience, deference)
    # No wake at the deadline itself: who beats first is the one who ends a hold, and the others hear of it.
    driver = Driver(None, watchdog, lambda: Waker(watchdog.wake, lambda: None))
    sharing = Sharing(signals, parts.pump, parts.desk, parts.clock, delays, watchdog.adopt)
    return Driving({"driver": driver.run, SIGNALS: sharing.run}, {SIGNALS: lambda: signals.problem})
