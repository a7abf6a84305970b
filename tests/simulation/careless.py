"""Careless parts: the real desk, watchdog, agenda and store, each with one defect put in by hand."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import msgspec

from domain import order
from domain.decider import AnyProposed, AnyRecorded, Decider, Loaded
from gateways.agenda import ProjectedAgenda
from processmanager.desk import Cause, Desk, Done
from processmanager.marketplace import Marketplace
from processmanager.patience import Patience
from processmanager.ports import Due, EventStore, OutcomeUnknown, StoreUnavailable, WrongRevision
from processmanager.purchase import Purchase
from processmanager.watchdog import ACTOR, Watchdog
from projections.agenda import AgendaTable
from projections.read_model import ReadModel
from tests.simulation.process import WatchedPump


class StoreWithoutRevisions:
    """Appends wherever the stream is by now."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    async def read(self, stream: str, after: int = -1) -> Sequence[AnyRecorded]:
        return await self._store.read(stream, after)

    async def append(self, stream: str, events: Sequence[AnyProposed], expected: int) -> int:
        try:
            return await self._store.append(stream, events, expected)
        except WrongRevision:
            return await self._store.append(stream, events, len(await self._store.read(stream)) - 1)

    def follow(self, after: int = 0) -> AsyncIterator[Sequence[AnyRecorded]]:
        return self._store.follow(after)


class DeskThatTrustsItsMemory(Desk):
    """Gives a refusal without looking once more."""

    async def _begin(
        self, decider: Decider[Any, Any, Any], stream: str, *, new: bool
    ) -> tuple[Loaded[Any], bool]:
        loaded, _ = await super()._begin(decider, stream, new=new)
        return loaded, True


class DeskThatAnswersTooSoon(Desk):
    """Acknowledges what it is only about to write."""

    async def _append(
        self, decider: Decider[Any, Any, Any], loaded: Loaded[Any], events: tuple[Any, ...], *rest: Any
    ) -> Done[Any]:
        try:
            return await super()._append(decider, loaded, events, *rest)
        except (StoreUnavailable, OutcomeUnknown):
            state = decider.fold(loaded.state, events)
            return Done(state, loaded.revision + len(events), loaded.position, events)


class DeskThatConfusesCommands(Desk):
    """Two commands with the same contents give their events the same ids."""

    def _propose(self, stream: str, revision: int, events: Any, command: Any, cause: Cause) -> Any:
        proposed = super()._propose(stream, revision, events, command, cause)
        words = f"{stream}/{revision}/{cause.causation}/{msgspec.json.encode(command).decode()}"
        return [msgspec.structs.replace(each, id=uuid5(NAMESPACE_OID, words)) for each in proposed]


class WatchdogThatForgetsTheParked(Watchdog):
    def due(self, ahead: timedelta = timedelta(0)) -> Any:
        return (due for due in super().due(ahead) if not due.parked)


class PumpThatLeavesAskingToOthers(WatchedPump):
    """Nobody but the buyer's own request may ask the provider."""

    async def pump(self, order_id: str, cause: Cause, **kwargs: Any) -> Purchase:
        asks = kwargs.pop("asking", True) and cause.actor != ACTOR
        return await super().pump(order_id, cause, asking=asks, **kwargs)


class PatienceBeyondTheEnd(Patience):
    def failed(self, order_id: str, now: datetime, ends: datetime | None = None) -> int | None:
        return super().failed(order_id, now)


class AgendaWithoutOrphans(ProjectedAgenda):
    """Knows the orders that were placed, and no others."""

    def __init__(self, model: ReadModel) -> None:
        super().__init__(AgendaTable(model))
        self._model = model

    def due(self, now: datetime, limit: int, after: Due | None = None) -> Sequence[Due]:
        placed = {row[0] for row in self._model.rows("SELECT order_id FROM purchase WHERE status NOT NULL")}
        return [due for due in super().due(now, limit, after) if due.order in placed]


class Timers:
    """An agenda that is told of each order by whoever has just placed it, and forgets all in a crash."""

    latest: "Timers"

    def __init__(self, _: ReadModel) -> None:
        self._timers: dict[str, Due] = {}
        Timers.latest = self

    def start(self, order_id: str, ticket_id: str, at: datetime) -> None:
        self._timers[order_id] = Due(order_id, ticket_id, at)

    def due(self, now: datetime, limit: int, after: Due | None = None) -> Sequence[Due]:
        behind = ("", "") if after is None else (str(after.at), after.order)
        due = sorted((str(due.at), due.order, due) for due in self._timers.values() if due.at <= now)
        return [each for at, order_id, each in due if (at, order_id) > behind][:limit]

    def next_due(self) -> datetime | None:
        return None

    def whole(self) -> bool:
        return True


class MarketplaceWithTimers(Marketplace):
    """Starts a timer after it has written the order."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._timers = Timers.latest

    async def reserve(self, *args: Any, **kwargs: Any) -> Done[order.State]:
        done = await super().reserve(*args, **kwargs)
        if not isinstance(done.state, order.Unplaced):
            self._timers.start(args[0], args[1], done.state.terms.expires_at)
        return done
