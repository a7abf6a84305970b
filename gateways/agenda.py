"""The agenda of the watchdog, kept by a projection: the port's words for the read model's rows."""

from collections.abc import Callable, Sequence
from datetime import datetime

from processmanager.ports import Due
from projections.agenda import AgendaTable


class ProjectedAgenda:
    """Satisfies ``processmanager.ports.Agenda``."""

    def __init__(self, table: AgendaTable, whole: Callable[[], bool] = lambda: True) -> None:
        """whole: whether the read model has shown the whole log once since it was opened."""
        self._table = table
        self._whole = whole

    def due(self, now: datetime, limit: int, after: Due | None = None) -> Sequence[Due]:
        behind = None if after is None else (after.at, after.order)
        return [Due(*row) for row in self._table.due(now, limit, behind)]

    def next_due(self) -> datetime | None:
        return self._table.next_due()

    def whole(self) -> bool:
        return self._whole()
