"""What goes on beside the requests: the read models are fed, and purchases are driven on.

In one process with the rest, or in one of its own: see deploy/projector.py.
"""

from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any

from deploy import demo_listings
from deploy.background import Background
from deploy.driving import drive
from deploy.parts import Parts
from deploy.provider import open_books
from deploy.reconciling import Regular
from gateways.agenda import ProjectedAgenda
from projections.agenda import AGENDA, AgendaTable
from projections.follower import LINGER, Follower
from projections.origin import Origin
from projections.read_model import ReadModel
from projections.reconciliation import RECONCILIATION

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
        store = parts.store
        self.follower = Follower(
            store,
            list(models.values()),
            linger=linger,
            share=share,
            origin=Origin(store.kind, store.id_at, store.head),
            current=lambda: store.health() is None,
        )
        heard_all = partial(self.follower.has_shown_all, AGENDA.name)
        driving = drive(parts, ProjectedAgenda(AgendaTable(models[AGENDA.name]), heard_all))
        self._work = {"follower": self.follower.run, **driving.work, **_reconciling(parts, models)}
        if parts.reconciler is not None:
            self._work["reconciler"] = parts.reconciler.run
        self._parts = parts
        self._background = background
        self.live: Mapping[str, Check] = {name: partial(background.check, name) for name in self._work}
        self.ready: Mapping[str, Check] = {
            "projections": self.follower.health,
            "feed": store.health,
            **driving.ready,
        }

    async def start(self) -> None:
        """Follow the log and watch over purchases from now on; give an empty shop its demonstration."""
        for name, work in self._work.items():
            self._background.begin(name, work())
        if self._parts.settings.demo:
            head, currency = self._parts.store.head, self._parts.settings.currency
            await demo_listings.seed(self._parts.marketplace, head, currency)


def _reconciling(
    parts: Parts, models: Mapping[str, ReadModel]
) -> Mapping[str, Callable[[], Coroutine[Any, Any, None]]]:
    settings, store = parts.settings, parts.store
    if settings.reconcile_every is None:
        return {}
    regular = Regular(
        partial(open_books, settings),
        models[RECONCILIATION.name],
        store.head,
        parts.clock.now,
        settings.reconcile_every,
        parts.places.reconciliation,
    )
    return {"bookkeeper": regular.run}
